"""Grants and those who have them, for the tests of what they allow."""

from typing import Any, NamedTuple
from uuid import uuid4

from botocore.credentials import Credentials

from kms_server.storage import identities
from kms_server.storage.identities import Identity
from tests.unit.operations import query_service as query
from tests.unit.operations.service import ACCOUNT, Service

OTHER = "444455556666"
ROOT, OTHER_ROOT = (f"arn:aws:iam::{account}:root" for account in (ACCOUNT, OTHER))
DENIED = "AccessDeniedException"
ALLOWED = "allowed"


class Caller(NamedTuple):
    """Somebody who may do what their policies say: nothing, where there are none."""

    arn: str
    by: Credentials
    unique_id: str


def user(service: Service, *statements: dict[str, Any], account: str = ACCOUNT, name: str = "") -> Caller:
    """A new user."""
    made, by = query.user(service, name or uuid4().hex, *statements, account=account)
    return Caller(made.arn, by, made.unique_id)


def session(service: Service, role: Identity, name: str = "s-1") -> Caller:
    """A session of a role that trusts its account."""
    maker = user(service, query.allow("sts:AssumeRole"), account=role.account)
    told = query.ok(
        service, "sts", "AssumeRole", by=maker.by, RoleArn=role.arn, RoleSessionName=name
    )  # fmt: skip
    assumed = told["AssumedRoleUser"]
    return Caller(assumed["Arn"], query.credentials(told), assumed["AssumedRoleId"])


def role(service: Service, *statements: dict[str, Any]) -> Identity:
    """A new role that its account trusts."""
    policy = query.document(*statements) if statements else None
    return query.role(service, uuid4().hex, query.trusting({"AWS": ROOT}), policy=policy)


def delete(service: Service, unique_id: str) -> None:
    """Delete a user or a role."""
    with service.database.write() as tx:
        found = identities.by_id(tx.connection, unique_id)
        assert found is not None
        identities.remove(tx, found)


def grant(service: Service, key: str, grantee: str, *operations: str, **members: Any) -> dict[str, Any]:
    """The id and token of a new grant, the root's unless `by` says whose."""
    asked: Any = {"KeyId": key, "GranteePrincipal": grantee, "Operations": operations} | members
    return service.ok("CreateGrant", **asked)


def tried(service: Service, caller: Caller, operation: str, **members: Any) -> str:
    """`allowed`, or the code of the error that a caller gets."""
    answer = service.call(operation, by=caller.by, **members)
    return ALLOWED if isinstance(answer, dict) else answer.code


def encrypts(service: Service, caller: Caller, key: str, **members: Any) -> bool:
    """Whether a caller may encrypt with a key."""
    told = tried(service, caller, "Encrypt", KeyId=key, Plaintext=b"p", **members)
    assert told in {ALLOWED, DENIED}
    return told == ALLOWED
