"""Grants: parties, operations, constraints and ids, with their texts."""

from typing import Any

import pytest

from kms_server import errors as e
from kms_server.keys import grants
from kms_server.keys.grants import Grant, Party
from tests.unit.keys.samples import ACCOUNT, KEY_ID, REGION, key

USER = f"arn:aws:iam::{ACCOUNT}:user/alice"
GRANTEE, SERVICE = Party(USER, False, "AIDA1"), Party("ec2.amazonaws.com", True, "ec2.amazonaws.com")
MANAGEMENT = {"DescribeKey", "CreateGrant", "RetireGrant"}
DATA_KEYS = {
    "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
}  # fmt: skip
ENCRYPTION = {"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"}
# AWS "Grant operations", by key spec and usage.
OPERATIONS: dict[tuple[str, str], set[str]] = {
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"): ENCRYPTION | DATA_KEYS,
    ("RSA_2048", "ENCRYPT_DECRYPT"): ENCRYPTION | {"GetPublicKey"},
    ("RSA_2048", "SIGN_VERIFY"): {"Sign", "Verify", "GetPublicKey"},
    ("ECC_NIST_P256", "KEY_AGREEMENT"): {"DeriveSharedSecret", "GetPublicKey"},
    ("HMAC_256", "GENERATE_VERIFY_MAC"): {"GenerateMac", "VerifyMac"},
    ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"): {"Encapsulate", "Decapsulate", "GetPublicKey"},
}
EVERY = sorted({"ListKeys", "", *MANAGEMENT, *(name for names in OPERATIONS.values() for name in names)})


@pytest.mark.covers("grants: operations", "denied")
@pytest.mark.parametrize(("spec", "usage"), OPERATIONS)
def test_operations_are_those_of_the_kind_of_key(spec: str, usage: str) -> None:
    granted = key(spec=spec, usage=usage)
    allowed = OPERATIONS[spec, usage] | MANAGEMENT
    assert grants.check_operations(granted, sorted(allowed) * 2) == tuple(sorted(allowed))
    wrong = [name for name in EVERY if name not in allowed]
    for refused_names in (wrong, wrong[:1]):
        with pytest.raises(e.ValidationException) as refused:
            grants.check_operations(granted, [*allowed, *refused_names])
        assert refused.value.message == (
            f"Grant operations [{', '.join(refused_names)}] are not supported for {granted.arn}: its key spec is {spec} "
            f"and its key usage {usage}."
        )


def test_a_grant_has_an_operation() -> None:
    with pytest.raises(e.ValidationException, match=r"^At least one operation must be specified\.$"):
        grants.check_operations(key(), [])


@pytest.mark.parametrize(
    "principal",
    [
        USER,
        f"arn:aws:iam::{ACCOUNT}:root",
        f"arn:aws:iam::{ACCOUNT}:role/a/b/c",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/name/session",
        f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
    ],
)
def test_principals(principal: str) -> None:
    assert grants.party(principal, None, "Grantee") == Party(principal, False, principal)


@pytest.mark.parametrize(
    "principal",
    [
        "", "alice", ACCOUNT, "*", f"arn:aws:iam::{ACCOUNT}:user", f"arn:aws:iam::{ACCOUNT}:user/", f"{USER}\n",
        f"arn:aws:iam::{ACCOUNT}:group/a", f"arn:aws:iam::{ACCOUNT[1:]}:root", f"arn:aws:iam:{REGION}:{ACCOUNT}:root",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/name", f"arn:aws-cn:iam::{ACCOUNT}:root", f"x{USER}",
    ],
)  # fmt: skip
def test_what_is_no_principal(principal: str) -> None:
    with pytest.raises(e.InvalidArnException) as refused:
        grants.party(principal, None, "Retiring")
    assert refused.value.message == f"ARN does not refer to a valid principal: {principal}"


def test_a_party_is_a_principal_or_a_service() -> None:
    assert grants.party(None, SERVICE.name, "Grantee") == SERVICE
    assert grants.party(None, None, "Grantee") is None
    for role in ("Grantee", "Retiring"):
        with pytest.raises(e.ValidationException) as refused:
            grants.party(USER, SERVICE.name, role)
        assert refused.value.message == (
            f"Only one of {role}Principal and {role}ServicePrincipal can be specified."
        )


