"""Why a statement or a grant does not apply, and what would help, in words."""

import json
from typing import Any

import pytest

from kms_server.iam.authority import Authority
from kms_server.iam.context import FixedContext
from kms_server.iam.decision import Reason
from kms_server.iam.explain import explain
from kms_server.iam.grant_story import Known
from kms_server.iam.policy import compile_identity_policy, compile_key_policy
from kms_server.iam.principal import AttachedPolicy, Issuer, Principal, Session
from kms_server.iam.story import Place, Story
from kms_server.iam.telling import as_json, as_text
from kms_server.keys.grants import Grant, Party

HOME, AWAY = "111111111111", "222222222222"
KEY = f"arn:aws:kms:us-east-1:{HOME}:key/k"
MIRA, BOB, ROOT = (
    f"arn:aws:iam::{HOME}:user/mira",
    f"arn:aws:iam::{HOME}:user/bob",
    f"arn:aws:iam::{HOME}:root",
)
BATCH = f"arn:aws:iam::{HOME}:role/ops/Batch"
RUN = f"arn:aws:sts::{HOME}:assumed-role/Batch/run-7"
DECRYPT = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
DELEGATE = DECRYPT | {"Principal": {"AWS": HOME}}


def attached(name: str, *statements: dict[str, Any], version: str = "2012-10-17") -> AttachedPolicy:
    text = json.dumps({"Version": version, "Statement": list(statements)})
    return AttachedPolicy(name, compile_identity_policy(text))


def mira(*statements: dict[str, Any], **more: Any) -> Principal:
    policies = (attached("inline policy p of user mira", *statements),) if statements else ()
    return Principal("IAMUser", HOME, MIRA, "AIDAMIRA", "AKIA", "mira", policies, **more)


def run(*statements: dict[str, Any], session: tuple[AttachedPolicy, ...] | None = None) -> Principal:
    issuer = Issuer("Role", "AROABATCH", BATCH, HOME, "Batch")
    policies = (attached("inline policy p of role Batch", *statements),) if statements else ()
    return Principal(
        "AssumedRole",
        HOME,
        RUN,
        "AROABATCH:run-7",
        "ASIA",
        None,
        policies,
        None,
        Session(0.0, issuer, session),
    )


def key(*statements: dict[str, Any], account: str = HOME) -> Authority:
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return Authority(account, KEY, compile_key_policy(text))


def story(
    principal: Principal,
    authority: Authority | str,
    context: dict[str, list[str]] | None = None,
    **known: Any,
) -> Story:
    return explain(principal, "kms:Decrypt", authority, FixedContext(context or {}), known=Known(**known))


def words(found: Story, place: Place) -> list[str]:
    statements = [one for policy in found.at(place) for one in policy.statements]
    return [mismatch.words for one in statements for mismatch in one.mismatches]


IDENTITY = [
    ({"Action": ["kms:Encrypt", "kms:Describe*"]}, "does not speak of kms:Decrypt: Action is kms:Encrypt, kms:Describe*"),
    ({"Action": None, "NotAction": "kms:D*"}, "leaves kms:Decrypt out: NotAction is kms:D*"),
    ({"Resource": KEY + "x"}, f"Resource {KEY}x does not cover {KEY}"),
    ({"Resource": None, "NotResource": [KEY, "arn:aws:s3:::b"]}, f"NotResource {KEY}, arn:aws:s3:::b leaves out {KEY}"),
    ({"Resource": "arn:aws:kms:*:*:key/${aws:PrincipalTag/Key}"},
     (f"Resource arn:aws:kms:*:*:key/${{aws:PrincipalTag/Key}} does not cover {KEY} "
      "(the request has no single value for aws:principaltag/key)")),
    ({"Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}},
     "Condition StringEquals kms:ViaService s3.us-east-1.amazonaws.com: the request has none"),
    ({"Condition": {"StringEquals": {"AWS:username": ["bob", "ann"]}}},
     "Condition StringEquals AWS:username bob, ann: the request has mira"),
    ({"Condition": {"StringEquals": {"aws:username": "${kms:KeySpec}"}}},
     "Condition StringEquals aws:username ${kms:KeySpec} (here RSA_2048): the request has mira"),
    ({"Condition": {"StringLike": {"aws:username": "${aws:TagKeys}"}}},
     ("Condition StringLike aws:username ${aws:TagKeys} (the request has no single value for aws:tagkeys): "
      "the request has mira")),
    ({"Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": "c"}}},
     "Condition ForAnyValue:StringEquals aws:TagKeys c: the request has a, b"),
    ({"Condition": {"Null": {"aws:username": True}}}, "Condition Null aws:username true: the request has mira"),
]  # fmt: skip
CONTEXT = {"aws:username": ["mira"], "kms:KeySpec": ["RSA_2048"], "aws:TagKeys": ["a", "b"]}


