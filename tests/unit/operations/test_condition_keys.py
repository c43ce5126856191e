"""Each condition key of each operation: the right value lets a request in, another keeps it out."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from kms_server.operations.registry import OPERATIONS
from tests.unit.operations import condition_scenes
from tests.unit.operations import query_service as query
from tests.unit.operations.condition_scenes import CONTEXT, ROWS, WITHOUT_CONDITIONS, Scene, by
from tests.unit.operations.condition_table import EXTENSIONS, KEYS, PAIRS, keys_of
from tests.unit.operations.record_requests import of_kms
from tests.unit.operations.service import ACCOUNT, REGION, Refusal, Service

DENIED = "AccessDeniedException"
Read = Callable[[Scene], Any]


class Value(NamedTuple):
    """What a scene's request says: the operator that reads it, its value and another one."""

    operator: str
    right: Read
    wrong: object = "other"


def _member(name: str, default: object = None) -> Read:
    return lambda scene: scene.members.get(name, default)


def _property(name: str, default: object = None) -> Read:
    return lambda scene: scene.key.get(name, default)


TEXT, SOME, ALL, NUMBER, BOOL = (
    "StringEquals", "ForAnyValue:StringEquals", "ForAllValues:StringEquals", "NumericEquals", "Bool",
)  # fmt: skip
SPEC = Value(TEXT, _property("KeySpec", "SYMMETRIC_DEFAULT"))
USAGE = Value(TEXT, _property("KeyUsage", "ENCRYPT_DECRYPT"))
TRUE = Value(BOOL, lambda _: "true", "false")
VALUES: Mapping[str, Value] = {
    "kms:BypassPolicyLockoutSafetyCheck": Value(
        BOOL, lambda scene: str(scene.operation == "PutKeyPolicy").lower(), "maybe"
    ),
    "kms:CallerAccount": Value(TEXT, lambda _: ACCOUNT, "111122223333"),
    "kms:CustomerMasterKeySpec": SPEC,
    "kms:CustomerMasterKeyUsage": USAGE,
    "kms:DataKeyPairSpec": Value(TEXT, _member("KeyPairSpec")),
    "kms:EncryptionAlgorithm": Value(TEXT, lambda _: "SYMMETRIC_DEFAULT"),
    "kms:EncryptionContext:": Value(TEXT, lambda _: CONTEXT["Purpose"], "test"),
    "kms:EncryptionContextKeys": Value(SOME, lambda _: list(CONTEXT), "purpose"),
    "kms:ExpirationModel": Value(TEXT, _member("ExpirationModel")),
    "kms:GrantConstraintType": Value(
        TEXT,
        lambda scene: "EncryptionContext" + ("Subset" if scene.operation == "RetireGrant" else "Equals"),
    ),
    "kms:GrantConstraintSourceArn": Value("ArnEquals", lambda _: f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"),
    "kms:GrantIsForAWSResource": TRUE,
    "kms:GrantOperations": Value(ALL, lambda _: ["Encrypt", "Decrypt", "Sign"], ["Encrypt"]),
    "kms:GranteePrincipal": Value(TEXT, _member("GranteePrincipal")),
    "kms:GranteeServicePrincipal": Value(TEXT, _member("GranteeServicePrincipal")),
    "kms:RetiringPrincipal": Value(TEXT, _member("RetiringPrincipal")),
    "kms:RetiringServicePrincipal": Value(TEXT, _member("RetiringServicePrincipal")),
    "kms:KeyAgreementAlgorithm": Value(TEXT, lambda _: "ECDH"),
    "kms:KeyOrigin": Value(TEXT, _property("Origin", "AWS_KMS")),
    "kms:KeySpec": SPEC,
    "kms:KeyUsage": USAGE,
    "kms:MultiRegion": TRUE,
    "kms:MultiRegionKeyType": Value(TEXT, lambda _: "PRIMARY", "REPLICA"),
    "kms:MacAlgorithm": Value(TEXT, _member("MacAlgorithm")),
    "kms:MessageType": Value(TEXT, lambda _: "RAW", "DIGEST"),
    "kms:PolicyName": Value(TEXT, lambda _: "default"),
    "kms:PrimaryRegion": Value(TEXT, _member("PrimaryRegion")),
    "kms:ReplicaRegion": Value(TEXT, _member("ReplicaRegion")),
    "kms:ReEncryptOnSameKey": Value(BOOL, lambda _: "false", "true"),
    "kms:RequestAlias": Value(TEXT, lambda scene: scene.alias),
    "kms:ResourceAliases": Value(SOME, lambda scene: ["alias/x", scene.alias]),
    "kms:RotationPeriodInDays": Value(NUMBER, _member("RotationPeriodInDays"), 1),
    "kms:ScheduleKeyDeletionPendingWindowInDays": Value(NUMBER, _member("PendingWindowInDays"), 30),
    "kms:SigningAlgorithm": Value(TEXT, _member("SigningAlgorithm")),
    "kms:TrailingDaysWithoutKeyUsage": Value(NUMBER, lambda _: 0, 1),
    "kms:ValidTo": Value(NUMBER, _member("ValidTo"), 1),
    "kms:ViaService": Value(TEXT, lambda _: f"s3.{REGION}.amazonaws.com", f"sqs.{REGION}.amazonaws.com"),
    "kms:WrappingAlgorithm": Value(TEXT, _member("WrappingAlgorithm")),
    "kms:WrappingKeySpec": Value(TEXT, _member("WrappingKeySpec")),
    "aws:ResourceTag/": Value(TEXT, lambda _: "blue", "Blue"),
    "aws:RequestTag/": Value(TEXT, lambda _: "blue", "Blue"),
    "aws:TagKeys": Value(ALL, lambda _: ["Team"], "team"),
}
# In the words of a policy; the case of such names does not matter.
NAMES = {
    "kms:EncryptionContext:": "kms:encryptionContext:PURPOSE",
    "aws:ResourceTag/": "aws:ResourceTag/tEAM",
    "aws:RequestTag/": "aws:requestTag/team",
}
TO_PRINCIPALS = {"kms:GranteePrincipal", "kms:RetiringPrincipal"}
TO_SERVICES = {"kms:GranteeServicePrincipal", "kms:RetiringServicePrincipal"}


def present(row: str) -> list[str]:
    """The keys that have a value in the scene of a row."""
    absent = TO_PRINCIPALS if row == "CreateGrant for a service" else TO_SERVICES
    return sorted(keys_of(row.partition(" ")[0]) - absent)


def covers(key: str, direction: str) -> pytest.MarkDecorator:
    """The mark of a test that shows a key."""
    section = "global condition keys" if key.startswith("aws:") else "condition keys of AWS KMS"
    return pytest.mark.covers(f"{section}: {key.rstrip(':/')}", direction)


def condition(key: str, scene: Scene, value: object = None) -> dict[str, dict[str, Any]]:
    """The condition that a key has a value, by default the right one."""
    known = VALUES[key]
    return {known.operator: {NAMES.get(key, key): known.right(scene) if value is None else value}}


@pytest.fixture(scope="module")
def scene(service: Service) -> Callable[[str], Scene]:
    return cache(lambda row: condition_scenes.make(service, row))


def test_the_operations_declare_what_aws_documents() -> None:
    declared = {(one.name, key) for one in OPERATIONS if one.service == "kms" for key in one.conditions}
    assert declared == PAIRS | EXTENSIONS


def test_the_scenes_have_every_operation_and_every_key() -> None:
    assert {row.partition(" ")[0] for row in ROWS} | WITHOUT_CONDITIONS == {
        one.name for one in OPERATIONS if one.service == "kms"
    }
    assert set(VALUES) == KEYS
    assert {(row.partition(" ")[0], key) for row in ROWS for key in present(row)} == PAIRS | EXTENSIONS


@pytest.mark.parametrize(
    ("row", "key"),
    [
        pytest.param(
            row, key, marks=covers(key, "denied"), id=f"{row.replace(' ', '-')}-{key}",
        )
        for row in ROWS
        for key in present(row)
    ],
)  # fmt: skip
def test_another_value_keeps_a_request_out(scene: Callable[[str], Scene], row: str, key: str) -> None:
    made = scene(row)
    conditions = [condition(one, made) for one in present(row) if one != key]
    for keeps_out in (condition(key, made, VALUES[key].wrong), {"Null": {NAMES.get(key, key): "true"}}):
        answer = made.call([*conditions, keeps_out])
        assert isinstance(answer, Refusal)
        assert answer.code == DENIED


@pytest.mark.parametrize(
    "row", [pytest.param(row, marks=[covers(key, "allowed") for key in present(row)]) for row in ROWS]
)
def test_the_right_values_let_it_in_and_no_other_key_is_there(service: Service, row: str) -> None:
    made = condition_scenes.make(service, row)
    others = {NAMES.get(key, key): "true" for key in KEYS - set(present(row))}
    answer = made.call([{"Null": others}, *(condition(key, made) for key in present(row))])
    assert not isinstance(answer, Refusal) or answer.code != DENIED


@pytest.mark.parametrize("operation", sorted(WITHOUT_CONDITIONS))
def test_an_operation_without_condition_keys(service: Service, operation: str) -> None:
    nothing = {"Null": {NAMES.get(key, key): "true" for key in KEYS}}
    allow = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": nothing}
    service.ok(operation, change=by(allow), **of_kms(service, operation))


@pytest.mark.parametrize(
    ("constraints", "allowed"),
    [
        ({}, False),
        ({"EncryptionContextSubset": {}}, False),
        ({"EncryptionContextSubset": {"a": "b"}}, True),
        ({"EncryptionContextEquals": {}}, True),
    ],
)
def test_only_what_binds_a_grant_is_a_constraint(
    service: Service, constraints: dict[str, Any], *, allowed: bool
) -> None:
    bound = query.allow("kms:CreateGrant", Condition={"Null": {"kms:GrantConstraintType": "false"}})
    _, by = query.user(service, uuid4().hex, bound)
    asked: Any = {"KeyId": service.key()["Arn"], "Operations": ["Decrypt"], "Constraints": constraints}
    told = service.call("CreateGrant", by=by, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:root", **asked)
    assert isinstance(told, dict) == allowed, told
