"""Policies, principals and keys for the tests of iam."""

import json
from typing import Any

from kms_server.iam.evaluate import KeyAuthority
from kms_server.iam.policy import compile_identity_policy, compile_key_policy, default_key_policy
from kms_server.iam.principal import Principal

A, B = "111111111111", "222222222222"
KEY_ARN = f"arn:aws:kms:us-east-1:{A}:key/k"
ALLOW_ALL = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
CONDITION = {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def key(*statements: dict[str, Any]) -> KeyAuthority:
    policy = document(*statements) if statements else default_key_policy(A)
    return KeyAuthority(A, KEY_ARN, compile_key_policy(policy))


def user(account: str, *statements: dict[str, Any], name: str = "mira") -> Principal:
    policies = tuple(compile_identity_policy(document(one)) for one in statements)
    return Principal.user(account, name, "AIDA", "AKIA", policies)


def user_arn(account: str, name: str = "mira") -> str:
    return f"arn:aws:iam::{account}:user/{name}"


def root(account: str) -> Principal:
    return Principal.root(account, "AKIA")


def statement(
    principal: Any, effect: str = "Allow", action: Any = "kms:Encrypt", **more: Any
) -> dict[str, Any]:
    return {"Effect": effect, "Principal": {"AWS": principal}, "Action": action, "Resource": "*"} | more


def deny_all_but(*principals: str) -> dict[str, Any]:
    return {"Effect": "Deny", "NotPrincipal": {"AWS": list(principals)}, "Action": "*", "Resource": "*"}
