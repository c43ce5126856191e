"""Decisions by key policy and identity policies."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.errors import LimitExceededException, MalformedPolicyDocumentException
from kms_server.iam.denial import denied
from kms_server.iam.evaluate import KeyAuthority, Reason, authorize
from kms_server.iam.policy import compile_identity_policy, compile_key_policy, default_key_policy, pretty
from kms_server.iam.principal import Principal

A, B = "111111111111", "222222222222"
ARN = f"arn:aws:kms:us-east-1:{A}:key/k"
ALLOW_ALL = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def key(*statements: dict[str, Any]) -> KeyAuthority:
    policy = document(*statements) if statements else default_key_policy(A)
    return KeyAuthority(A, ARN, compile_key_policy(policy))


def user(account: str, *statements: dict[str, Any]) -> Principal:
    policies = (compile_identity_policy(document(*statements)),) if statements else ()
    return Principal.user(account, "mira", "AIDA", "AKIA", policies)


def root(account: str) -> Principal:
    return Principal.root(account, "AKIA")


def grant(principal: str, effect: str = "Allow", action: str = "kms:Encrypt", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": {"AWS": principal}, "Action": action, "Resource": "*"} | more


CONDITION: dict[str, Any] = {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}
CASES = [
    (root(A), key(), True, Reason.KEY_POLICY),
    (user(A), key(), False, Reason.NO_IDENTITY),
    (user(A, ALLOW_ALL), key(), True, Reason.DELEGATED),
    (user(A, ALLOW_ALL | {"Action": "kms:Enc*"}), key(), True, Reason.DELEGATED),
    (user(A, ALLOW_ALL | {"Action": "KMS:ENCRYPT"}), key(), True, Reason.DELEGATED),
    (user(A, ALLOW_ALL | {"Resource": ARN}), key(), True, Reason.DELEGATED),
    (user(A, ALLOW_ALL | {"Resource": ARN + "x"}), key(), False, Reason.NO_IDENTITY),
    (user(A, ALLOW_ALL | CONDITION), key(), False, Reason.NO_IDENTITY),
    (user(A, ALLOW_ALL, ALLOW_ALL | {"Effect": "Deny"}), key(), False, Reason.DENIED_BY_IDENTITY),
    (user(A, ALLOW_ALL, ALLOW_ALL | {"Effect": "Deny"} | CONDITION), key(), False, Reason.DENIED_BY_IDENTITY),
    (user(A, ALLOW_ALL), key(grant(f"arn:aws:iam::{A}:user/other")), False, Reason.NO_KEY_POLICY),
    (user(A), key(grant(f"arn:aws:iam::{A}:user/mira")), True, Reason.KEY_POLICY),
    (user(A), key(grant("*")), True, Reason.KEY_POLICY),
    (user(A), key(grant("*", **CONDITION)), False, Reason.NO_KEY_POLICY),
    (user(A), key(grant("*"), grant("*", "Deny")), False, Reason.DENIED_BY_KEY_POLICY),
    (root(A), key(grant(A), grant("*", "Deny", **CONDITION)), False, Reason.DENIED_BY_KEY_POLICY),
    (root(A), key(grant(A, action="kms:Decrypt")), False, Reason.NO_KEY_POLICY),
    (root(B), key(), False, Reason.NO_KEY_POLICY),
    (root(B), key(grant(B)), True, Reason.DELEGATED),
    (user(B), key(grant(B)), False, Reason.NO_IDENTITY),
    (user(B), key(grant("*")), False, Reason.NO_IDENTITY),
    (user(B, ALLOW_ALL), key(grant(B)), True, Reason.DELEGATED),
    (user(B, ALLOW_ALL), key(grant(f"arn:aws:iam::{B}:user/mira")), True, Reason.DELEGATED),
]


@pytest.mark.parametrize(("principal", "authority", "allowed", "reason"), CASES)
def test_decisions(principal: Principal, authority: KeyAuthority, allowed: bool, reason: Reason) -> None:
    decision = authorize(principal, "kms:Encrypt", key=authority, resource_arn=ARN)
    assert (decision.allowed, decision.reason) == (allowed, reason)


def test_without_a_key_identity_decides() -> None:
    assert authorize(root(A), "kms:CreateKey", key=None, resource_arn="*").allowed
    assert not authorize(user(A), "kms:CreateKey", key=None, resource_arn="*").allowed
    inverted = {"Effect": "Allow", "NotAction": "kms:CreateKey", "Resource": "*"}
    assert not authorize(user(A, inverted), "kms:CreateKey", key=None, resource_arn="*").allowed
    assert authorize(user(A, inverted), "kms:ListKeys", key=None, resource_arn="*").allowed


STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Principal": st.sampled_from(["*", {"AWS": A}, {"AWS": B}, {"AWS": f"arn:aws:iam::{A}:user/mira"}]),
        "Action": st.sampled_from(["*", "kms:*", "kms:Encrypt", "kms:Decrypt", "kms:E*", "s3:*"]),
        "Resource": st.sampled_from(["*", ARN, "arn:aws:kms:*", "other"]),
    }
)


@given(st.lists(STATEMENTS, min_size=1, max_size=5))
def test_deny_wins_and_nothing_is_allowed_by_accident(statements: list[dict[str, Any]]) -> None:
    decision = authorize(user(A), "kms:Encrypt", key=key(*statements), resource_arn=ARN)
    covering = [
        one
        for one in statements
        if one["Action"] in ("*", "kms:*", "kms:Encrypt", "kms:E*")
        and one["Resource"] in ("*", ARN, "arn:aws:kms:*")
        and one["Principal"] != {"AWS": B}
    ]
    direct = [one for one in covering if one["Effect"] == "Allow" and one["Principal"] != {"AWS": A}]
    denies = any(one["Effect"] == "Deny" for one in covering)
    assert decision.allowed == (bool(direct) and not denies)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"Statement":[]}', '{"Statement":{"Effect":"allow"}}', '{"Version":"2020-01-01","Statement":[]}',
        document({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}),
        document(grant("arn:aws:iam::1:root")), document(grant("nobody")), document(grant(A) | {"Extra": 1}),
        document(grant(A) | {"NotAction": "x"}), '{"Statement":[],"Statement":[]}', "[" * 30_000,
    ],
)  # fmt: skip
def test_malformed_key_policies(text: str) -> None:
    with pytest.raises(MalformedPolicyDocumentException):
        compile_key_policy(text)


def test_a_policy_has_a_size() -> None:
    with pytest.raises(LimitExceededException):
        compile_key_policy(default_key_policy(A) + " " * 32_768)


def test_denials_say_why() -> None:
    decision = authorize(user(A), "kms:Encrypt", key=key(), resource_arn=ARN)
    assert denied(user(A), "kms:Encrypt", ARN, decision).message == (
        f"User: arn:aws:iam::{A}:user/mira is not authorized to perform: kms:Encrypt on resource: {ARN} "
        "because no identity-based policy allows the kms:Encrypt action"
    )


def test_policies_are_printed_as_aws_prints_them() -> None:
    assert pretty(default_key_policy(A)).startswith(
        '{\n  "Version" : "2012-10-17",\n  "Id" : "key-default-1",'
    )
