"""The naive evaluator, against verdicts written by hand."""

from typing import Any

import pytest

from tests.unit.iam.naive import Asked, Caller, Document, decide

HOME, AWAY = "111122223333", "444455556666"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = f"arn:aws:kms:us-east-1:{HOME}:key/{KEY_ID}"
ROLE = f"arn:aws:iam::{HOME}:role/ops/Batch"
ALICE = Caller(f"arn:aws:iam::{HOME}:user/alice", HOME, unique_id="AIDAALICE")
ROOT = Caller(f"arn:aws:iam::{HOME}:root", HOME)
SESSION = Caller(f"arn:aws:sts::{HOME}:assumed-role/Batch/run", HOME, ROLE, "AROABATCH:run", "AROABATCH")
FEDERATED = Caller(f"arn:aws:sts::{HOME}:federated-user/guest", HOME)
ZOE = Caller(f"arn:aws:iam::{AWAY}:user/zoe", AWAY)
AWAY_ROOT = Caller(f"arn:aws:iam::{AWAY}:root", AWAY)

A, E, I = "allow", "explicit deny", "implicit deny"  # noqa: E741


def document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def says(effect: str = "Allow", principal: Any = None, **members: Any) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": effect, "Action": "kms:*", "Resource": "*"}
    return statement | ({} if principal is None else {"Principal": principal}) | members


YES, NO, OTHER = document(says()), document(says("Deny")), document(says(Action="kms:TagResource"))


def asked(caller: Caller, *statements: Document, **members: Any) -> Asked:
    """A request to decrypt with a key of the home account, whose policy has these statements."""
    fixed: dict[str, Any] = {"context": {}, "action": "kms:Decrypt", "resource": KEY, "key_account": HOME}
    return Asked(caller, key_policy=document(*statements), **(fixed | members))


# A principal of the key policy, a caller, the verdict without identity policies, the verdict with one that allows.
PRINCIPALS: list[tuple[Any, Caller, str, str]] = [
    ({"AWS": ALICE.arn}, ALICE, A, A),
    ({"AWS": [ZOE.arn, ALICE.arn]}, ALICE, A, A),
    ({"AWS": "AIDAALICE"}, ALICE, A, A),
    ({"AWS": "AIDAOTHER"}, ALICE, I, I),
    ({"AWS": "AROABATCH"}, SESSION, A, A),
    ({"AWS": "AROABATCH:run"}, SESSION, A, A),
    ({"AWS": "AROABATCH:other"}, SESSION, I, I),
    ({"AWS": ALICE.arn}, SESSION, I, I),
    ({"AWS": ALICE.arn.upper()}, ALICE, I, I),
    ({"AWS": f"arn:aws:iam::{HOME}:user/*"}, ALICE, I, I),
    ("*", ALICE, A, A),
    ({"AWS": "*"}, SESSION, A, A),
    (ALICE.arn, ALICE, I, I),
    ({"Service": "s3.amazonaws.com"}, ALICE, I, I),
    ({"Federated": "*"}, ALICE, I, I),
    ({"AWS": ROOT.arn}, ALICE, I, A),
    ({"AWS": HOME}, ALICE, I, A),
    ({"AWS": AWAY}, ALICE, I, I),
    ({"AWS": ROOT.arn}, ROOT, A, A),
    ({"AWS": HOME}, ROOT, A, A),
    ({"AWS": ALICE.arn}, ROOT, I, I),
    ({"AWS": ROLE}, SESSION, A, A),
    ({"AWS": SESSION.arn}, SESSION, A, A),
    ({"AWS": SESSION.arn + "2"}, SESSION, I, I),
    ({"AWS": HOME}, SESSION, I, A),
    ({"AWS": FEDERATED.arn}, FEDERATED, A, A),
    ({"AWS": HOME}, FEDERATED, I, A),
    # across accounts the caller's own policies must allow as well
    ({"AWS": ZOE.arn}, ZOE, I, A),
    ({"AWS": AWAY}, ZOE, I, A),
    ("*", ZOE, I, A),
    ({"AWS": HOME}, ZOE, I, I),
    ({"AWS": AWAY_ROOT.arn}, AWAY_ROOT, A, A),
]


@pytest.mark.parametrize(("principal", "caller", "alone", "with_identity"), PRINCIPALS)
def test_principals_of_allow(principal: Any, caller: Caller, alone: str, with_identity: str) -> None:
    assert decide(asked(caller, says("Allow", principal))) == alone
    assert decide(asked(caller, says("Allow", principal), identity_policies=[YES])) == with_identity


