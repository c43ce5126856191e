"""Requests to a bucket whose policy spans many resources: one policy, one caller, one action, and every resource."""

from collections.abc import Sequence
from random import Random
from typing import Any, TypeVar

from tests.unit.iam.naive import Asked, Caller, Document
from tests.unit.iam.policy_statements import CALLERS, STRANGER, THIRD
from tests.unit.iam.policy_values import HOME, odds

BUCKET = "arn:aws:s3:::pictures"
RESOURCES = [BUCKET, f"{BUCKET}/a", f"{BUCKET}/alice/a", f"{BUCKET}/bob/a", f"{BUCKET}/a*"]
ACTIONS = ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:PutBucketPolicy"]
UNDENIABLE = ("s3:PutBucketPolicy",)
NOBODY = Caller("", "")

_COVERED: list[Any] = [
    "*", BUCKET, f"{BUCKET}/*", f"{BUCKET}*", [BUCKET, f"{BUCKET}/*"], f"{BUCKET}/a", f"{BUCKET}/?lice/*",
    f"{BUCKET}/${{aws:username}}/*", f"{BUCKET}/a${{*}}", "arn:aws:s3:::paintings/*",
]  # fmt: skip
_ACTIONS: list[Any] = [
    "*",
    "s3:*",
    "s3:*Object",
    ["s3:GetObject", "s3:ListBucket"],
    "kms:*",
    "s3:*BucketPolicy",
]
_CONDITIONS: list[Any] = [
    {"Bool": {"aws:SecureTransport": "true"}},
    {"StringLike": {"s3:prefix": "home/*"}},
    {"Null": {"s3:x-amz-server-side-encryption": "true"}},
    {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
]
_VALUES: dict[str, list[list[str]]] = {
    "aws:SecureTransport": [["true"], ["true"], ["false"]],
    "s3:prefix": [[], ["home/alice"], ["other"]],
    "s3:x-amz-server-side-encryption": [[], ["aws:kms"], ["AES256"]],
}
T = TypeVar("T")


def asked_of(rng: Random) -> list[Asked]:
    """The same request about each resource of a bucket."""
    caller = rng.choice([*CALLERS, NOBODY])
    action = rng.choice(ACTIONS)
    context = {name: values for name, choices in _VALUES.items() if (values := rng.choice(choices))}
    if ":user/" in caller.arn:
        context["aws:username"] = ["alice"]
    policy = _document(rng, [_named(rng, caller, _statement(rng)) for _ in range(rng.randrange(1, 4))])
    identity = [_document(rng, _statements(rng)) for _ in range(rng.randrange(3))] if caller.account else []
    limited = bool(caller.account) and caller.arn != caller.root_arn and odds(rng, 6)
    boundary = _document(rng, _statements(rng)) if limited else None
    session = [_document(rng, _statements(rng))] if ":sts:" in caller.arn and odds(rng, 6) else None
    closed = odds(rng, 3)
    return [
        Asked(
            caller, action, arn, context, HOME, policy, [] if caller.arn == caller.root_arn else identity, boundary,
            session, shared=True, closed=closed, undeniable=UNDENIABLE,
        )
        for arn in _shuffled(rng, RESOURCES)
    ]  # fmt: skip


def _shuffled(rng: Random, values: Sequence[T]) -> list[T]:
    return rng.sample(values, len(values))


def _document(rng: Random, statements: list[dict[str, Any]]) -> Document:
    version = "2012-10-17" if odds(rng, 17) else "2008-10-17"
    return {"Version": version, "Statement": statements}


def _statements(rng: Random) -> list[dict[str, Any]]:
    return [_statement(rng) for _ in range(rng.randrange(1, 3))]


def _statement(rng: Random) -> dict[str, Any]:
    """A statement without principals."""
    covered = "NotResource" if odds(rng, 3) else "Resource"
    made = {
        "Effect": "Deny" if odds(rng, 4) else "Allow",
        "NotAction" if odds(rng, 2) else "Action": rng.choice(_ACTIONS),
        covered: rng.choice(_COVERED),
    }
    return made | ({"Condition": rng.choice(_CONDITIONS)} if odds(rng, 6) else {})


def _named(rng: Random, caller: Caller, statement: dict[str, Any]) -> dict[str, Any]:
    """A statement with principals."""
    own = [caller.arn, caller.root_arn, caller.role_arn, caller.unique_id] if caller.account else []
    names = [name for name in own if name] + [STRANGER, THIRD, "*"]
    if statement["Effect"] == "Deny" and odds(rng, 6):
        return statement | {"NotPrincipal": {"AWS": rng.sample(names, len(names) - 1)}}
    principal = rng.choice(["*", *({"AWS": name} for name in names), {"AWS": rng.sample(names, 2)}])
    return statement | {"Principal": principal}
