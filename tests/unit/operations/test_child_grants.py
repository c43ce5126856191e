"""Grants that a grant allows to make: never more than it allows itself."""

from typing import Any

import pytest

from tests.unit.operations import query_service as query
from tests.unit.operations.granting import ALLOWED, DENIED, Caller, encrypts, grant, tried, user
from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.service import Service

WIDE, NARROW = {"tenant": "7"}, {"tenant": "7", "app": "x"}


def makes(service: Service, caller: Caller, key: str, grantee: Caller, *operations: str, **more: Any) -> str:
    return tried(
        service, caller, "CreateGrant", KeyId=key, GranteePrincipal=grantee.arn, Operations=operations, **more
    )


@pytest.mark.covers("grants: child grants", "allowed")
@pytest.mark.covers("grants: child grants", "denied")
def test_a_child_has_a_part_of_the_operations(service: Service, keys: Keys) -> None:
    parent, child, arn = user(service), user(service), keys.new("symmetric")
    assert makes(service, parent, arn, child, "Encrypt") == DENIED
    grant(service, arn, parent.arn, "CreateGrant", "Encrypt", "Decrypt")
    for operations in (("Sign",), ("Encrypt", "GenerateDataKey"), ("DescribeKey",), ("RetireGrant",)):
        assert makes(service, parent, arn, child, *operations) == DENIED
    assert makes(service, parent, arn, child, "Encrypt", "CreateGrant") == ALLOWED
    assert encrypts(service, child, arn)
    assert makes(service, child, arn, user(service), "Encrypt") == ALLOWED
    assert makes(service, child, arn, user(service), "Decrypt") == DENIED
    assert makes(service, parent, keys.arn("symmetric"), child, "Encrypt") == DENIED


def test_any_of_several_grants_may_be_the_parent(service: Service, keys: Keys) -> None:
    parent, child, arn = user(service), user(service), keys.new("symmetric")
    grant(service, arn, parent.arn, "CreateGrant", "Encrypt")
    grant(service, arn, parent.arn, "CreateGrant", "Decrypt")
    assert makes(service, parent, arn, child, "Encrypt") == ALLOWED
    assert makes(service, parent, arn, child, "Decrypt") == ALLOWED
    assert makes(service, parent, arn, child, "Encrypt", "Decrypt") == DENIED


@pytest.mark.parametrize(
    ("limits", "child", "expected"),
    [
        ({"EncryptionContextSubset": WIDE}, {}, DENIED),
        ({"EncryptionContextSubset": WIDE}, {"EncryptionContextSubset": WIDE}, ALLOWED),
        ({"EncryptionContextSubset": WIDE}, {"EncryptionContextSubset": NARROW}, ALLOWED),
        ({"EncryptionContextSubset": WIDE}, {"EncryptionContextEquals": NARROW}, ALLOWED),
        ({"EncryptionContextSubset": NARROW}, {"EncryptionContextEquals": WIDE}, DENIED),
        ({"EncryptionContextSubset": NARROW}, {"EncryptionContextSubset": WIDE}, DENIED),
        ({"EncryptionContextEquals": WIDE}, {"EncryptionContextSubset": WIDE}, DENIED),
        ({"EncryptionContextEquals": WIDE}, {"EncryptionContextEquals": NARROW}, DENIED),
        ({"EncryptionContextEquals": WIDE}, {"EncryptionContextEquals": WIDE}, ALLOWED),
        ({"EncryptionContextEquals": WIDE}, {}, DENIED),
        ({}, {"EncryptionContextEquals": WIDE}, ALLOWED),
    ],
)
def test_a_child_is_as_bound_or_more(
    service: Service, keys: Keys, limits: dict[str, Any], child: dict[str, Any], expected: str
) -> None:
    parent, arn = user(service), keys.new("symmetric")
    grant(service, arn, parent.arn, "CreateGrant", "Encrypt", Constraints=limits)
    assert makes(service, parent, arn, user(service), "Encrypt", Constraints=child) == expected


def test_a_policy_sets_no_such_limit(service: Service, keys: Keys) -> None:
    """Who may make grants by a policy gives what they need not have themselves, with or without a grant beside it."""
    maker, child, arn = user(service, query.allow("kms:CreateGrant")), user(service), keys.new("symmetric")
    grant(service, arn, maker.arn, "CreateGrant", "Decrypt", Constraints={"EncryptionContextEquals": WIDE})
    assert not encrypts(service, maker, arn)
    assert makes(service, maker, arn, child, "Encrypt") == ALLOWED
    assert encrypts(service, child, arn)


def test_a_refused_child_leaves_nothing(service: Service, keys: Keys) -> None:
    parent, arn = user(service), keys.new("symmetric")
    made = grant(service, arn, parent.arn, "CreateGrant", "Encrypt")
    asked: Any = {"KeyId": arn, "GranteePrincipal": parent.arn, "Operations": ["Decrypt"]}
    refusal = service.unchanged("CreateGrant", by=parent.by, **asked)
    text = f"User: {parent.arn} is not authorized to perform: kms:CreateGrant on resource: {arn} "
    assert refusal == (DENIED, f"{text}because no identity-based policy allows the kms:CreateGrant action")
    service.ok("RevokeGrant", KeyId=arn, GrantId=made["GrantId"])
    assert makes(service, parent, arn, parent, "Encrypt") == DENIED


def test_a_child_outlives_its_parent(service: Service, keys: Keys) -> None:
    parent, child, arn = user(service), user(service), keys.new("symmetric")
    made = grant(service, arn, parent.arn, "CreateGrant", "Encrypt")
    assert makes(service, parent, arn, child, "Encrypt") == ALLOWED
    service.ok("RevokeGrant", KeyId=arn, GrantId=made["GrantId"])
    assert encrypts(service, child, arn)
