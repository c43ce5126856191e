"""What AWS says when keys, aliases, tags, policies and grants cannot be made or changed, word for word."""

import json
from typing import Any
from uuid import uuid4

import pytest

from kms_server.keys.specs import KEY_SPECS
from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.service import ACCOUNT, REGION, REPLICA_REGION, Refusal, Service

PREFIX = (
    'Alias must start with the prefix "alias/". '
    "Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
)
SAME_USAGE = "The key usage of the current CMK and the new CMK must be the same."
VALIDATION, UNSUPPORTED = "ValidationException", "UnsupportedOperationException"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
HERE = f"arn:aws:kms:{REGION}:{ACCOUNT}"
USAGES = ("ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE")
INCOMPATIBLE = [
    (spec, usage) for spec in sorted(KEY_SPECS) for usage in USAGES
    if usage not in {
        "SYMMETRIC": {"ENCRYPT_DECRYPT"},
        "HMAC": {"GENERATE_VERIFY_MAC"},
        "RSA": {"ENCRYPT_DECRYPT", "SIGN_VERIFY"},
        "ML_DSA": {"SIGN_VERIFY"},
        "ML_KEM": {"ENCAPSULATE_DECAPSULATE"},
        "ECC_NIST_P": {"SIGN_VERIFY", "KEY_AGREEMENT"},
        "ECC_NIST_E": {"SIGN_VERIFY"},
        "ECC_SECG": {"SIGN_VERIFY"},
    }[next(name for name in ("SYMMETRIC", "HMAC", "RSA", "ML_DSA", "ML_KEM", "ECC_NIST_P", "ECC_NIST_E", "ECC_SECG")
           if spec.startswith(name))]
]  # fmt: skip
TAGS = [
    ([{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}], "Duplicate tag keys"),
    ([{"TagKey": f"{n}", "TagValue": ""} for n in range(51)], "Too many tags"),
    ([{"TagKey": "aws:a", "TagValue": ""}], "Tags beginning with aws: are reserved"),
    ([{"TagKey": "AwS:a", "TagValue": ""}], "Tags beginning with aws: are reserved"),
]


def policy(principal: Any = ROOT, **changes: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | changes]})


@pytest.mark.parametrize(("spec", "usage"), INCOMPATIBLE)
def test_a_usage_that_a_spec_has_not(service: Service, spec: str, usage: str) -> None:
    assert service.refused("CreateKey", KeySpec=spec, KeyUsage=usage) == (
        VALIDATION, f"KeyUsage {usage} is not compatible with KeySpec {spec}",
    )  # fmt: skip


@pytest.mark.parametrize("member", ["KeySpec", "CustomerMasterKeySpec"])
@pytest.mark.parametrize("spec", ["RSA_2048", "HMAC_256", "ECC_NIST_P256"])
def test_a_usage_is_told_but_for_symmetric_keys(service: Service, member: str, spec: str) -> None:
    assert service.refused("CreateKey", **{member: spec}) == (
        VALIDATION, "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
    )  # fmt: skip


def test_one_name_for_the_spec(service: Service) -> None:
    both = {"KeySpec": "SYMMETRIC_DEFAULT", "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT"}
    text = (
        "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
        "CustomerMasterKeySpec is deprecated."
    )
    assert service.refused("CreateKey", **both) == (VALIDATION, text)


@pytest.mark.parametrize(
    ("tags", "text"), TAGS, ids=["twice", "too-many", "reserved", "reserved-in-any-case"]
)
def test_tags_that_cannot_be(service: Service, keys: Keys, tags: list[dict[str, str]], text: str) -> None:
    refusal = Refusal("TagException", text)
    key, primary = keys.arn("symmetric"), keys.arn("primary")
    before = service.rows(key.rpartition("/")[2]), service.rows(primary.rpartition("/")[2])
    assert service.refused("CreateKey", Tags=tags) == refusal
    assert service.refused("TagResource", KeyId=key, Tags=tags) == refusal
    replica: Any = {"KeyId": primary, "ReplicaRegion": REPLICA_REGION, "Tags": tags}
    assert service.refused("ReplicateKey", **replica) == refusal
    assert before == (service.rows(key.rpartition("/")[2]), service.rows(primary.rpartition("/")[2]))


