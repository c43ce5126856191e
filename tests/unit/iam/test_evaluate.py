"""What a decision says of itself, in which order, and what holds whatever the policies are.

Decisions one by one stand in decisions/.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kms_server.arn import user_arn
from kms_server.iam.authority import Authority
from kms_server.iam.context import NOTHING, FixedContext
from kms_server.iam.decision import Decision, Reason
from kms_server.iam.evaluate import authorize, may_change_policy
from kms_server.iam.principal import Principal
from tests.unit.iam.policy_documents import (
    ALLOW_ALL,
    CONDITION,
    KEY_ARN,
    A,
    B,
    attached,
    key,
    root,
    session,
    statement,
    user,
)

DENY_ALL = ALLOW_ALL | {"Effect": "Deny"}
OTHER = ALLOW_ALL | {"Action": "kms:TagResource"}
ACTION = "kms:Encrypt"


def decided(principal: Principal, resource: str | Authority, **members: Any) -> Decision:
    return authorize(principal, ACTION, resource, NOTHING, **members)


def test_the_statement_that_decides_is_named() -> None:
    denying = key(statement(A, Sid="first"), statement("*", "Deny", Sid="last"))
    assert decided(root(A), denying) == Decision(
        allowed=False, reason=Reason.DENIED_BY_RESOURCE_POLICY, policy="key policy", statement="last"
    )
    assert decided(root(A), key()).statement == "Enable IAM User Permissions"
    # Without a Sid, by its place.
    assert decided(root(A), key(statement(B), statement(A))).statement == "statement 2"
    assert decided(user(A, OTHER, ALLOW_ALL), "*") == Decision(
        allowed=True, reason=Reason.IDENTITY, policy="inline policy 2", statement="statement 1"
    )
    assert decided(user(A, OTHER, DENY_ALL), key()).policy == "inline policy 2"
    limited = user(A, ALLOW_ALL, boundary=attached("limit", ALLOW_ALL, DENY_ALL))
    assert decided(limited, key()) == Decision(
        allowed=False, reason=Reason.DENIED_BY_BOUNDARY, policy="limit", statement="statement 2"
    )


def test_of_several_allows_the_one_that_needs_least_is_named() -> None:
    ways = [
        statement(A, Sid="account"),
        statement(f"arn:aws:iam::{A}:role/jobs/batch", Sid="role"),
        statement("AROABATCH:run", Sid="session"),
    ]
    for statements in (ways, ways[::-1]):
        assert decided(session(ALLOW_ALL), key(*statements)).statement == "session"
        assert decided(session(ALLOW_ALL), key(*(one for one in statements if one["Sid"] != "session"))) == (
            Decision(allowed=True, reason=Reason.RESOURCE_POLICY, policy="key policy", statement="role")
        )


def test_a_statement_that_needs_more_than_there_is_does_not_hide_a_grant() -> None:
    delegating = key(statement(A))
    assert decided(user(A), delegating).reason is Reason.NO_IDENTITY
    grants = {user_arn(A, "mira"): "g1"}
    assert decided(user(A), delegating, grants=grants.get) == Decision(
        allowed=True, reason=Reason.GRANT, grant="g1"
    )
    # A session policy limits a grant, and then that is the reason.
    limited = session(limits=(attached("session policy", OTHER),))
    assert decided(limited, key(statement(B)), grants={"AROABATCH": "g2"}.get).reason is Reason.NO_SESSION


def test_session_policies_that_are_none_at_all_allow_nothing() -> None:
    assert decided(session(ALLOW_ALL, limits=()), key()).reason is Reason.NO_SESSION
    assert decided(session(ALLOW_ALL, limits=None), key()).reason is Reason.DELEGATED


def test_grants_are_asked_for_by_all_names_of_the_caller_and_only_when_needed() -> None:
    asked: list[str] = []

    def noted(name: str) -> None:
        asked.append(name)

    assert not decided(session(), key(statement(B)), grants=noted).allowed
    assert sorted(asked) == sorted([
        f"arn:aws:iam::{A}:root", f"arn:aws:iam::{A}:role/jobs/batch", "AROABATCH",
        f"arn:aws:sts::{A}:assumed-role/batch/run", "AROABATCH:run",
    ])  # fmt: skip
    asked.clear()
    assert decided(session(), key(statement("AROABATCH:run")), grants=noted).allowed
    assert not decided(session(DENY_ALL), key(), grants=noted).allowed
    assert asked == []


def test_conditions_are_asked_about_the_request() -> None:
    conditional = key(statement(A) | CONDITION)
    for value, allowed in (("true", True), ("false", False)):
        context = FixedContext({"AWS:securetransport": [value]})
        assert authorize(root(A), ACTION, conditional, context).allowed is allowed


def test_a_policy_is_safe_when_its_author_can_replace_it() -> None:
    limited = user(A, ALLOW_ALL, boundary=attached("limit", OTHER))
    for authority, principal, safe in [
        (key(), root(A), True),
        (key(), user(A, ALLOW_ALL), True),
        (key(), user(A), False),
        (key(), limited, False),
        (key(statement(user_arn(A, "mira"), action="kms:*")), limited, True),
        (key(statement(A, action="kms:Encrypt")), root(A), False),
        (key(statement(A, action="kms:*"), statement(A, "Deny", "kms:Put*")), root(A), False),
        (key(statement(A, action="kms:*") | CONDITION), root(A), False),
    ]:
        assert may_change_policy(authority, principal, NOTHING) is safe


# --- whatever the policies are -----------------------------------------------------------------------

WHO = st.sampled_from([root(A), root(B), user(A), user(B), session()])
LISTED = st.sets(
    st.sampled_from(["*", A, B, user_arn(A, "mira"), user_arn(B, "mira"), "AROABATCH", "AIDAMIRA"]),
    min_size=1,
)
ACTIONS = st.lists(
    st.sampled_from(["*", "kms:*", "KMS:encrypt", "kms:Decrypt", "kms:?ncryp*", "s3:*"]), min_size=1
)
RESOURCES = st.lists(
    st.sampled_from(["*", KEY_ARN, "arn:aws:kms:*:*:*", "arn:aws:kms:*:*:key/other"]), min_size=1
)


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


OF_KEY = st.lists(statements(of_key=True), min_size=1, max_size=4)
OF_IDENTITY = st.lists(statements(of_key=False), max_size=3)
Statements = Sequence[dict[str, Any]]


def with_policies(principal: Principal, *contents: dict[str, Any]) -> Principal:
    if principal.is_root:
        return principal
    return session(*contents) if principal.session else user(principal.account, *contents)


@given(WHO, OF_KEY, OF_IDENTITY)
def test_without_an_allow_in_the_key_policy_or_a_grant_nothing_is_allowed(
    who: Principal, of_key: Statements, of_identity: Statements
) -> None:
    rest = [one for one in of_key if one["Effect"] == "Deny"]
    assume(rest)
    assert not decided(with_policies(who, ALLOW_ALL, *of_identity), key(*rest)).allowed


@given(WHO, OF_KEY, OF_IDENTITY)
def test_no_deny_is_what_allows(who: Principal, of_key: Statements, of_identity: Statements) -> None:
    caller = with_policies(who, *of_identity)
    allowing = [one for one in of_key if one["Effect"] == "Allow"]
    if decided(caller, key(*of_key)).allowed:
        assert allowing
        assert decided(caller, key(*allowing)).allowed


@pytest.mark.parametrize("place", ["key policy", "identity", "boundary", "session"])
@given(OF_KEY, OF_IDENTITY, st.integers(0, 4))
def test_a_deny_wins_wherever_it_stands(
    place: str, of_key: Statements, of_identity: Statements, index: int
) -> None:
    deny = ALLOW_ALL | {"Effect": "Deny", "Action": "kms:E*"}
    opening = [statement("*", action="*"), *of_key]
    grants = {"AROABATCH": "g", "AIDAMIRA": "g"}.get
    if place == "key policy":
        authority = key(*opening[:index], deny | {"Principal": "*"}, *opening[index:])
        assert not decided(session(ALLOW_ALL, *of_identity), authority, grants=grants).allowed
        return
    contents = [*of_identity[:index], deny, *of_identity[index:]]
    limit = attached("limit", ALLOW_ALL, *contents)
    who = {
        "identity": user(A, ALLOW_ALL, *contents),
        "boundary": user(A, ALLOW_ALL, boundary=limit),
        "session": session(ALLOW_ALL, limits=(attached("other", ALLOW_ALL), limit)),
    }[place]
    assert not decided(who, key(*opening), grants=grants).allowed