NAMES = ("EncryptionContextEquals", "EncryptionContextSubset")


@pytest.mark.parametrize("name", NAMES)
def test_constraints_that_are_taken(name: str) -> None:
    for context in ({}, {"a": "x" * 384}, {str(n): "b" for n in range(8)}):
        grants.check_constraints(key(), {name: context}, GRANTEE, None)
    grants.check_constraints(key(spec="RSA_2048"), {}, GRANTEE, None)
    grants.check_constraints(key(spec="RSA_2048"), {"SourceArn": "arn"}, GRANTEE, None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("context", [{"a": "x" * 385}, {str(n): "b" for n in range(9)}])
def test_constraints_that_are_too_long(name: str, context: dict[str, str]) -> None:
    other = {one: {"a": "b"} for one in NAMES if one != name}
    with pytest.raises(e.ValidationException) as refused:
        grants.check_constraints(key(), other | {name: context}, GRANTEE, None)
    assert refused.value.message == (
        "An encryption context constraint has at most 8 pairs, each value at most 384 characters."
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spec", ["RSA_2048", "HMAC_256", "ECC_NIST_P256"])
def test_constraints_are_for_symmetric_keys(name: str, spec: str) -> None:
    with pytest.raises(e.ValidationException) as refused:
        grants.check_constraints(key(spec=spec), {name: {}}, GRANTEE, None)
    assert refused.value.message == (
        "Encryption context constraints are only supported for symmetric encryption keys."
    )


def test_a_grant_for_a_service_is_bound_to_a_source() -> None:
    grants.check_constraints(key(), {"SourceArn": "arn"}, SERVICE, GRANTEE)
    constraints: dict[str, Any]
    for constraints, retiring in (({}, GRANTEE), ({"SourceArn": "arn"}, None), ({}, None)):
        with pytest.raises(e.ValidationException) as refused:
            grants.check_constraints(key(), constraints, SERVICE, retiring)
        assert refused.value.message == (
            "A grant for a service principal requires a SourceArn constraint and a retiring principal."
        )


def test_ids() -> None:
    grants.check_id("0123456789abcdef" * 4)
    for wrong in ("", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 64 + "\n"):
        with pytest.raises(e.InvalidGrantIdException) as refused:
            grants.check_id(wrong)
        assert refused.value.message == f"Invalid grant id {wrong}"


def test_requests_for_a_named_grant_are_told_apart() -> None:
    asked = {"KeyId": "a", "Name": "b", "Operations": ["Encrypt"]}

    def digest(
        members: dict[str, Any], account: str = "1", grantee: Party = GRANTEE, retiring: Party | None = None
    ) -> str:
        return grants.request_digest(members, account, grantee, retiring)

    first = digest(asked)
    assert first == digest(dict(reversed(asked.items())) | {"DryRun": True, "GrantTokens": ["a"]})
    assert first == digest(asked | {"GranteePrincipal": f"{USER}-renamed"})
    others = [
        digest(asked, "2"), digest(asked | {"Operations": ["Decrypt"]}), digest(asked, retiring=GRANTEE),
        digest(asked, grantee=Party(USER, False, "AIDA2")), digest(asked, grantee=SERVICE),
    ]  # fmt: skip
    assert len({first, *others}) == len(others) + 1


def test_the_entry_of_a_list() -> None:
    plain = Grant("ab" * 32, KEY_ID, REGION, None, GRANTEE, None, ("Encrypt",), {}, ACCOUNT, 1.5, None)
    entry = {
        "KeyId": "key-arn", "GrantId": "ab" * 32, "Name": "", "CreationDate": 1.5,
        "IssuingAccount": f"arn:aws:iam::{ACCOUNT}:root", "Operations": ["Encrypt"], "GranteePrincipal": USER,
    }  # fmt: skip
    assert plain.entry("key-arn") == entry
    full = Grant(
        "ab" * 32, KEY_ID, REGION, "name", SERVICE, GRANTEE, ("Encrypt",), {"SourceArn": "a"}, ACCOUNT, 1.5, "digest"
    )  # fmt: skip
    del entry["GranteePrincipal"]
    assert full.entry("key-arn") == entry | {
        "Name": "name",
        "Constraints": {"SourceArn": "a"},
        "GranteeServicePrincipal": SERVICE.name,
        "RetiringPrincipal": USER,
    }
