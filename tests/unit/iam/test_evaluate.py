"""What a decision says of itself, in which order, and what holds whatever the policies are.

Decisions one by one stand in decisions/.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kms_server.arn import user_arn
from kms_server.iam.authority import Authority, Rule
from kms_server.iam.context import NOTHING, FixedContext
from kms_server.iam.decision import Decision, Reason
from kms_server.iam.evaluate import authorize, may_change_policy
from kms_server.iam.policy import compile_bucket_policy
from kms_server.iam.principal import NOBODY, Principal
from tests.unit.iam.policy_documents import (
    ALLOW_ALL,
    CONDITION,
    KEY_ARN,
    A,
    B,
    attached,
    document,
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


BUCKET = "arn:aws:s3:::b"
SHARED = Rule(spans=True, shares=True, undeniable=frozenset({"s3:PutBucketPolicy"}))


def bucket(*statements: dict[str, Any], **rule: Any) -> Authority:
    policy = compile_bucket_policy(document(*statements))
    return Authority(A, BUCKET, policy, "bucket policy", replace(SHARED, **rule))


def reads(
    principal: Principal, resource: Authority, key: str = "k", action: str = "s3:GetObject"
) -> Decision:
    return authorize(principal, action, resource, NOTHING, arn=f"{BUCKET}/{key}")


def test_one_policy_decides_about_many_resources() -> None:
    open_part = statement("*", action="s3:GetObject", Resource=f"{BUCKET}/open/*")
    closed_part = statement("*", "Deny", action="s3:*", Resource=f"{BUCKET}/open/not/*")
    authority = bucket(open_part, closed_part)
    mira = user(A)
    for _ in range(2):
        assert reads(mira, authority, "open/k").reason is Reason.RESOURCE_POLICY
        assert reads(mira, authority, "open/not/k").reason is Reason.DENIED_BY_RESOURCE_POLICY
        assert reads(mira, authority, "k").reason is Reason.NO_IDENTITY
    # Without an ARN it is the bucket that is asked for.
    assert not authorize(mira, "s3:GetObject", authority, NOTHING).allowed


def test_what_covers_all_resources_is_settled() -> None:
    authority = bucket(statement("*", action="s3:GetObject"))
    assert authority.plan(user(A), "s3:GetObject").settled
    assert authority.plan(root(A), "s3:PutObject").settled
    narrow = bucket(statement("*", action="s3:GetObject", Resource=f"{BUCKET}/*"))
    assert narrow.plan(user(A), "s3:GetObject").settled is None


def test_identity_policies_share_with_the_policy_of_a_bucket() -> None:
    reading = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"}
    assert reads(user(A, reading), bucket(statement(B))).reason is Reason.IDENTITY
    assert reads(user(B, reading), bucket(statement(A))).reason is Reason.NO_RESOURCE_POLICY
    delegated = bucket(statement(B, action="s3:*"))
    assert reads(user(B, reading), delegated).reason is Reason.DELEGATED
    assert reads(user(B), delegated).reason is Reason.NO_IDENTITY
    limited = user(A, reading, boundary=attached("limit", OTHER))
    assert reads(limited, bucket(statement(B))).reason is Reason.NO_BOUNDARY


def test_nobody_needs_no_identity_and_has_none() -> None:
    assert reads(NOBODY, bucket(statement("*", action="s3:GetObject"))).allowed
    for named in (A, B, user_arn(A, "mira")):
        assert not reads(NOBODY, bucket(statement(named, action="s3:GetObject"))).allowed


def test_a_closed_bucket_is_open_at_home_alone() -> None:
    authority = bucket(statement("*", action="s3:GetObject"), closed=True)
    assert reads(user(A), authority).allowed
    for other in (NOBODY, root(B)):
        assert reads(other, authority).reason is Reason.NO_RESOURCE_POLICY


def test_the_root_of_the_account_is_exempt_from_some_denials_of_the_policy() -> None:
    authority = bucket(statement("*", "Deny", action="s3:*"))
    assert reads(root(A), authority, action="s3:PutBucketPolicy").allowed
    assert not reads(root(A), authority).allowed
    assert not reads(user(A, ALLOW_ALL | {"Action": "s3:*"}), authority, action="s3:PutBucketPolicy").allowed
