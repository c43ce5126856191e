"""Decisions by key policy and identity policies."""

from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kms_server.iam.evaluate import KeyAuthority, Reason, authorize, may_change_policy
from kms_server.iam.principal import Principal
from tests.unit.iam.policy_documents import (
    ALLOW_ALL,
    CONDITION,
    KEY_ARN,
    A,
    B,
    deny_all_but,
    key,
    root,
    statement,
    user,
    user_arn,
)

DENY_ALL = ALLOW_ALL | {"Effect": "Deny"}
CASES = [
    (root(A), key(), True, Reason.KEY_POLICY),
    (user(A), key(), False, Reason.NO_IDENTITY),
    (user(A, ALLOW_ALL), key(), True, Reason.DELEGATED),
    (user(A, ALLOW_ALL | {"Action": "kms:Enc*"}), key(), True, Reason.DELEGATED),
    (user(A, ALLOW_ALL | {"Action": "KMS:ENCRYPT"}), key(), True, Reason.DELEGATED),
    (user(A, ALLOW_ALL | {"Resource": KEY_ARN}), key(), True, Reason.DELEGATED),
    (user(A, ALLOW_ALL | {"Resource": KEY_ARN + "x"}), key(), False, Reason.NO_IDENTITY),
    (user(A, ALLOW_ALL | CONDITION), key(), False, Reason.NO_IDENTITY),
    (user(A, ALLOW_ALL, DENY_ALL), key(), False, Reason.DENIED_BY_IDENTITY),
    (user(A, ALLOW_ALL, DENY_ALL | CONDITION), key(), False, Reason.DENIED_BY_IDENTITY),
    (user(A, DENY_ALL), key(statement(user_arn(A))), False, Reason.DENIED_BY_IDENTITY),
    (user(A, ALLOW_ALL), key(statement(user_arn(A, "other"))), False, Reason.NO_KEY_POLICY),
    (user(A, ALLOW_ALL), key({"Effect": "Allow", "Principal": "*"}), False, Reason.NO_KEY_POLICY),
    (user(A), key(statement(user_arn(A))), True, Reason.KEY_POLICY),
    (user(A), key(statement(A), statement(user_arn(A))), True, Reason.KEY_POLICY),
    (user(A), key(statement("*")), True, Reason.KEY_POLICY),
    (user(A), key(statement("*") | CONDITION), False, Reason.NO_KEY_POLICY),
    (user(A), key(statement("*"), statement("*", "Deny")), False, Reason.DENIED_BY_KEY_POLICY),
    (user(A), key(statement("*"), statement(A, "Deny")), False, Reason.DENIED_BY_KEY_POLICY),
    (root(A), key(statement(A), statement("*", "Deny") | CONDITION), False, Reason.DENIED_BY_KEY_POLICY),
    (root(A), key(statement(A, action="kms:Decrypt")), False, Reason.NO_KEY_POLICY),
    (user(A), key(statement("*"), deny_all_but(user_arn(A), A)), True, Reason.KEY_POLICY),
    (user(A), key(statement("*"), deny_all_but(user_arn(A))), False, Reason.DENIED_BY_KEY_POLICY),
    (user(A), key(statement("*"), deny_all_but(A)), False, Reason.DENIED_BY_KEY_POLICY),
    (user(A), key(statement("*"), deny_all_but(user_arn(A, "bob"), A)), False, Reason.DENIED_BY_KEY_POLICY),
    (root(A), key(statement("*"), deny_all_but(A)), True, Reason.KEY_POLICY),
    (root(B), key(), False, Reason.NO_KEY_POLICY),
    (root(B), key(statement(B)), True, Reason.DELEGATED),
    (user(B), key(statement(B)), False, Reason.NO_IDENTITY),
    (user(B), key(statement("*")), False, Reason.NO_IDENTITY),
    (user(B, ALLOW_ALL), key(statement(B)), True, Reason.DELEGATED),
    (user(B, ALLOW_ALL), key(statement(user_arn(B))), True, Reason.DELEGATED),
    (user(B, ALLOW_ALL), key(statement(user_arn(B)), statement(B, "Deny")), False, Reason.DENIED_BY_KEY_POLICY),
]  # fmt: skip


@pytest.mark.parametrize(("principal", "authority", "allowed", "reason"), CASES)
def test_decisions(principal: Principal, authority: KeyAuthority, allowed: bool, reason: Reason) -> None:
    decision = authorize(principal, "kms:Encrypt", key=authority, resource_arn=KEY_ARN)
    assert (decision.allowed, decision.reason) == (allowed, reason)


def test_without_a_key_identity_decides() -> None:
    assert authorize(root(A), "kms:CreateKey", key=None, resource_arn="*").allowed
    assert not authorize(user(A), "kms:CreateKey", key=None, resource_arn="*").allowed
    inverted = {"Effect": "Allow", "NotAction": "kms:CreateKey", "Resource": "*"}
    assert not authorize(user(A, inverted), "kms:CreateKey", key=None, resource_arn="*").allowed
    assert authorize(user(A, inverted), "kms:ListKeys", key=None, resource_arn="*").allowed


def test_the_statement_that_decides_is_named() -> None:
    denying = key(statement(A, Sid="first"), statement("*", "Deny", Sid="last"))
    assert authorize(root(A), "kms:Encrypt", key=denying, resource_arn=KEY_ARN).statement == "last"
    assert authorize(root(A), "kms:Encrypt", key=key(), resource_arn=KEY_ARN).statement == (
        "Enable IAM User Permissions"
    )


