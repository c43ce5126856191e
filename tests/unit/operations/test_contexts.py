"""What condition keys say in particular: sides of ReEncrypt, aliases, tags, new keys, replicas, the lockout check."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kms_server.operations.call import Forwarded
from kms_server.quotas.table import ALIASES
from tests.unit.operations import condition_scenes
from tests.unit.operations.condition_scenes import TAGS, by
from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.service import ACCOUNT, REGION, REPLICA_REGION, Refusal, Service

DENIED = "AccessDeniedException"
DAY = 86_400
LOCKED_OUT = "The new key policy will not allow you to update the key policy in the future."


def allow(action: str, condition: dict[str, Any] | None = None, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition or {}}


def allowed(service: Service, operation: str, condition: dict[str, Any], /, **members: Any) -> bool:
    """Whether a user may make a call who has the permission for it under a condition alone."""
    answer = service.call(operation, change=by(allow(f"kms:{operation}*", condition)), **members)
    assert not isinstance(answer, Refusal) or answer.code == DENIED, answer
    return not isinstance(answer, Refusal)


def is_true(key: str, value: str = "true") -> dict[str, Any]:
    return {"Bool": {key: value}}


def test_each_side_of_re_encrypt_has_its_own_context(service: Service) -> None:
    source, target = service.key()["Arn"], service.key()["Arn"]
    here, there = {"Side": "source"}, {"Side": "target"}
    sealed = service.ok("Encrypt", KeyId=source, Plaintext=b"p", EncryptionContext=here)["CiphertextBlob"]
    asked = {
        "CiphertextBlob": sealed, "SourceEncryptionContext": here, "DestinationKeyId": target,
        "DestinationEncryptionContext": there,
    }  # fmt: skip
    key = "kms:EncryptionContext:Side"
    right = [
        allow("kms:ReEncryptFrom", {"StringEquals": {key: "source"}}),
        allow("kms:ReEncryptTo", {"StringEquals": {key: "target"}}),
    ]
    wrong = [
        allow("kms:ReEncryptFrom", {"StringEquals": {key: "target"}}),
        allow("kms:ReEncryptTo", {"StringEquals": {key: "source"}}),
    ]
    service.ok("ReEncrypt", change=by(*right), **asked)
    for statements in ((right[0], wrong[1]), (wrong[0], right[1])):
        assert service.refused("ReEncrypt", change=by(*statements), **asked).code == DENIED


def test_re_encrypt_on_the_same_key(service: Service) -> None:
    arn, other = service.key()["Arn"], service.key()["Arn"]
    alias = f"alias/{arn[-12:]}"
    service.ok("CreateAlias", AliasName=alias, TargetKeyId=arn)
    sealed = service.ok("Encrypt", KeyId=arn, Plaintext=b"p")["CiphertextBlob"]
    same = is_true("kms:ReEncryptOnSameKey")
    for identifier, expected in ((arn, True), (alias, True), (other, False)):
        asked = {"CiphertextBlob": sealed, "DestinationKeyId": identifier}
        assert allowed(service, "ReEncrypt", same, **asked) is expected
        assert allowed(service, "ReEncrypt", is_true("kms:ReEncryptOnSameKey", "false"), **asked) != expected


def test_re_encrypt_on_the_same_rsa_key(service: Service, keys: Keys) -> None:
    arn = keys.arn("rsa")
    oaep = "RSAES_OAEP_SHA_256"
    sealed = service.ok("Encrypt", KeyId=arn, Plaintext=b"p", EncryptionAlgorithm=oaep)["CiphertextBlob"]
    asked = {
        "CiphertextBlob": sealed, "SourceKeyId": arn, "SourceEncryptionAlgorithm": oaep, "DestinationKeyId": arn,
        "DestinationEncryptionAlgorithm": oaep,
    }  # fmt: skip
    condition = is_true("kms:ReEncryptOnSameKey") | {"StringEquals": {"kms:EncryptionAlgorithm": oaep}}
    assert allowed(service, "ReEncrypt", condition, **asked)


def test_an_algorithm_of_each_side(service: Service, keys: Keys) -> None:
    sealed = service.ok("Encrypt", KeyId=keys.arn("symmetric"), Plaintext=b"p")["CiphertextBlob"]
    oaep = "RSAES_OAEP_SHA_1"
    statements = [
        allow("kms:ReEncryptFrom", {"StringEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}),
        allow("kms:ReEncryptTo", {"StringEquals": {"kms:EncryptionAlgorithm": oaep}}),
    ]
    asked = {
        "CiphertextBlob": sealed,
        "DestinationKeyId": keys.arn("rsa"),
        "DestinationEncryptionAlgorithm": oaep,
    }
    service.ok("ReEncrypt", change=by(*statements), **asked)


def test_the_alias_in_a_request(service: Service) -> None:
    arn = service.key()["Arn"]
    name = f"alias/by-{arn[-12:]}"
    service.ok("CreateAlias", AliasName=name, TargetKeyId=arn)
    condition = {"StringEquals": {"kms:RequestAlias": name}}
    alias_arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:{name}"
    for identifier, expected in ((name, True), (alias_arn, True), (arn, False), (arn[-36:], False)):
        assert allowed(service, "DescribeKey", condition, KeyId=identifier) is expected


def test_aliases_of_a_key_count_at_once(service: Service) -> None:
    arn, other = service.key()["Arn"], service.key()["Arn"]
    name = f"alias/of-{arn[-12:]}"
    condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": name}}

    def usable() -> list[bool]:
        return [allowed(service, "Encrypt", condition, KeyId=one, Plaintext=b"p") for one in (arn, other)]

    assert usable() == [False, False]
    service.ok("CreateAlias", AliasName=name, TargetKeyId=arn)
    assert usable() == [True, False]
    service.ok("UpdateAlias", AliasName=name, TargetKeyId=other)
    assert usable() == [False, True]
    service.ok("DeleteAlias", AliasName=name)
    assert usable() == [False, False]


def test_tags_of_a_key_count_at_once(service: Service) -> None:
    arn = service.key(Tags=TAGS)["Arn"]
    condition = {"StringEquals": {"aws:ResourceTag/Team": "blue"}}

    def usable() -> bool:
        return allowed(service, "Encrypt", condition, KeyId=arn, Plaintext=b"p")

    assert usable()
    service.ok("TagResource", KeyId=arn, Tags=[{"TagKey": "Team", "TagValue": "red"}])
    assert not usable()
    service.ok("TagResource", KeyId=arn, Tags=TAGS)
    assert usable()
    service.ok("TagResource", KeyId=arn, Tags=[{"TagKey": "team", "TagValue": "blue"}])
    assert not usable()
    service.ok("UntagResource", KeyId=arn, TagKeys=["team", "Team"])
    assert not usable()


def test_replicas_have_tags_of_their_own(service: Service) -> None:
    key_id = service.key(MultiRegion=True, Tags=TAGS)["KeyId"]
    service.ok("ReplicateKey", KeyId=key_id, ReplicaRegion=REPLICA_REGION)
    condition = {
        "Null": {"aws:ResourceTag/Team": "true"},
        "StringEquals": {"kms:MultiRegionKeyType": "REPLICA"},
    }
    assert allowed(service, "DescribeKey", condition, KeyId=key_id, region=REPLICA_REGION)
    assert not allowed(service, "DescribeKey", condition, KeyId=key_id)


def test_a_single_region_key(service: Service, keys: Keys) -> None:
    condition = is_true("kms:MultiRegion", "false") | {"Null": {"kms:MultiRegionKeyType": "true"}}
    assert allowed(service, "DescribeKey", condition, KeyId=keys.arn("mac"))
    assert allowed(service, "CreateKey", condition)


def test_what_a_new_key_is_to_be(service: Service) -> None:
    condition = {
        "StringEquals": {
            "kms:KeySpec": "ECC_NIST_P256", "kms:CustomerMasterKeySpec": "ECC_NIST_P256",
            "kms:KeyUsage": "SIGN_VERIFY", "kms:CustomerMasterKeyUsage": "SIGN_VERIFY", "kms:KeyOrigin": "EXTERNAL",
        },
    }  # fmt: skip
    usage = {"KeyUsage": "SIGN_VERIFY", "Origin": "EXTERNAL"}
    assert allowed(service, "CreateKey", condition, KeySpec="ECC_NIST_P256", **usage)
    assert allowed(service, "CreateKey", condition, CustomerMasterKeySpec="ECC_NIST_P256", **usage)
    assert not allowed(service, "CreateKey", condition, KeySpec="ECC_NIST_P384", **usage)


@pytest.mark.parametrize("action", ["kms:CreateKey", "kms:TagResource"])
def test_a_tagged_key_needs_two_permissions_that_see_the_tags(service: Service, action: str) -> None:
    other = {"kms:CreateKey": "kms:TagResource", "kms:TagResource": "kms:CreateKey"}[action]
    condition = {
        "StringEquals": {"aws:RequestTag/team": "blue"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]},
    }
    change = by(allow(action, condition), allow(other))
    service.ok("CreateKey", change=change, Tags=TAGS)
    more = [*TAGS, {"TagKey": "More", "TagValue": ""}]
    for tags in (more, [{"TagKey": "Team", "TagValue": "red"}]):
        assert service.refused("CreateKey", change=change, Tags=tags).code == DENIED
    assert service.refused("CreateKey", change=by(allow(other)), Tags=TAGS).code == DENIED


def test_a_replica_is_created_in_its_own_region(service: Service) -> None:
    right = {
        "StringEquals": {
            "aws:RequestedRegion": REPLICA_REGION, "kms:MultiRegionKeyType": "REPLICA",
            "kms:KeySpec": "SYMMETRIC_DEFAULT", "aws:RequestTag/Team": "blue",
        },
        "Bool": {"kms:MultiRegion": "true", "kms:BypassPolicyLockoutSafetyCheck": "false"},
    }  # fmt: skip
    wrong = {"StringEquals": {"aws:RequestedRegion": REGION}}
    key_id = service.key(MultiRegion=True)["KeyId"]
    asked = {"KeyId": key_id, "ReplicaRegion": REPLICA_REGION, "Tags": TAGS}
    here = allow("kms:ReplicateKey", wrong)
    for creation, tagging in ((right, wrong), (wrong, right)):
        change = by(here, allow("kms:CreateKey", creation), allow("kms:TagResource", tagging))
        assert service.refused("ReplicateKey", change=change, **asked).code == DENIED
    change = by(here, allow("kms:CreateKey", right), allow("kms:TagResource", right))
    service.ok("ReplicateKey", change=change, **asked)


def policy(condition: dict[str, Any]) -> str:
    everybody = {
        "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": condition,
    }  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": everybody})


LATER = {
    "StringEquals": {
        "kms:CallerAccount": ACCOUNT, "aws:ResourceTag/Team": "blue", "kms:PolicyName": "default",
        "kms:KeySpec": "SYMMETRIC_DEFAULT", "aws:PrincipalType": "Account",
    }
}  # fmt: skip


def test_the_lockout_check_asks_for_the_later_call(service: Service) -> None:
    locked_out = ("MalformedPolicyDocumentException", LOCKED_OUT)
    assert service.refused("CreateKey", Policy=policy(LATER)) == locked_out
    arn = service.key(Policy=policy(LATER), Tags=TAGS)["Arn"]
    service.ok("PutKeyPolicy", KeyId=arn, Policy=policy(LATER))
    for condition in (
        {"StringEquals": {"aws:ResourceTag/Team": "red"}},
        {"Null": {"aws:RequestTag/Team": "false"}},
    ):
        assert service.refused("CreateKey", Tags=TAGS, Policy=policy(condition)) == locked_out
        assert service.refused("PutKeyPolicy", KeyId=arn, Policy=policy(condition)) == locked_out


def test_a_replica_has_the_lockout_check_of_its_own_tags(service: Service) -> None:
    asked = {"KeyId": service.key(MultiRegion=True)["KeyId"], "ReplicaRegion": REPLICA_REGION}
    refused = service.refused("ReplicateKey", Policy=policy(LATER), **asked)
    assert refused == ("MalformedPolicyDocumentException", LOCKED_OUT)
    service.ok("ReplicateKey", Policy=policy(LATER), Tags=TAGS, **asked)


def test_days_without_use(service: Service) -> None:
    arn = service.key()["Arn"]

    def for_days(days: int) -> bool:
        condition = {"NumericEquals": {"kms:TrailingDaysWithoutKeyUsage": days}}
        return allowed(service, "DisableKey", condition, KeyId=arn)

    service.advance(3 * DAY)
    assert not for_days(2)
    assert for_days(3)
    service.ok("EnableKey", KeyId=arn)
    sealed = service.ok("Encrypt", KeyId=arn, Plaintext=b"p")["CiphertextBlob"]
    service.advance(2 * DAY - 60)
    service.refused("Decrypt", CiphertextBlob=sealed, KeyId=arn, EncryptionContext={"a": "b"})
    assert for_days(1)


def test_periods_that_are_not_sent(service: Service) -> None:
    arn = service.key()["Arn"]
    period = {"NumericEquals": {"kms:RotationPeriodInDays": 365}}
    assert allowed(service, "EnableKeyRotation", period, KeyId=arn)
    service.ok("EnableKeyRotation", KeyId=arn, RotationPeriodInDays=100)
    assert not allowed(service, "EnableKeyRotation", period, KeyId=arn)
    window = {"NumericEquals": {"kms:ScheduleKeyDeletionPendingWindowInDays": 30}}
    assert allowed(service, "ScheduleKeyDeletion", window, KeyId=arn)


def test_calls_that_clients_make_themselves(service: Service, keys: Keys) -> None:
    arn = keys.arn("symmetric")
    direct = is_true("aws:ViaAWSService", "false") | {
        "Null": dict.fromkeys(
            [
                "kms:ViaService",
                "aws:CalledVia",
                "aws:SourceArn",
                "aws:SourceAccount",
                "kms:GranteeServicePrincipal",
            ],
            "true",
        )
    }
    assert allowed(service, "ListGrants", direct | is_true("kms:GrantIsForAWSResource", "false"), KeyId=arn)
    statement = allow("kms:ListGrants", direct)
    change = by(statement, forwarded=Forwarded("s3", REGION))
    assert service.refused("ListGrants", change=change, KeyId=arn).code == DENIED


def test_no_context_of_an_encryption_and_both_spellings(service: Service, keys: Keys) -> None:
    asked: Any = {"KeyId": keys.arn("symmetric"), "Plaintext": b"p"}
    none: dict[str, Any] = {"Null": {"kms:EncryptionContextKeys": "true"}}
    assert allowed(service, "Encrypt", none, **asked)
    assert not allowed(service, "Encrypt", none, **asked, EncryptionContext={"a": "b"})
    strict = {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["Owner"]}}
    assert allowed(service, "Encrypt", strict, **asked, EncryptionContext={"Owner": "b"})
    assert not allowed(service, "Encrypt", strict, **asked, EncryptionContext={"owner": "b"})
    with_colon = {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::b"}}
    assert allowed(
        service, "Encrypt", with_colon, **asked, EncryptionContext={"aws:s3:arn": "arn:aws:s3:::b"}
    )


def test_a_malformed_request_is_told_before_conditions_are_asked(service: Service, keys: Keys) -> None:
    change = by(allow("kms:*", {"StringEquals": {"kms:MacAlgorithm": "MD5"}}))
    asked: Any = {"KeyId": keys.arn("mac"), "Message": b"m"}
    refused = service.refused("GenerateMac", change=change, MacAlgorithm="MD5", **asked)
    assert refused.code == "ValidationException"
    refused = service.refused("GenerateMac", change=change, MacAlgorithm="HMAC_SHA_512", **asked)
    assert refused.code == DENIED


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[tuple[Service, str]]:
    """A service that has lowered its quota of aliases below what one key has."""
    wide = Service(tmp_path / "data")
    arn = wide.key()["Arn"]
    for name in ("alias/a", "alias/b"):
        wide.ok("CreateAlias", AliasName=name, TargetKeyId=arn)
    wide.limit(ALIASES, 1)
    yield wide, arn
    wide.close()


def test_who_depends_on_aliases_is_denied_a_key_with_too_many(narrow: tuple[Service, str]) -> None:
    service, arn = narrow
    asked: Any = {"KeyId": arn, "Plaintext": b"p"}
    named = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/a"}}
    unnamed = {"ForAllValues:StringNotEquals": {"kms:ResourceAliases": "alias/x"}}
    for condition in (named, unnamed):
        refused = service.refused("Encrypt", change=by(allow("kms:Encrypt", condition)), **asked)
        assert refused.code == DENIED
        assert refused.text.endswith(f"on resource: {arn} because it has more than 1 aliases")
    service.ok("Encrypt", change=by(allow("kms:Encrypt")), **asked)


def test_a_write_sees_what_it_has_done_itself(service: Service) -> None:
    scene = condition_scenes.make(service, "UntagResource")
    condition = {"StringEquals": {"aws:ResourceTag/Team": "blue"}}
    assert allowed(service, "UntagResource", condition, **scene.members)
    assert not allowed(service, "UntagResource", condition, **scene.members)
