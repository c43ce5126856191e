"""One request of each operation that has a value for each of its condition keys."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kms_server.iam.policy import compile_identity_policy
from kms_server.iam.principal import AttachedPolicy, Principal
from kms_server.keys.states import KeyState
from kms_server.operations.call import Call, Forwarded
from tests.unit.operations import imported, scenes
from tests.unit.operations.service import ACCOUNT, REGION, REPLICA_REGION, Refusal, Service
from tests.unit.operations.state_matrix import MATRIX, WITHOUT_KEY, Cell

CONTEXT = {"Purpose": "Test"}
TAGS = [{"TagKey": "Team", "TagValue": "blue"}]
DAY = 86_400
WITHOUT_CONDITIONS = {
    "ListAliases", "ListKeys", "ListRetirableGrants", "GenerateRandom", "InjectFault", "ListInjectedFaults",
    "RemoveInjectedFault",
}  # fmt: skip
ROWS = [
    *(
        row
        for row in MATRIX
        if " of " not in row and row != "UpdateAlias from" and row not in WITHOUT_CONDITIONS
    ),
    "CreateGrant for a service",
    *sorted(WITHOUT_KEY - WITHOUT_CONDITIONS),
]
_SOURCE = f"arn:aws:s3:::{'b' * 12}"
_ROOT = f"arn:aws:iam::{ACCOUNT}:root"
_CONSTRAINTS = {"EncryptionContextEquals": CONTEXT, "SourceArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"}
_BY_SERVICE = Forwarded("s3", REGION, source_arn=_SOURCE, source_account=ACCOUNT)
Condition = Mapping[str, Mapping[str, Any]]


@dataclass
class Scene:
    """A request, and the key that it is about; `key` is its metadata, empty where there is none."""

    service: Service
    row: str
    key: Mapping[str, Any]
    members: dict[str, Any]

    @property
    def operation(self) -> str:
        """The operation of the row."""
        return self.row.partition(" ")[0]

    @property
    def action(self) -> str:
        """The action that is judged on the key."""
        return "kms:" + {"ReEncrypt from": "ReEncryptFrom", "ReEncrypt to": "ReEncryptTo"}.get(
            self.row, self.operation
        )

    @property
    def alias(self) -> str:
        """The alias of the key."""
        return f"alias/of/{self.key['KeyId']}"

    def call(self, conditions: list[Condition]) -> dict[str, Any] | Refusal:
        """Whatever a user is answered who may perform the action on the key where all conditions hold."""
        condition: dict[str, dict[str, Any]] = {}
        for one in conditions:
            for operator, keys in one.items():
                condition.setdefault(operator, {}).update(keys)
        what = {"Effect": "Allow", "Action": self.action, "Resource": self.key.get("Arn", "*")}
        statements = [
            {"Effect": "Allow", "NotAction": self.action, "Resource": "*"},
            what | {"Condition": condition},
        ]
        if self.key:
            statements.append({"Effect": "Allow", "Action": self.action, "NotResource": self.key["Arn"]})
        change = by(*statements, forwarded=_BY_SERVICE)
        return self.service.call(self.operation, change=change, **self.members)


def by(
    *statements: Mapping[str, Any], forwarded: Forwarded | None = None, **more: Any
) -> Callable[[Call], None]:
    """Let a call be that of a user who may do what the statements say."""
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    policy = AttachedPolicy("p", compile_identity_policy(document))
    given = {
        "kind": "IAMUser", "account": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:user/mira", "unique_id": "AIDAMIRA",
        "access_key_id": "AKIAMIRA", "user_name": "mira", "policies": (policy,),
    } | more  # fmt: skip
    principal = Principal(**given)

    def change(call: Call) -> None:
        call.principal, call.forwarded = principal, forwarded

    return change


def make(service: Service, row: str) -> Scene:
    """The scene of a row, with a multi-Region key that has a tag and an alias."""
    if row in WITHOUT_KEY:
        return Scene(
            service, row, {}, dict(_WITHOUT_KEY.get(row, {"CustomKeyStoreId": "cks-1234567890abcdef0"}))
        )
    key = _key(service, row)
    scene = Scene(service, row, key, {})
    cell = Cell(row, KeyState.ENABLED, ".")
    key_id = key["KeyId"]
    make_members = _MEMBERS.get(row)
    scene.members = make_members(scene) if make_members else scenes.members(service, cell, key_id)
    service.ok("TagResource", KeyId=key_id, Tags=TAGS)
    service.ok("CreateAlias", AliasName=scene.alias, TargetKeyId=key_id)
    if row == "CancelKeyDeletion":
        service.ok("ScheduleKeyDeletion", KeyId=key_id)
    return scene


def _key(service: Service, row: str) -> dict[str, Any]:
    kind = dict(scenes.KINDS.get(row, {})) | {"MultiRegion": True}
    key = service.key(**kind)
    if kind.get("Origin") == "EXTERNAL":
        service.ok("ImportKeyMaterial", **imported.members(service, key["KeyId"]))
    if row == "UpdatePrimaryRegion":
        service.ok("ReplicateKey", KeyId=key["KeyId"], ReplicaRegion=REPLICA_REGION)
    return key


def _sealed(service: Service, key_id: str) -> bytes:
    sealed: bytes = service.ok("Encrypt", KeyId=key_id, Plaintext=b"p", EncryptionContext=CONTEXT)[
        "CiphertextBlob"
    ]
    return sealed


def _named(**more: Any) -> Callable[[Scene], dict[str, Any]]:
    return lambda scene: {"KeyId": scene.alias} | more


def _plain(**more: Any) -> Callable[[Scene], dict[str, Any]]:
    return lambda scene: {"KeyId": scene.key["KeyId"]} | more


def _renamed(scene: Scene) -> dict[str, Any]:
    cell = Cell(scene.row, KeyState.ENABLED, ".")
    return scenes.members(scene.service, cell, scene.key["KeyId"]) | {"KeyId": scene.alias}


def _decrypt(scene: Scene) -> dict[str, Any]:
    sealed = _sealed(scene.service, scene.key["KeyId"])
    return {"KeyId": scene.alias, "CiphertextBlob": sealed, "EncryptionContext": CONTEXT}


def _re_encrypt_from(scene: Scene) -> dict[str, Any]:
    sealed = _sealed(scene.service, scene.key["KeyId"])
    return {
        "SourceKeyId": scene.alias, "CiphertextBlob": sealed, "SourceEncryptionContext": CONTEXT,
        "DestinationKeyId": scene.service.key()["KeyId"], "DestinationEncryptionContext": {"Other": "x"},
    }  # fmt: skip


def _re_encrypt_to(scene: Scene) -> dict[str, Any]:
    other = scene.service.key()["KeyId"]
    sealed = scene.service.ok("Encrypt", KeyId=other, Plaintext=b"p")["CiphertextBlob"]
    return {
        "SourceKeyId": other, "CiphertextBlob": sealed, "DestinationKeyId": scene.alias,
        "DestinationEncryptionContext": CONTEXT,
    }  # fmt: skip


def _import(scene: Scene) -> dict[str, Any]:
    members = imported.members(scene.service, scene.key["KeyId"])
    return members | {
        "ExpirationModel": "KEY_MATERIAL_EXPIRES",
        "ValidTo": scene.key["CreationDate"] // 1 + DAY,
    }


def _retire(scene: Scene) -> dict[str, Any]:
    granted = scene.service.ok(
        "CreateGrant", KeyId=scene.key["KeyId"], GranteePrincipal=_ROOT,
        Operations=["Decrypt"], Constraints={"EncryptionContextSubset": CONTEXT},
    )  # fmt: skip
    return {"KeyId": scene.key["Arn"], "GrantId": granted["GrantId"]}


_MEMBERS: Mapping[str, Callable[[Scene], dict[str, Any]]] = {
    "Encrypt": _named(Plaintext=b"p", EncryptionContext=CONTEXT),
    "Decrypt": _decrypt,
    "ReEncrypt from": _re_encrypt_from,
    "ReEncrypt to": _re_encrypt_to,
    "GenerateDataKey": _named(KeySpec="AES_256", EncryptionContext=CONTEXT),
    "GenerateDataKeyWithoutPlaintext": _named(NumberOfBytes=7, EncryptionContext=CONTEXT),
    "GenerateDataKeyPair": _named(KeyPairSpec="ECC_NIST_P256", EncryptionContext=CONTEXT),
    "GenerateDataKeyPairWithoutPlaintext": _named(KeyPairSpec="ECC_NIST_P256", EncryptionContext=CONTEXT),
    **dict.fromkeys(
        ("Sign", "Verify", "GenerateMac", "VerifyMac", "DeriveSharedSecret", "Encapsulate", "Decapsulate",
         "DescribeKey", "GetPublicKey"),
        _renamed,
    ),
    "CreateGrant": _plain(
        GranteePrincipal=_ROOT, RetiringPrincipal=_ROOT, Operations=["Decrypt", "Encrypt"], Constraints=_CONSTRAINTS,
    ),
    "CreateGrant for a service": _plain(
        GranteeServicePrincipal="s3.amazonaws.com", RetiringServicePrincipal="sqs.amazonaws.com",
        Operations=["Decrypt", "Encrypt"], Constraints=_CONSTRAINTS,
    ),
    "RetireGrant": _retire,
    "EnableKeyRotation": _plain(RotationPeriodInDays=100),
    "ScheduleKeyDeletion": _plain(PendingWindowInDays=9),
    "ImportKeyMaterial": _import,
    "PutKeyPolicy": _plain(Policy=scenes.POLICY, BypassPolicyLockoutSafetyCheck=True),
    "ReplicateKey": _plain(ReplicaRegion="eu-central-1", Tags=TAGS),
    "TagResource": _plain(Tags=TAGS),
    "UntagResource": _plain(TagKeys=["Team"]),
}  # fmt: skip
_WITHOUT_KEY: Mapping[str, Mapping[str, Any]] = {
    "CreateKey": {"MultiRegion": True, "Tags": TAGS},
    "CreateCustomKeyStore": {"CustomKeyStoreName": "s"},
    "DescribeCustomKeyStores": {},
}
