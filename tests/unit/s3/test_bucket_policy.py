"""What S3 says of a bucket policy, and how one is kept and shown."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kms_server.iam.policy import compile_bucket_policy
from kms_server.s3 import bucket_policy
from kms_server.s3.errors import MalformedPolicy
from kms_server.s3.public_access import is_public
from kms_server.storage import identities
from kms_server.storage.identities import Kind
from tests.unit.operations.service import ACCOUNT
from tests.unit.s3.world import AWAY, BUCKET, World

OBJECTS = f"{BUCKET}/*"
ALLOW: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": OBJECTS}
DENY = ALLOW | {"Effect": "Deny"}
SYNTAX = "Invalid policy syntax."
NOT_JSON = "Policies must be valid JSON and the first byte must be '{'"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


def without(*names: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in ALLOW.items() if name not in names} | more


def body(*statements: Any, **more: Any) -> bytes:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | more).encode()


def kept(world: World, text: bytes) -> str:
    with world.service.database.read() as connection:
        return bucket_policy.stored(connection, "pictures", text)


def error(world: World, text: bytes) -> MalformedPolicy:
    with pytest.raises(MalformedPolicy) as caught:
        kept(world, text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", NOT_JSON),
        (b" {}", NOT_JSON),
        (b"[]", NOT_JSON),
        (b"{", "This policy contains invalid Json"),
        (b"{} x", "This policy contains invalid Json"),
        (b'{"Statement": [], "Statement": []}', "This policy contains invalid Json"),
        (b"\xff{", NOT_JSON),
        (b'{"Id": "\xff"}', "This policy contains invalid Json"),
        (b"{" + b'"a":{' * 3_000 + b"}", "This policy contains invalid Json"),
        (b"{}", "Missing required field Statement"),
        (body(), "Could not parse the policy: Statement is empty!"),
        (body(Statement="x"), SYNTAX),
        (body(7), SYNTAX),
        (body(ALLOW, Version="2020-01-01"), "The policy must contain a valid version string"),
        (body(ALLOW, More="x"), "Unknown field More"),
        (body(ALLOW | {"Resources": "*"}), "Unknown field Resources"),
        (body(ALLOW | {"Sid": "a"}, DENY | {"Sid": "a"}), "Statement IDs (SID) in a single policy must be unique."),
        (body(ALLOW | {"Sid": 7}), SYNTAX),
        (body(without("Effect")), "Missing required field Effect"),
        (body(ALLOW | {"Effect": "allow"}), "Invalid effect: allow"),
        (body(without("Principal")), "Missing required field Principal"),
        (body(without("Action")), "Missing required field Action"),
        (body(without("Resource")), "Missing required field Resource"),
        (body(without("Principal", NotPrincipal="*")), "Allow with NotPrincipal is not allowed."),
        (body(ALLOW | {"Principal": "arn:aws:iam::111111111111:root"}), SYNTAX),
        (body(ALLOW | {"Principal": {}}), SYNTAX),
        (body(ALLOW | {"Principal": {"AWS": 7}}), SYNTAX),
        (body(ALLOW | {"Principal": {"AWS": "arn:aws:iam::111111111111:user/*"}}), SYNTAX),
        (body(ALLOW | {"Action": "s3:GetObjects"}), "Policy has invalid action"),
        (body(ALLOW | {"Action": "kms:Decrypt"}), "Policy has invalid action"),
        (body(ALLOW | {"Action": ["s3:GetObject", "s3:Nothing*"]}), "Policy has invalid action"),
        (body(ALLOW | {"Action": []}), SYNTAX),
        (body(ALLOW | {"Resource": "pictures/*"}), "Policy has invalid resource"),
        (body(ALLOW | {"Resource": "arn:aws:s3:::paintings/*"}), "Policy has invalid resource"),
        (body(ALLOW | {"Resource": [OBJECTS, "arn:aws:s3:::pictures2"]}), "Policy has invalid resource"),
        (body(ALLOW | {"Resource": "arn:aws:s3:us-east-1::pictures/*"}), "Policy has invalid resource"),
        (body(ALLOW | {"Resource": "arn:aws:s3:::${aws:username}/*"}), "Policy has invalid resource"),
        (body(ALLOW | {"Resource": 7}), SYNTAX),
        (body(ALLOW | {"Resource": BUCKET}), "Action does not apply to any resource(s) in statement"),
        (
            body(ALLOW | {"Action": ["s3:GetObject", "s3:ListBucket"]}),
            "Action does not apply to any resource(s) in statement",
        ),
        (body(ALLOW | {"Condition": {"StringEquals": {"s3:prefixes": "a"}}}), "Policy has an invalid condition key"),
        (body(ALLOW | {"Condition": {"StringEqual": {"s3:prefix": "a"}}}), SYNTAX),
        (body(ALLOW | {"Condition": "x"}), SYNTAX),
        (body(ALLOW, Id="x" * 20_480), "Policy exceeds the maximum allowed document size."),
        (body(ALLOW | {"Resource": f"{BUCKET}/\ud800"}), SYNTAX),
    ],
)  # fmt: skip
def test_what_is_malformed(world: World, text: bytes, message: str) -> None:
    assert error(world, text).message == message


@pytest.mark.parametrize(
    "statement",
    [
        ALLOW,
        ALLOW | {"Action": "*"},
        ALLOW | {"Action": "S3:getobject", "Resource": f"{BUCKET}*"},
        ALLOW | {"Action": "s3:*", "Resource": [BUCKET, OBJECTS]},
        ALLOW | {"Action": "s3:*", "Resource": BUCKET},
        ALLOW | {"Resource": "*"},
        ALLOW | {"Resource": "arn:aws:s3:::p*s/a"},
        ALLOW | {"Resource": f"{BUCKET}/${{aws:username}}/*"},
        ALLOW | {"Resource": f"{BUCKET}/日本/*"},
        without("Action", NotAction="s3:DeleteObject"),
        without("Resource", NotResource=f"{BUCKET}/secret"),
        without("Principal", NotPrincipal={"AWS": ACCOUNT}, Effect="Deny"),
        ALLOW | {"Principal": {"Service": "logging.s3.amazonaws.com"}},
        ALLOW
        | {"Condition": {"StringEquals": {"s3:ExistingObjectTag/a": "b", "aws:SourceAccount": ACCOUNT}}},
    ],
)
def test_what_is_taken(world: World, statement: dict[str, Any]) -> None:
    assert json.loads(kept(world, body(statement)))["Statement"] == [statement]
    compile_bucket_policy(kept(world, body(statement)))


def test_users_are_kept_by_their_unique_ids_and_shown_by_their_arns(world: World) -> None:
    ann = world.user("ann")
    text = body(ALLOW | {"Principal": {"AWS": [ann.arn, AWAY]}})
    stored = kept(world, text)
    assert ann.arn not in stored
    assert ann.unique_id in stored
    with world.service.database.read() as connection:
        assert json.loads(bucket_policy.shown(connection, stored)) == json.loads(text)
    with world.service.database.write() as tx:
        found = identities.get(tx.connection, ACCOUNT, Kind.USER, "ann")
        assert found is not None
        identities.remove(tx, found)
    with world.service.database.read() as connection:
        assert ann.unique_id in bucket_policy.shown(connection, stored)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("AWS", f"arn:aws:iam::{ACCOUNT}:user/nobody"),
        ("AWS", "999999999999"),
        ("AWS", "AIDAUNKNOWN"),
        ("Service", "nonsense"),
        ("CanonicalUser", "0" * 64),
        ("Federated", "cognito-identity.amazonaws.com"),
    ],
)
def test_principals_that_are_nobody(world: World, kind: str, name: str) -> None:
    found = error(world, body(ALLOW | {"Principal": {kind: name}}))
    assert found.message == "Invalid principal in policy"
    assert found.details == {"Detail": f'"{kind}" : "{name}"'}


def narrowed(operator: str, key: str, value: Any, **more: Any) -> dict[str, Any]:
    return ALLOW | {"Condition": {operator: {key: value}}} | more


@pytest.mark.parametrize(
    "statement",
    [
        ALLOW,
        ALLOW | {"Principal": {"AWS": "*"}},
        ALLOW | {"Principal": {"AWS": [ACCOUNT, "*"]}},
        narrowed("StringLike", "aws:SourceVpc", "vpc-*"),
        narrowed("StringEquals", "aws:userid", "${aws:username}"),
        narrowed("StringEquals", "aws:Referer", "me"),
        narrowed("StringNotEquals", "aws:SourceVpc", "vpc-1"),
        narrowed("StringEqualsIfExists", "aws:SourceVpc", "vpc-1"),
        narrowed("ForAllValues:StringEquals", "aws:SourceVpc", "vpc-1"),
        narrowed("Null", "aws:SourceVpc", "false"),
        narrowed("IpAddress", "aws:SourceIp", ["10.0.0.0/8", "0.0.0.0/1"]),
        narrowed("IpAddress", "aws:SourceIp", "::/0"),
        narrowed("NotIpAddress", "aws:SourceIp", "10.0.0.0/8"),
    ],
)
def test_what_is_public(statement: dict[str, Any]) -> None:
    assert is_public(compile_bucket_policy(body(ALLOW | {"Principal": {"AWS": ACCOUNT}}, statement).decode()))


@pytest.mark.parametrize(
    "statement",
    [
        DENY,
        ALLOW | {"Principal": {"AWS": AWAY}},
        ALLOW | {"Principal": {"Service": "s3.amazonaws.com"}},
        narrowed("StringEquals", "aws:PrincipalOrgID", "o-1"),
        narrowed("StringLike", "aws:SourceVpc", ["vpc-1", "vpc-2"]),
        narrowed("ForAnyValue:ArnEquals", "aws:SourceArn", "arn:aws:sns:us-east-1:111111111111:t"),
        narrowed("IpAddress", "AWS:SourceIp", ["192.0.2.0/24", "2001:db8::/32"]),
    ],
)
def test_what_is_not_public(statement: dict[str, Any]) -> None:
    assert not is_public(compile_bucket_policy(body(statement).decode()))