@pytest.mark.parametrize(("principal", "caller", "alone", "with_identity"), PRINCIPALS)
def test_principals_of_deny(principal: Any, caller: Caller, alone: str, with_identity: str) -> None:
    verdict = decide(asked(caller, says("Allow", "*"), says("Deny", principal), identity_policies=[YES]))
    assert verdict == (E if with_identity == A else A)


@pytest.mark.parametrize(
    ("left_out", "caller", "denied"),
    [
        # a user goes by its own name and its account's
        ({"AWS": [ALICE.arn, HOME]}, ALICE, False),
        ({"AWS": [ROOT.arn, "AIDAALICE"]}, ALICE, False),
        ({"AWS": ALICE.arn}, ALICE, True),
        ({"AWS": HOME}, ALICE, True),
        ({"AWS": [ZOE.arn, HOME]}, ALICE, True),
        ({"AWS": [ALICE.arn, AWAY]}, ALICE, True),
        ({"AWS": [ALICE.arn, HOME]}, SESSION, True),
        # a session also by its role's
        ({"AWS": [SESSION.arn, ROLE, HOME]}, SESSION, False),
        ({"AWS": ["AROABATCH:run", "AROABATCH", ROOT.arn]}, SESSION, False),
        ({"AWS": [SESSION.arn, ROLE]}, SESSION, True),
        ({"AWS": [SESSION.arn, HOME]}, SESSION, True),
        ({"AWS": [ROLE, HOME]}, SESSION, True),
        ({"AWS": [FEDERATED.arn, HOME]}, FEDERATED, False),
        ({"AWS": FEDERATED.arn}, FEDERATED, True),
        ({"AWS": ROOT.arn}, ROOT, False),
        ({"AWS": AWAY}, ROOT, True),
        ("*", ALICE, False),
        ({"AWS": "*"}, SESSION, False),
        ({"Service": "s3.amazonaws.com"}, ALICE, True),
    ],
)
def test_not_principal(left_out: Any, caller: Caller, *, denied: bool) -> None:
    allow, deny = says("Allow", "*"), says("Deny", NotPrincipal=left_out)
    assert decide(asked(caller, allow, deny)) == (E if denied else A)
    assert decide(asked(caller, says("Allow", NotPrincipal=left_out), identity_policies=[YES])) == I


@pytest.mark.parametrize(
    ("changes", "applies"),
    [
        ({"Action": "kms:Decrypt"}, True),
        ({"Action": "KMS:dECRYPT"}, True),
        ({"Action": ["s3:*", "kms:De*"]}, True),
        ({"Action": "kms:Decryp?"}, True),
        ({"Action": "kms:Decrypt?"}, False),
        ({"Action": "*"}, True),
        ({"Action": "kms:Encrypt"}, False),
        ({"Action": []}, False),
        ({"Action": None, "NotAction": "kms:Encrypt"}, True),
        ({"Action": None, "NotAction": ["kms:Encrypt", "kms:d*"]}, False),
        ({"Action": None}, False),
        ({"NotAction": "kms:Encrypt"}, False),
        ({"Resource": KEY}, True),
        ({"Resource": ["arn:aws:s3:::x", f"arn:aws:kms:*:{HOME}:key/*"]}, True),
        ({"Resource": f"arn:aws:kms:us-????-1:*:key/{KEY_ID[:-1]}?"}, True),
        ({"Resource": KEY.upper()}, False),
        ({"Resource": KEY + "0"}, False),
        ({"Resource": KEY_ID}, False),
        ({"Resource": f"arn:aws:k*:*:{HOME}:key/*"}, False),
        ({"Resource": "arn:aws:kms:*"}, False),
        ({"Resource": "arn:aws:kms:*:*"}, False),
        ({"Resource": "arn:aws:kms:*:*:*"}, True),
        ({"Resource": "arn:*:kms:*:*:*"}, True),
        ({"Resource": "arn:aws:kms:us-east-1:111122223333:key/${aws:PrincipalTag/key}"}, True),
        ({"Resource": "arn:aws:kms:us-east-1:111122223333:key/${aws:nobody}"}, False),
        ({"Resource": "arn:aws:kms:us-east-1:${kms:CallerAccount}:key/*"}, False),
        ({"Resource": None, "NotResource": KEY}, False),
        ({"Resource": None, "NotResource": "arn:aws:kms:us-east-1:111122223333:alias/*"}, True),
        ({"Resource": None, "NotResource": "arn:aws:kms:us-east-1:111122223333:key/${aws:nobody}"}, True),
        ({"Resource": None}, False),
        ({"Effect": "allow"}, False),
        ({"Sid": "anything", "Condition": {}}, True),
        ({"Condition": {"Null": {"aws:PrincipalTag/key": "true"}}}, False),
    ],
)
def test_when_a_statement_applies(changes: dict[str, Any], *, applies: bool) -> None:
    statement = {name: value for name, value in (says() | changes).items() if value is not None}
    context = {"aws:principaltag/KEY": [KEY_ID], "kms:CallerAccount": [HOME]}
    verdict = A if applies else I
    delegation = says("Allow", {"AWS": HOME})
    for identity in (document(statement), {"Version": "2012-10-17", "Statement": statement}):
        assert decide(asked(ALICE, delegation, identity_policies=[identity], context=context)) == verdict
    assert decide(asked(ALICE, statement | {"Principal": "*"}, context=context)) == verdict