def test_reserved_tags_are_not_taken_away(service: Service, keys: Keys) -> None:
    refusal = Refusal("TagException", "Tags beginning with aws: are reserved")
    assert service.refused("UntagResource", KeyId=keys.arn("symmetric"), TagKeys=["a", "aws:b"]) == refusal


@pytest.mark.covers("key policies: lockout check", "denied")
@pytest.mark.parametrize(
    ("document", "text"),
    [
        (policy(f"arn:aws:iam::{ACCOUNT}:user/nobody"),
         "Policy contains a statement with one or more invalid principals."),
        (policy(Action="kms:Decrypt"),
         "The new key policy will not allow you to update the key policy in the future."),
        (policy("nobody"), "Policy contains a statement with one or more invalid principals."),
        (policy(f"arn:aws:iam::{ACCOUNT}:group/g"),
         "Policy contains a statement with one or more invalid principals."),
        ('{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}',
         "Policy contains a statement with one or more invalid principals."),
    ],
    ids=["nobody", "another-action", "no-arn", "group", "no-principal"],
)  # fmt: skip
def test_policies_that_cannot_be(service: Service, keys: Keys, document: str, text: str) -> None:
    refusal = Refusal("MalformedPolicyDocumentException", text)
    key, primary = keys.arn("symmetric"), keys.arn("primary")
    before = service.rows(key.rpartition("/")[2]), service.rows(primary.rpartition("/")[2])
    assert service.refused("CreateKey", Policy=document) == refusal
    assert service.refused("PutKeyPolicy", KeyId=key, Policy=document) == refusal
    replica: Any = {"KeyId": primary, "ReplicaRegion": REPLICA_REGION, "Policy": document}
    assert service.refused("ReplicateKey", **replica) == refusal
    assert before == (service.rows(key.rpartition("/")[2]), service.rows(primary.rpartition("/")[2]))


@pytest.mark.covers("key policies: lockout check", "allowed")
def test_the_lockout_check_can_be_bypassed(service: Service) -> None:
    locked = policy(service.user("keeper")[0])
    text = "The new key policy will not allow you to update the key policy in the future."
    assert service.refused("CreateKey", Policy=locked) == ("MalformedPolicyDocumentException", text)
    service.key(Policy=locked, BypassPolicyLockoutSafetyCheck=True)


@pytest.mark.covers("key policies: one policy", "allowed")
@pytest.mark.covers("key policies: one policy", "denied")
def test_there_is_one_policy_per_key(service: Service, keys: Keys) -> None:
    key, missing = keys.arn("symmetric"), Refusal("NotFoundException", "No such policy exists")
    assert service.refused("GetKeyPolicy", KeyId=key, PolicyName="other") == missing
    assert service.refused("GetKeyPolicy", KeyId=key, PolicyName="AWS_RAM") == missing
    assert service.refused("PutKeyPolicy", KeyId=key, PolicyName="other", Policy=policy()) == missing
    text = "The AWS_RAM policy can only be managed by the RAM service."
    asked = {"KeyId": key, "PolicyName": "AWS_RAM", "Policy": policy()}
    assert service.refused("PutKeyPolicy", **asked) == (VALIDATION, text)