@pytest.mark.parametrize(("change", "expected"), IDENTITY)
def test_why_an_identity_statement_does_not_apply(change: dict[str, Any], expected: str) -> None:
    statement = {name: value for name, value in (DECRYPT | change).items() if value is not None}
    found = story(mira(statement), key(DELEGATE), CONTEXT)
    assert words(found, Place.IDENTITY) == [expected]
    assert found.decision.reason is Reason.NO_IDENTITY
    assert any(f"does not fit: {expected}." in one for one in found.advice)


def test_all_that_does_not_fit_is_told() -> None:
    condition = {"Bool": {"aws:SecureTransport": True}, "StringLike": {"aws:username": "x*"}}
    found = story(mira(DECRYPT | {"Action": "kms:Sign", "Condition": condition}), key(DELEGATE))
    assert [one.element for one in found.at(Place.IDENTITY)[0].statements[0].mismatches] == [
        "Action", "Condition", "Condition",
    ]  # fmt: skip


def test_old_documents_have_no_variables() -> None:
    condition = {"StringEquals": {"aws:username": "${aws:username}"}}
    old = attached("old", DECRYPT | {"Condition": condition}, version="2008-10-17")
    caller = Principal("IAMUser", HOME, MIRA, "AIDAMIRA", "AKIA", "mira", (old,))
    found = story(caller, key(DELEGATE), CONTEXT)
    assert words(found, Place.IDENTITY) == [
        "Condition StringEquals aws:username ${aws:username}: the request has mira"
    ]


def test_only_everything_covers_a_request_about_nothing() -> None:
    found = story(mira(DECRYPT | {"Resource": KEY}), "*")
    assert words(found, Place.IDENTITY) == [
        f"Resource {KEY} does not cover a request that is about no single resource, only * does"
    ]