def test_a_policy_is_safe_when_its_author_can_replace_it() -> None:
    assert may_change_policy(key(), root(A))
    assert may_change_policy(key(), user(A, ALLOW_ALL))
    assert not may_change_policy(key(), user(A))
    assert not may_change_policy(key(statement(A, action="kms:Encrypt")), root(A))
    assert not may_change_policy(key(statement(A, action="kms:*"), statement(A, "Deny", "kms:Put*")), root(A))


# --- properties: generated policies against the rules, read slowly ---------------------------------

ACTION = "kms:Encrypt"
PRINCIPALS = st.sampled_from([root(A), root(B), user(A), user(B)])
LISTED = st.sets(st.sampled_from(["*", A, B, user_arn(A), user_arn(B), user_arn(A, "other")]), min_size=1)
ACTIONS = st.lists(
    st.sampled_from(["*", "kms:*", "KMS:encrypt", "kms:Decrypt", "kms:?ncryp*", "s3:*"]), min_size=1
)
RESOURCES = st.lists(st.sampled_from(["*", KEY_ARN, "arn:aws:kms:*", "arn:aws:kms:*/other"]), min_size=1)  # fmt: skip


@st.composite
def statements(draw: st.DrawFn, *, of_key: bool) -> dict[str, Any]:
    content: dict[str, Any] = {"Effect": draw(st.sampled_from(["Allow", "Deny"]))}
    content[draw(st.sampled_from(["Action", "NotAction"]))] = draw(ACTIONS)
    content[draw(st.sampled_from(["Resource", "NotResource"]))] = draw(RESOURCES)
    if draw(st.integers(0, 3)) == 0:
        content |= CONDITION
    if of_key:
        inverted = content["Effect"] == "Deny" and draw(st.booleans())
        content["NotPrincipal" if inverted else "Principal"] = {"AWS": sorted(draw(LISTED))}
    return content


KEY_STATEMENTS = st.lists(statements(of_key=True), min_size=1, max_size=4)
IDENTITY_STATEMENTS = st.lists(statements(of_key=False), max_size=3)


def matches(content: dict[str, Any], principal: Principal) -> bool:
    """Whether a statement is about the request, and may be used as it stands."""
    covered = (
        any(fnmatchcase(ACTION.lower(), one.lower()) for one in content.get("Action") or content["NotAction"])
        != ("NotAction" in content)
    ) and (
        any(fnmatchcase(KEY_ARN, one) for one in content.get("Resource") or content["NotResource"])
        != ("NotResource" in content)
    )  # fmt: skip
    if not covered or (content["Effect"] == "Allow" and "Condition" in content):
        return False
    own = {
        principal.arn.replace(f"arn:aws:iam::{principal.account}:root", principal.account),
        principal.account,
    }
    if "NotPrincipal" in content:
        listed = set(content["NotPrincipal"]["AWS"])
        return not ("*" in listed or own <= listed)
    return "Principal" not in content or bool((own | {"*"}) & set(content["Principal"]["AWS"]))


def direct(content: dict[str, Any], principal: Principal) -> bool:
    listed = content["Principal"]["AWS"]
    return "*" in listed or (principal.account if principal.is_root else principal.arn) in listed


def with_policies(principal: Principal, *contents: dict[str, Any]) -> Principal:
    return principal if principal.is_root else user(principal.account, *contents)


def allowed(principal: Principal, authority: KeyAuthority) -> bool:
    return authorize(principal, ACTION, key=authority, resource_arn=KEY_ARN).allowed


@given(PRINCIPALS, KEY_STATEMENTS, IDENTITY_STATEMENTS)
def test_decisions_are_those_of_the_rules(
    who: Principal, of_key: list[dict[str, Any]], of_identity: list[dict[str, Any]]
) -> None:
    own = [ALLOW_ALL] if who.is_root else [one for one in of_identity if matches(one, who)]
    named = [one for one in of_key if matches(one, who)]
    denies = any(one["Effect"] == "Deny" for one in own + named)
    suffices = who.account == A and any(direct(one, who) for one in named if one["Effect"] == "Allow")
    agrees = any(one["Effect"] == "Allow" for one in own) and any(one["Effect"] == "Allow" for one in named)
    assert allowed(with_policies(who, *of_identity), key(*of_key)) == (not denies and (suffices or agrees))


@given(PRINCIPALS, KEY_STATEMENTS, IDENTITY_STATEMENTS)
def test_without_a_matching_allow_in_the_key_policy_nothing_is_allowed(
    who: Principal, of_key: list[dict[str, Any]], of_identity: list[dict[str, Any]]
) -> None:
    rest = [one for one in of_key if one["Effect"] == "Deny" or not matches(one, who)]
    assume(rest)
    assert not allowed(with_policies(who, ALLOW_ALL, *of_identity), key(*rest))


@given(PRINCIPALS, KEY_STATEMENTS, IDENTITY_STATEMENTS, st.integers(0, 4), st.booleans())
def test_a_deny_wins_wherever_it_stands(
    who: Principal,
    of_key: list[dict[str, Any]],
    of_identity: list[dict[str, Any]],
    place: int,
    conditional: bool,
) -> None:
    condition = CONDITION if conditional else {}
    denying = [*of_key[:place], statement("*", "Deny", "kms:E*") | condition, *of_key[place:]]
    assert not allowed(with_policies(who, ALLOW_ALL, *of_identity), key(*denying))
    if not who.is_root:
        denied = with_policies(who, *of_identity[:place], DENY_ALL | condition, *of_identity[place:])
        assert not allowed(denied, key(statement("*", action="*"), *of_key))