def test_a_statement_of_a_key_policy_names_principals_in_one_way() -> None:
    assert decide(asked(ALICE, says())) == I
    assert decide(asked(ALICE, says("Allow", "*", NotPrincipal={"AWS": ZOE.arn}))) == I
    assert decide(asked(ALICE, says("Allow", {}))) == I
    assert decide(asked(ALICE, key_account=HOME)) == I


def test_requests_without_a_key_need_identity_policies_alone() -> None:
    fixed: dict[str, Any] = {"action": "kms:ListKeys", "resource": "*", "key_account": None}
    assert decide(asked(ALICE, says("Allow", "*"), **fixed)) == I
    assert decide(asked(ALICE, says("Deny", "*"), identity_policies=[OTHER, YES], **fixed)) == A
    assert decide(asked(ROOT, **fixed)) == A
    key_only = document(says(Resource="arn:aws:kms:*:*:*"))
    assert decide(asked(ALICE, identity_policies=[key_only], **fixed)) == I
    no_keys = {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:kms:*:*:*"}
    assert decide(asked(ALICE, identity_policies=[document(no_keys)], **fixed)) == A
    assert decide(asked(ALICE, identity_policies=[YES], boundary=OTHER, **fixed)) == I


def test_an_identity_policy_is_useless_without_delegation() -> None:
    assert decide(asked(ALICE, identity_policies=[YES])) == I
    assert decide(asked(ALICE, says("Allow", {"AWS": ZOE.arn}), identity_policies=[YES])) == I
    assert decide(asked(ALICE, says("Allow", HOME), identity_policies=[YES])) == I
    partly = says("Allow", {"AWS": HOME}, Action="kms:Encrypt")
    assert decide(asked(ALICE, partly, identity_policies=[YES])) == I


@pytest.mark.parametrize("place", ["identity_policies", "boundary", "session_policies"])
def test_a_deny_anywhere_wins(place: str) -> None:
    denies: Any = NO if place == "boundary" else [YES, NO]
    for caller in (ALICE, ROOT, SESSION):
        assert decide(asked(caller, says("Allow", "*"), **{place: denies})) == E
        assert decide(asked(caller, **{place: denies})) == E
    grant = {"GranteePrincipal": ALICE.arn, "Operations": ["Decrypt"]}
    assert decide(asked(ALICE, grants=[grant], **{place: denies})) == E
    assert decide(asked(ALICE, says("Deny", "*"), grants=[grant])) == E


@pytest.mark.parametrize(
    ("caller", "principal", "bound"),
    [
        (ALICE, {"AWS": ALICE.arn}, False),
        (ALICE, "*", False),
        (ALICE, {"AWS": HOME}, True),
        (SESSION, {"AWS": SESSION.arn}, False),
        (SESSION, {"AWS": ROLE}, True),
        (SESSION, {"AWS": [ROLE, "*"]}, False),
        (FEDERATED, {"AWS": FEDERATED.arn}, False),
        (FEDERATED, {"AWS": HOME}, True),
        (ZOE, {"AWS": ZOE.arn}, True),
    ],
)
def test_boundaries_and_session_policies(caller: Caller, principal: Any, *, bound: bool) -> None:
    fixed: dict[str, Any] = {"identity_policies": [YES]}
    limited = I if bound else A
    allow = says("Allow", principal)
    assert decide(asked(caller, allow, boundary=OTHER, **fixed)) == limited
    assert decide(asked(caller, allow, boundary=YES, **fixed)) == A
    assert decide(asked(caller, allow, session_policies=[OTHER], **fixed)) == limited
    assert decide(asked(caller, allow, session_policies=[], **fixed)) == limited
    assert decide(asked(caller, allow, session_policies=[OTHER, YES], **fixed)) == A
    assert decide(asked(caller, allow, session_policies=[YES], boundary=OTHER, **fixed)) == limited


BOTH = {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("constraints", "members", "verdict"),
    [
        (None, {}, A),
        ({}, {"encryption_context": BOTH}, A),
        ({"EncryptionContextEquals": BOTH}, {"encryption_context": {"b": "2", "a": "1"}}, A),
        ({"EncryptionContextEquals": BOTH}, {"encryption_context": BOTH | {"c": "3"}}, I),
        ({"EncryptionContextEquals": BOTH}, {"encryption_context": {"a": "1"}}, I),
        ({"EncryptionContextEquals": {"a": "x"}}, {"encryption_context": {"a": "X"}}, I),
        ({"EncryptionContextEquals": {"a": "x"}}, {"encryption_context": {"A": "x"}}, I),
        ({"EncryptionContextEquals": {}}, {"encryption_context": BOTH}, I),
        ({"EncryptionContextSubset": {"a": "1"}}, {"encryption_context": BOTH}, A),
        ({"EncryptionContextSubset": BOTH}, {"encryption_context": {"a": "1"}}, I),
        ({"EncryptionContextSubset": {"a": "1"}}, {}, I),
        ({"EncryptionContextSubset": {"a": "1"}}, {"action": "kms:DescribeKey"}, A),
        ({"EncryptionContextEquals": BOTH}, {"action": "kms:RetireGrant"}, A),
        ({"SourceArn": "arn:aws:s3:::b"}, {}, I),
        ({"SourceArn": "arn:aws:s3:::b"}, {"source_arn": "arn:aws:s3:::b"}, A),
        ({"SourceArn": "arn:aws:s3:::*"}, {"source_arn": "arn:aws:s3:::b"}, I),
        ({"SourceArn": "arn:aws:s3:::b"}, {"action": "kms:DescribeKey"}, I),
        ({"SourceArn": "arn:aws:s3:::b"}, {"action": "kms:RetireGrant"}, A),
        (None, {"action": "kms:Encrypt"}, I),
    ],
)
def test_operations_and_constraints_of_grants(
    constraints: Any, members: dict[str, Any], verdict: str
) -> None:
    operations = ["Decrypt", "DescribeKey", "RetireGrant"]
    grant = {"GranteePrincipal": ALICE.arn, "Operations": operations, "Constraints": constraints}
    assert decide(asked(ALICE, grants=[grant], **members)) == verdict


@pytest.mark.parametrize(
    ("grantee", "caller", "alone", "with_identity"),
    [
        (ALICE.arn, ALICE, A, A),
        (ROLE, SESSION, A, A),
        (SESSION.arn, SESSION, A, A),
        (FEDERATED.arn, FEDERATED, A, A),
        (ROOT.arn, ROOT, A, A),
        (ROOT.arn, ALICE, I, A),
        (ALICE.arn, SESSION, I, I),
        (ZOE.arn, ZOE, I, A),
        (AWAY_ROOT.arn, ZOE, I, A),
        (AWAY_ROOT.arn, AWAY_ROOT, A, A),
    ],
)
def test_grantees(grantee: str, caller: Caller, alone: str, with_identity: str) -> None:
    grants = [{"GranteePrincipal": grantee, "Operations": ["Decrypt"]}]
    assert decide(asked(caller, grants=grants)) == alone
    assert decide(asked(caller, grants=grants, identity_policies=[YES])) == with_identity
    assert decide(asked(caller, grants=grants, identity_policies=[YES], session_policies=[])) == I


def test_a_grant_to_a_service_is_for_no_caller() -> None:
    grant = {"GranteeServicePrincipal": "rds.amazonaws.com", "Operations": ["Decrypt"]}
    assert decide(asked(ALICE, grants=[grant], identity_policies=[YES])) == I