KEY_STATEMENTS = [
    ({"Principal": {"AWS": BOB}}, f"names {BOB}, the caller is {MIRA}"),
    ({"Principal": {"AWS": ["AIDABOB", "AIDAGONE"]}}, f"names AIDAGONE, {BOB}, the caller is {MIRA}"),
    ({"Effect": "Deny", "NotPrincipal": {"AWS": [MIRA, ROOT]}, "Principal": None},
     f"exempts the caller: NotPrincipal is {ROOT}, {MIRA}"),
    ({"Principal": "*", "Action": None}, "has no Action, so it speaks of nothing"),
    ({"Principal": "*", "Resource": None}, "has no Resource, so it covers nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), KEY_STATEMENTS)
def test_why_a_key_statement_does_not_apply(change: dict[str, Any], expected: str) -> None:
    statement = {name: value for name, value in (DECRYPT | change).items() if value is not None}
    found = story(mira(), key(statement), shown={"AIDABOB": BOB})
    assert words(found, Place.RESOURCE) == [expected]
    assert found.decision.reason is Reason.NO_RESOURCE_POLICY


def test_a_session_is_told_with_its_role() -> None:
    found = story(run(), key(DECRYPT | {"Principal": {"AWS": MIRA}}))
    assert words(found, Place.RESOURCE) == [f"names {MIRA}, the caller is {RUN}, a session of {BATCH}"]


def test_long_lists_are_cut() -> None:
    found = story(mira(DECRYPT | {"Action": [f"kms:A{n}" for n in range(9)]}), key(DELEGATE))
    assert words(found, Place.IDENTITY)[0].endswith(
        "kms:A0, kms:A1, kms:A2, kms:A3, kms:A4, kms:A5 and 3 more"
    )


NOTES = [
    (mira(), {"AWS": MIRA}, "names the caller itself: enough"),
    (mira(), "*", "names everybody: enough"),
    (
        mira(DECRYPT),
        {"AWS": HOME},
        f"leaves it to account {HOME}, whose identity policies must allow it, too",
    ),
    (run(), {"AWS": BATCH}, "names the caller's role; what limits the session must allow it, too"),
]


@pytest.mark.parametrize(("caller", "named", "note"), NOTES)
def test_what_an_allow_of_the_key_is_worth(caller: Principal, named: Any, note: str) -> None:
    found = story(caller, key(DECRYPT | {"Principal": named}))
    assert found.decision.allowed
    assert found.at(Place.RESOURCE)[0].statements[0].note == note
    assert found.advice == ()


def test_across_accounts_both_must_allow() -> None:
    authority = key(DECRYPT | {"Principal": {"AWS": MIRA}}, account=AWAY)
    found = story(mira(), authority)
    assert found.at(Place.RESOURCE)[0].statements[0].note == (
        "names the caller itself; across accounts identity policies must allow it, too"
    )
    assert found.advice == (f"Add an Allow for kms:Decrypt on {KEY} to an identity policy of user mira.",)


ADVICE = [
    (mira(), key(DELEGATE), [
        f"Add an Allow for kms:Decrypt on {KEY} to an identity policy of user mira.",
        f"Name {MIRA} in an Allow of the key policy.",
    ]),
    (run(), key(DELEGATE), [
        f"Add an Allow for kms:Decrypt on {KEY} to an identity policy of role Batch.",
        f"Name {BATCH} in an Allow of the key policy.",
    ]),
    (mira(), "*", ["Add an Allow for kms:Decrypt on * to an identity policy of user mira."]),
    (mira(DECRYPT, boundary=AttachedPolicy("arn:b", attached("b", DECRYPT | {"Action": "s3:*"}).compiled)), key(DELEGATE), [
        f"Add an Allow for kms:Decrypt on {KEY} to the permissions boundary arn:b.",
        f"Name {MIRA} in an Allow of the key policy.",
        ("Only one element of 'statement 1' of the permissions boundary arn:b does not fit: "
         "does not speak of kms:Decrypt: Action is s3:*."),
    ]),
    (run(DECRYPT, session=()), key(DELEGATE), [
        f"Begin a session with a session policy that allows kms:Decrypt on {KEY}, or without session policies.",
        f"Name {RUN} in an Allow of the key policy.",
    ]),
    (mira(DECRYPT), key(DELEGATE | {"Action": "kms:Encrypt", "Sid": "enc"}), [
        f"Add an Allow for kms:Decrypt to the key policy that names {MIRA}.",
        f"Add one that names account {HOME}, and an Allow for kms:Decrypt on {KEY} to an identity policy of user mira.",
        "Only one element of 'enc' of the key policy does not fit: does not speak of kms:Decrypt: Action is kms:Encrypt.",
    ]),
    (mira(DECRYPT | {"Effect": "Deny", "Sid": "no"}), key(DELEGATE, DELEGATE | {"Effect": "Deny"}), [
        "Change 'statement 2' of the key policy, so that it does not apply to this request: a Deny wins over every Allow.",
        ("Change 'no' of the inline policy p of user mira, so that it does not apply to this request: "
         "a Deny wins over every Allow."),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("caller", "authority", "expected"), ADVICE)
def test_what_would_help(caller: Principal, authority: Authority | str, expected: list[str]) -> None:
    found = story(caller, authority)
    assert not found.decision.allowed
    assert list(found.advice) == expected


def test_a_grant_would_help_where_it_can() -> None:
    advised = f"Create a grant of Decrypt on the key for {MIRA}."
    assert advised in story(mira(), key(DELEGATE), grantable=True).advice
    assert advised not in story(mira(), key(DELEGATE)).advice
    away = key(DELEGATE, account=AWAY)
    assert (
        f"Create a grant of Decrypt on the key for {MIRA}, and an Allow to an identity policy of user mira."
        in (
            one.replace(", since the account is another", "")
            for one in story(mira(), away, grantable=True).advice
        )
    )


def grant(grantee: str = MIRA, operations: tuple[str, ...] = ("Decrypt",), **constraints: Any) -> Grant:
    party = Party(grantee, False, grantee)
    return Grant("a" * 64, "k", "us-east-1", "nightly", party, None, operations, constraints, HOME, 0.0, None)


GRANTS = [
    (grant(), []),
    (grant("AIDAMIRA"), []),
    (grant(BOB), [f"is for {BOB}, the caller is {MIRA}"]),
    (grant(operations=("Encrypt", "Sign")), ["does not speak of kms:Decrypt: Operations are Encrypt, Sign"]),
    (grant(EncryptionContextEquals={"dept": "it"}),
     ["EncryptionContextEquals has no run: the request's encryption context has run=7"]),
    (grant(EncryptionContextEquals={"dept": "hr", "run": "7", "x": "y"}),
     ["EncryptionContextEquals dept=hr: the request's encryption context has dept=it",
      "EncryptionContextEquals x=y: the request's encryption context has no x"]),
    (grant(EncryptionContextEquals={"dept": "it", "run": "7"}), []),
    (grant(EncryptionContextSubset={"dept": "it"}), []),
    (grant(EncryptionContextSubset={"dept": "IT"}),
     ["EncryptionContextSubset dept=IT: the request's encryption context has dept=it"]),
    (grant(SourceArn="arn:t"), []),
    (grant(SourceArn="arn:u"), ["SourceArn arn:u: the request has arn:t"]),
]  # fmt: skip


@pytest.mark.parametrize(("granted", "expected"), GRANTS)
def test_why_a_grant_does_not_allow(granted: Grant, expected: list[str]) -> None:
    found = story(
        mira(), key(DELEGATE), {"aws:SourceArn": ["arn:t"]}, grants=[granted],
        encryption_context={"dept": "it", "run": "7"},
    )  # fmt: skip
    assert [one.words for one in found.grants[0].mismatches] == expected
    assert found.grants[0].matched == (not expected)


def test_describing_a_key_involves_no_encryption_context() -> None:
    granted = grant(operations=("DescribeKey",), EncryptionContextEquals={"a": "b"})
    found = explain(mira(), "kms:DescribeKey", key(DELEGATE), FixedContext({}), known=Known(grants=[granted]))
    assert found.grants[0].matched


def test_the_text_is_aligned_and_fits() -> None:
    statements: list[dict[str, Any]] = [
        DELEGATE | {"Sid": "Enable IAM User Permissions"},
        DECRYPT | {"Principal": {"AWS": [BOB, RUN]}},
    ]
    found = story(mira(DECRYPT | {"Action": "kms:Encrypt"}), key(*statements), grants=[grant(BOB)])
    lines = as_text(found).splitlines()
    assert lines[0] == "DENIED: no identity policy allows it"
    assert f"  principal  {MIRA}" in lines
    columns = {line.find(start) for line in lines for start in ("leaves it to", "names arn") if start in line}
    assert len(columns) == 1
    assert max(map(len, lines)) <= 100
    assert "what would help" in lines


def test_the_text_obeys_no_policy() -> None:
    found = story(mira(DECRYPT | {"Sid": "\x1b[2J\nALLOWED"}), key(DELEGATE))
    text = as_text(found)
    assert "\x1b" not in text
    assert "\nALLOWED" not in text[1:]


def test_json_has_all_of_it() -> None:
    shown = as_json(story(mira(), key(DELEGATE), grants=[grant(BOB)]))
    assert json.loads(json.dumps(shown)) == shown
    assert shown["decision"]["reason"] == Reason.NO_IDENTITY.value
    assert shown["policies"][0]["statements"][0]["matched"] is True
    assert shown["grants"][0]["mismatches"][0]["element"] == "GranteePrincipal"
    assert shown["advice"]
