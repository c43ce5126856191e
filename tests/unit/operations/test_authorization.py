"""Operations that ask more than one question, and policies that change."""

import json
from typing import Any

import pytest
from botocore.credentials import Credentials

from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.query_service import Iam
from tests.unit.operations.service import ACCOUNT, REGION, Refusal, Service

DENIED = "AccessDeniedException"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def outcome(answer: dict[str, Any] | Refusal) -> str:
    return answer.code if isinstance(answer, Refusal) else "allowed"


@pytest.mark.covers("key policies: visibility", "allowed")
@pytest.mark.covers("key policies: visibility", "denied")
def test_a_changed_key_policy_holds_at_the_next_call(service: Service) -> None:
    arn, credentials = service.user("visible")
    key_id = service.key()["KeyId"]
    delegation = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    user = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:DescribeKey", "Resource": "*"}
    for statements, expected in (
        ([delegation], DENIED), ([delegation, user], "allowed"), ([delegation, user | {"Action": "kms:Encrypt"}], DENIED),
        ([delegation, user], "allowed"), ([delegation, user, user | {"Effect": "Deny"}], DENIED),
    ):  # fmt: skip
        service.ok("PutKeyPolicy", KeyId=key_id, Policy=json.dumps({"Statement": statements}))
        assert outcome(service.call("DescribeKey", by=credentials, KeyId=key_id)) == expected


def limited(service: Service, name: str, *allowed: tuple[str, str]) -> Credentials:
    """The credentials of a user who may do each action on one resource."""
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]
    iam = Iam(service)
    iam.ok("CreateUser", UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.ok("PutUserPolicy", UserName=name, PolicyName="p", PolicyDocument=document)
    key = iam.ok("CreateAccessKey", UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


@pytest.mark.covers("evaluation: alias calls", "allowed")
@pytest.mark.covers("evaluation: alias calls", "denied")
def test_an_alias_needs_permission_on_itself_and_on_its_key(service: Service, keys: Keys) -> None:
    arn = keys.new("symmetric")
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/both"
    target: dict[str, Any] = {"AliasName": "alias/both", "TargetKeyId": arn}
    for action, members in (
        ("CreateAlias", target), ("UpdateAlias", target), ("DeleteAlias", {"AliasName": "alias/both"}),
    ):  # fmt: skip
        of_alias, of_key = (f"kms:{action}", alias), (f"kms:{action}", arn)
        for name, allowed, expected in (
            ("alias", [of_alias], DENIED), ("key", [of_key], DENIED), ("both", [of_alias, of_key], "allowed"),
        ):  # fmt: skip
            by = limited(service, f"{action}-{name}", *allowed)
            assert outcome(service.call(action, by=by, **members)) == expected


@pytest.mark.covers("evaluation: ReEncrypt", "allowed")
@pytest.mark.covers("evaluation: ReEncrypt", "denied")
def test_re_encryption_needs_permission_on_both_keys(service: Service, keys: Keys) -> None:
    source, target = keys.new("symmetric"), keys.new("symmetric")
    sealed = service.ok("Encrypt", KeyId=source, Plaintext=b"p")["CiphertextBlob"]
    out_of, into = ("kms:ReEncryptFrom", source), ("kms:ReEncryptTo", target)
    swapped = [("kms:ReEncryptFrom", target), ("kms:ReEncryptTo", source)]
    for name, allowed, expected in (
        ("from", [out_of], DENIED), ("to", [into], DENIED), ("swapped", swapped, DENIED), ("both", [out_of, into], "allowed"),
    ):  # fmt: skip
        by = limited(service, f"ReEncrypt-{name}", *allowed)
        answer = service.call("ReEncrypt", by=by, CiphertextBlob=sealed, DestinationKeyId=target)
        assert outcome(answer) == expected
