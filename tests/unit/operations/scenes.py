"""Keys that an operation can work with, the members of its request, and the ways into each state."""

from collections.abc import Callable, Mapping
from typing import Any

from kms_server.keys.states import KeyState
from tests.unit.operations import imported
from tests.unit.operations.service import ACCOUNT, REGION, REPLICA_REGION, Service
from tests.unit.operations.state_matrix import Cell

_SIGNING = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
_AGREEMENT = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"}
_MAC = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
_ENCAPSULATION = {"KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE"}
_PRIMARY = {"MultiRegion": True}
KINDS: Mapping[str, Mapping[str, Any]] = {
    "Sign": _SIGNING, "Verify": _SIGNING, "GetPublicKey": _SIGNING, "GenerateMac": _MAC, "VerifyMac": _MAC,
    "DeriveSharedSecret": _AGREEMENT, "Encapsulate": _ENCAPSULATION, "Decapsulate": _ENCAPSULATION,
    "ReplicateKey": _PRIMARY, "UpdatePrimaryRegion": _PRIMARY, "GetParametersForImport": imported.EXTERNAL,
    "ImportKeyMaterial": imported.EXTERNAL, "DeleteImportedKeyMaterial": imported.EXTERNAL,
}  # fmt: skip
_GRANTEE = f"arn:aws:iam::{ACCOUNT}:root"
POLICY = (
    '{"Statement":{"Effect":"Allow","Principal":{"AWS":"' + _GRANTEE + '"},"Action":"kms:*","Resource":"*"}}'
)
_SIGN: Mapping[str, Any] = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
_TAG: Mapping[str, Any] = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
_KEM: Mapping[str, Any] = {"EncapsulationAlgorithm": "ML_KEM"}


def make_key(service: Service, cell: Cell) -> str:
    """The id of an enabled key for the row, of a kind that can get into the state."""
    kind = dict(KINDS.get(cell.row, {}))
    if cell.state is KeyState.PENDING_REPLICA_DELETION:
        kind |= _PRIMARY
    if cell.state is KeyState.PENDING_IMPORT and kind != _ENCAPSULATION and "AWS's" not in cell.row:
        kind |= imported.EXTERNAL
    key_id: str = service.key(**kind)["KeyId"]
    if kind.get("Origin") == "EXTERNAL":
        material = imported.PRIVATE_KEY if "ECC" in kind.get("KeySpec", "") else imported.SECRET
        service.ok("ImportKeyMaterial", **imported.members(service, key_id, material))
    moves = cell.operation == "UpdatePrimaryRegion" and cell.state is not KeyState.PENDING_DELETION
    if moves or cell.state is KeyState.PENDING_REPLICA_DELETION:
        service.ok("ReplicateKey", KeyId=key_id, ReplicaRegion=REPLICA_REGION)
    return key_id


def bring_into(service: Service, key_id: str, state: KeyState) -> None:
    """Take an enabled key into a state, as a client does it where a client can."""
    if state is KeyState.DISABLED:
        service.ok("DisableKey", KeyId=key_id)
    elif state in {KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION}:
        service.ok("ScheduleKeyDeletion", KeyId=key_id)
    elif state is KeyState.PENDING_IMPORT and _is_external(service, key_id):
        service.ok("DeleteImportedKeyMaterial", KeyId=key_id)
    elif state is not KeyState.ENABLED:
        service.set_state(key_id, state)
    assert service.state_of(key_id) == state


def members(service: Service, cell: Cell, key_id: str) -> dict[str, Any]:
    """The request of the row's operation on an enabled key, with all that it needs made."""
    make = _REQUESTS.get(cell.row) or _REQUESTS.get(cell.operation)
    return {"KeyId": key_id} if make is None else make(service, key_id)


def _is_external(service: Service, key_id: str) -> bool:
    return bool(service.ok("DescribeKey", KeyId=key_id)["KeyMetadata"]["Origin"] == "EXTERNAL")


def _plain(**more: Any) -> Callable[[Service, str], dict[str, Any]]:
    return lambda _, key_id: {"KeyId": key_id} | more


def _ciphertext(service: Service, key_id: str) -> dict[str, Any]:
    return {"CiphertextBlob": service.ok("Encrypt", KeyId=key_id, Plaintext=b"p")["CiphertextBlob"]}


def _re_encrypt_from(service: Service, key_id: str) -> dict[str, Any]:
    return _ciphertext(service, key_id) | {"DestinationKeyId": service.key()["KeyId"]}