@pytest.mark.parametrize("operation", ["CreateAlias", "UpdateAlias", "DeleteAlias"])
@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("name", VALIDATION, PREFIX),
        ("alias/a:b", VALIDATION, "alias/a:b contains invalid characters for an alias"),
        ("alias/aws", "NotAuthorizedException", ""),
        ("alias/aws/s3", "NotAuthorizedException", ""),
    ],
    ids=["no-prefix", "colon", "reserved", "predefined"],
)  # fmt: skip
def test_names_that_no_alias_has(
    service: Service, keys: Keys, operation: str, name: str, code: str, text: str
) -> None:
    target = {} if operation == "DeleteAlias" else {"TargetKeyId": keys.arn("symmetric")}
    assert service.refused(operation, AliasName=name, **target) == (code, text)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("CreateAlias", Refusal("InvalidAliasNameException", "alias/ is not a valid alias name")),
        ("UpdateAlias", Refusal("NotFoundException", f"Alias {HERE}:alias/ is not found.")),
        ("DeleteAlias", Refusal("NotFoundException", f"Alias {HERE}:alias/ is not found.")),
    ],
)
def test_an_alias_has_a_name(service: Service, keys: Keys, operation: str, expected: Refusal) -> None:
    target = {} if operation == "DeleteAlias" else {"TargetKeyId": keys.arn("symmetric")}
    assert service.refused(operation, AliasName="alias/", **target) == expected


def test_an_alias_is_made_once_and_moved_or_deleted_where_it_is(service: Service, keys: Keys) -> None:
    key, name = keys.arn("symmetric"), f"alias/{uuid4()}"
    missing = Refusal("NotFoundException", f"Alias {HERE}:{name} is not found.")
    assert service.refused("DeleteAlias", AliasName=name) == missing
    assert service.refused("UpdateAlias", AliasName=name, TargetKeyId=key) == missing
    service.ok("CreateAlias", AliasName=name, TargetKeyId=key)
    for target in (key, keys.arn("other")):
        assert service.refused("CreateAlias", AliasName=name, TargetKeyId=target) == (
            "AlreadyExistsException", f"An alias with the name {HERE}:{name} already exists",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "former", "usage"),
    [("mac", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC"), ("signing", "ENCRYPT_DECRYPT", "SIGN_VERIFY"),
     ("agreement", "ENCRYPT_DECRYPT", "KEY_AGREEMENT")],
)  # fmt: skip
def test_an_alias_keeps_its_usage(service: Service, keys: Keys, kind: str, former: str, usage: str) -> None:
    name = f"alias/{uuid4()}"
    service.ok("CreateAlias", AliasName=name, TargetKeyId=keys.arn("symmetric"))
    change = f"from a CMK with key usage {former} to a CMK with key usage {usage}"
    assert service.refused("UpdateAlias", AliasName=name, TargetKeyId=keys.arn(kind)) == (
        VALIDATION, f"Alias {name} cannot be changed {change}. {SAME_USAGE}",
    )  # fmt: skip


def test_an_alias_keeps_its_type_of_key(service: Service, keys: Keys) -> None:
    name, symmetric = f"alias/{uuid4()}", keys.arn("symmetric")
    service.ok("CreateAlias", AliasName=name, TargetKeyId=symmetric)
    code, text = service.refused("UpdateAlias", AliasName=name, TargetKeyId=keys.arn("rsa"))
    assert code == VALIDATION
    assert text.endswith("The key type of the current CMK and the new CMK must be the same.")
    service.ok("UpdateAlias", AliasName=name, TargetKeyId=keys.arn("external"))
    listed = service.ok("ListAliases", KeyId=keys.arn("external"))["Aliases"]
    assert name in [alias["AliasName"] for alias in listed]


@pytest.mark.parametrize("operation", ["ReplicateKey", "UpdatePrimaryRegion"])
def test_what_only_a_primary_can_do(service: Service, keys: Keys, operation: str) -> None:
    members = {"ReplicaRegion": "ap-south-1"} if operation == "ReplicateKey" else {"PrimaryRegion": REGION}
    single, primary = keys.arn("symmetric"), keys.new("primary")
    text = "is not a multi-region primary key."
    assert service.refused(operation, KeyId=single, **members) == (UNSUPPORTED, f"{single} {text}")
    service.ok("ReplicateKey", KeyId=primary, ReplicaRegion=REPLICA_REGION)
    replica = primary.replace(REGION, REPLICA_REGION)
    asked = {"KeyId": replica, **members}
    assert service.refused(operation, region=REPLICA_REGION, **asked) == (UNSUPPORTED, f"{replica} {text}")
