"""Policies, principals and keys for the tests of iam."""

import json
from typing import Any

from kms_server.arn import user_arn
from kms_server.iam.authority import Authority
from kms_server.iam.key_policies import default_key_policy
from kms_server.iam.policy import compile_identity_policy, compile_key_policy
from kms_server.iam.principal import AttachedPolicy, Issuer, Principal, Session

A, B = "111111111111", "222222222222"
KEY_ARN = f"arn:aws:kms:us-east-1:{A}:key/k"
ALLOW_ALL = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
CONDITION = {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def attached(name: str, *statements: dict[str, Any]) -> AttachedPolicy:
    return AttachedPolicy(name, compile_identity_policy(document(*statements)))


def key(*statements: dict[str, Any]) -> Authority:
    policy = document(*statements) if statements else default_key_policy(A)
    return Authority(A, KEY_ARN, compile_key_policy(policy))


def user(account: str, *statements: dict[str, Any], boundary: AttachedPolicy | None = None) -> Principal:
    """The user mira, with one inline policy for each statement."""
    policies = tuple(attached(f"inline policy {place}", one) for place, one in enumerate(statements, 1))
    return Principal(
        "IAMUser", account, user_arn(account, "mira"), "AIDAMIRA", "AKIA", "mira", policies, boundary
    )


def session(*statements: dict[str, Any], limits: tuple[AttachedPolicy, ...] | None = None) -> Principal:
    """A session of the role batch, with one inline policy for each statement, limited by session policies."""
    policies = tuple(attached(f"inline policy {place}", one) for place, one in enumerate(statements, 1))
    issuer = Issuer("Role", "AROABATCH", f"arn:aws:iam::{A}:role/jobs/batch", A, "batch")
    return Principal(
        "AssumedRole", A, f"arn:aws:sts::{A}:assumed-role/batch/run", "AROABATCH:run", "ASIA", policies=policies,
        session=Session(1_700_000_000.0, issuer, limits),
    )  # fmt: skip


def root(account: str) -> Principal:
    return Principal.root(account, "AKIA")


def statement(
    principal: Any, effect: str = "Allow", action: Any = "kms:Encrypt", **more: Any
) -> dict[str, Any]:
    return {"Effect": effect, "Principal": {"AWS": principal}, "Action": action, "Resource": "*"} | more