def _re_encrypt_to(service: Service, key_id: str) -> dict[str, Any]:
    return _ciphertext(service, service.key()["KeyId"]) | {"DestinationKeyId": key_id}


def _verify(service: Service, key_id: str) -> dict[str, Any]:
    asked = {"KeyId": key_id, **_SIGN}
    return asked | {"Signature": service.ok("Sign", **asked)["Signature"]}


def _verify_mac(service: Service, key_id: str) -> dict[str, Any]:
    asked = {"KeyId": key_id, **_TAG}
    return asked | {"Mac": service.ok("GenerateMac", **asked)["Mac"]}


def _derive(service: Service, key_id: str) -> dict[str, Any]:
    peer = service.ok("GetPublicKey", KeyId=key_id)["PublicKey"]
    return {"KeyId": key_id, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer}


def _decapsulate(service: Service, key_id: str) -> dict[str, Any]:
    asked = {"KeyId": key_id, **_KEM}
    made = service.ok("Encapsulate", **asked)
    return asked | {"SharedSecretCiphertextBlob": made["SharedSecretCiphertextBlob"]}


def _grant(service: Service, key_id: str) -> dict[str, Any]:
    granted = service.ok("CreateGrant", KeyId=key_id, GranteePrincipal=_GRANTEE, Operations=["DescribeKey"])
    return {"KeyId": key_id, "GrantId": granted["GrantId"]}


def _retire(service: Service, key_id: str) -> dict[str, Any]:
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key_id}"
    return _grant(service, key_id) | {"KeyId": arn}


def _alias(service: Service, key_id: str) -> dict[str, Any]:
    name = f"alias/of-{key_id}"
    service.ok("CreateAlias", AliasName=name, TargetKeyId=key_id)
    return {"AliasName": name}


def _move_alias_from(service: Service, key_id: str) -> dict[str, Any]:
    return _alias(service, key_id) | {"TargetKeyId": service.key()["KeyId"]}


def _move_alias_to(service: Service, key_id: str) -> dict[str, Any]:
    return _alias(service, service.key()["KeyId"]) | {"TargetKeyId": key_id}


def _import(service: Service, key_id: str) -> dict[str, Any]:
    if _is_external(service, key_id):
        return imported.members(service, key_id)
    return imported.KEPT | {"KeyId": key_id, "ImportToken": b"t", "EncryptedKeyMaterial": b"m"}


_REQUESTS: Mapping[str, Callable[[Service, str], dict[str, Any]]] = {
    "Encrypt": _plain(Plaintext=b"p"),
    "Decrypt": _ciphertext,
    "ReEncrypt from": _re_encrypt_from,
    "ReEncrypt to": _re_encrypt_to,
    "GenerateDataKey": _plain(KeySpec="AES_256"),
    "GenerateDataKeyWithoutPlaintext": _plain(NumberOfBytes=7),
    "GenerateDataKeyPair": _plain(KeyPairSpec="ECC_NIST_P256"),
    "GenerateDataKeyPairWithoutPlaintext": _plain(KeyPairSpec="ECC_NIST_EDWARDS25519"),
    "Sign": _plain(**_SIGN),
    "Verify": _verify,
    "GenerateMac": _plain(**_TAG),
    "VerifyMac": _verify_mac,
    "DeriveSharedSecret": _derive,
    "Encapsulate": _plain(**_KEM),
    "Decapsulate": _decapsulate,
    "PutKeyPolicy": _plain(Policy=POLICY),
    "RetireGrant": _retire,
    "RevokeGrant": _grant,
    "CreateGrant": _plain(GranteePrincipal=_GRANTEE, Operations=["DescribeKey"]),
    "CreateAlias": lambda _, key_id: {"AliasName": f"alias/of-{key_id}", "TargetKeyId": key_id},
    "UpdateAlias from": _move_alias_from,
    "UpdateAlias to": _move_alias_to,
    "DeleteAlias": _alias,
    "ScheduleKeyRotation": _plain(RotationPeriodInDays=90),
    "GetParametersForImport": _plain(WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"),
    "ImportKeyMaterial": _import,
    "TagResource": _plain(Tags=[{"TagKey": "a", "TagValue": "b"}]),
    "UntagResource": _plain(TagKeys=["a"]),
    "UpdateKeyDescription": _plain(Description="new"),
    "ReplicateKey": _plain(ReplicaRegion="eu-central-1"),
    "UpdatePrimaryRegion": _plain(PrimaryRegion=REPLICA_REGION),
}
