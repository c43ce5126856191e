"""Who may retire a grant, and who may revoke it."""

import json
from typing import Any

import pytest

from tests.unit.operations import query_service as query
from tests.unit.operations.granting import (
    ALLOWED,
    DENIED,
    OTHER,
    OTHER_ROOT,
    ROOT,
    Caller,
    encrypts,
    grant,
    role,
    session,
    tried,
    user,
)
from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.service import Service

RETIRE = query.allow("kms:RetireGrant")
pytestmark = [pytest.mark.covers("grants: retire", "allowed"), pytest.mark.covers("grants: retire", "denied")]


def retires(service: Service, caller: Caller, key: str, made: dict[str, Any]) -> bool:
    """Whether a caller could retire a grant by its id as well as by its token."""
    by_id = tried(service, caller, "RetireGrant", KeyId=key, GrantId=made["GrantId"], DryRun=True)
    by_token = tried(service, caller, "RetireGrant", GrantToken=made["GrantToken"], DryRun=True)
    assert by_id == by_token
    assert by_id in {"DryRunOperationException", DENIED}
    return by_id != DENIED


def test_the_retiring_principal(service: Service, keys: Keys) -> None:
    one, other, arn = user(service), user(service), keys.new("symmetric")
    made = grant(service, arn, other.arn, "Encrypt", RetiringPrincipal=one.arn)
    assert (retires(service, one, arn, made), retires(service, other, arn, made)) == (True, False)
    assert encrypts(service, other, arn)
    assert tried(service, one, "RetireGrant", GrantToken=made["GrantToken"]) == ALLOWED
    assert not encrypts(service, other, arn)
    assert tried(service, one, "RetireGrant", GrantToken=made["GrantToken"]) == "NotFoundException"


def test_sessions_of_a_retiring_role(service: Service, keys: Keys) -> None:
    whole, arn = role(service), keys.new("symmetric")
    first, second = (session(service, whole, name) for name in ("s-1", "s-2"))
    of_all = grant(service, arn, ROOT, "Encrypt", RetiringPrincipal=whole.arn)
    of_one = grant(service, arn, ROOT, "Encrypt", RetiringPrincipal=first.arn)
    assert [retires(service, one, arn, of_all) for one in (first, second)] == [True, True]
    assert [retires(service, one, arn, of_one) for one in (first, second)] == [True, False]


def test_a_retiring_account_leaves_it_to_its_policies(service: Service, keys: Keys) -> None:
    root = Caller(OTHER_ROOT, service.account(OTHER), OTHER)
    arn = keys.new("symmetric")
    may, may_not = user(service, RETIRE, account=OTHER), user(service, account=OTHER)
    made = grant(service, arn, ROOT, "Encrypt", RetiringPrincipal=OTHER_ROOT)
    assert [retires(service, one, arn, made) for one in (root, may, may_not)] == [True, True, False]
    without = grant(service, arn, ROOT, "Encrypt")
    assert not any(retires(service, one, arn, without) for one in (root, may, may_not))


def test_a_retiring_principal_of_another_account_needs_no_policy(service: Service, keys: Keys) -> None:
    service.account(OTHER)
    one, arn = user(service, account=OTHER), keys.new("symmetric")
    made = grant(service, arn, ROOT, "Encrypt", RetiringPrincipal=one.arn)
    assert retires(service, one, arn, made)


def test_the_grantee_where_the_grant_says_so(service: Service, keys: Keys) -> None:
    one, arn = user(service), keys.new("symmetric")
    assert not retires(service, one, arn, grant(service, arn, one.arn, "Encrypt"))
    made = grant(service, arn, one.arn, "RetireGrant")
    assert retires(service, one, arn, made)
    assert not retires(service, user(service), arn, made)
    whole = role(service)
    made = grant(service, arn, whole.arn, "RetireGrant")
    assert retires(service, session(service, whole), arn, made)


def test_the_account_that_issued_it_and_whom_it_lets(service: Service, keys: Keys) -> None:
    root = Caller(OTHER_ROOT, service.account(OTHER), OTHER)
    arn = keys.new("symmetric")
    shared = [
        {"Effect": "Allow", "Principal": {"AWS": [ROOT, OTHER_ROOT]}, "Action": "kms:*", "Resource": "*"}
    ]
    service.ok("PutKeyPolicy", KeyId=arn, Policy=json.dumps({"Statement": shared}))
    may, may_not, of_owner = (
        user(service, RETIRE, account=OTHER),
        user(service, account=OTHER),
        user(service, RETIRE),
    )
    issued = service.ok("CreateGrant", by=root.by, KeyId=arn, GranteePrincipal=ROOT, Operations=["Encrypt"])
    told = [retires(service, one, arn, issued) for one in (root, may, may_not, of_owner)]
    assert told == [True, True, False, False]
    own = grant(service, arn, ROOT, "Encrypt")
    assert [retires(service, one, arn, own) for one in (root, may, of_owner)] == [False, False, True]


def test_the_key_policy_has_no_say(service: Service, keys: Keys) -> None:
    allowed, denied, arn = user(service), user(service), keys.new("symmetric")
    policy = json.loads(service.ok("GetKeyPolicy", KeyId=arn)["Policy"])
    policy["Statement"] += [
        {"Effect": effect, "Principal": {"AWS": one.arn}, "Action": "kms:RetireGrant", "Resource": "*"}
        for effect, one in (("Allow", allowed), ("Deny", denied))
    ]
    service.ok("PutKeyPolicy", KeyId=arn, Policy=json.dumps(policy))
    made = grant(service, arn, ROOT, "Encrypt", RetiringPrincipal=denied.arn)
    assert [retires(service, one, arn, made) for one in (allowed, denied)] == [False, True]


def test_a_deny_of_its_own_holds_the_retiring_principal_back(service: Service, keys: Keys) -> None:
    one, arn = user(service, query.allow("kms:RetireGrant", effect="Deny")), keys.new("symmetric")
    made = grant(service, arn, one.arn, "RetireGrant", RetiringPrincipal=one.arn)
    assert not retires(service, one, arn, made)


def test_strangers_are_not_told_which_grants_there_are(service: Service, keys: Keys) -> None:
    stranger = Caller(OTHER_ROOT, service.account(OTHER), OTHER)
    arn = keys.new("symmetric")
    made = grant(service, arn, ROOT, "Encrypt")
    told = {
        service.refused("RetireGrant", by=stranger.by, **asked)
        for asked in (
            {"KeyId": arn, "GrantId": made["GrantId"]}, {"KeyId": arn, "GrantId": "0" * 64},
            {"KeyId": arn[:-12] + "0" * 12, "GrantId": made["GrantId"]}, {"GrantToken": made["GrantToken"]},
        )
    }  # fmt: skip
    assert len(told) == 1


@pytest.mark.covers("grants: revoke", "allowed")
@pytest.mark.covers("grants: revoke", "denied")
def test_revoking_is_for_who_may_by_the_policies(service: Service, keys: Keys) -> None:
    admin, one, arn = user(service, query.allow("kms:RevokeGrant")), user(service), keys.new("symmetric")
    made = grant(service, arn, one.arn, "Encrypt", "RetireGrant", RetiringPrincipal=one.arn)
    asked: Any = {"KeyId": arn, "GrantId": made["GrantId"]}
    assert tried(service, one, "RevokeGrant", **asked) == DENIED
    assert tried(service, admin, "RetireGrant", **asked) == DENIED
    assert encrypts(service, one, arn)
    assert tried(service, admin, "RevokeGrant", **asked) == ALLOWED
    assert not encrypts(service, one, arn)
