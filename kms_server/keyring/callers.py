"""From ARNs to principals, for questions about calls that nobody makes."""

from sqlalchemy import Connection

from kms_server.arn import Arn, root_arn, session_arn
from kms_server.iam.principal import Issuer, Principal, Session
from kms_server.keyring.principals import LoadedIdentity, load
from kms_server.storage import identities
from kms_server.storage.identities import Kind

# A role never calls: one of its sessions does.
_SESSION = "session"


def caller(connection: Connection, arn: str, now: float) -> Principal | None:
    """The caller of that ARN: an account's root, a user, or a session of a role; None: there is nobody.

    The ARN of a role stands for a session of it. Sessions are without session policies and session tags, which only
    their tokens have; they begin `now` (epoch seconds).
    """
    parsed = Arn.parse(arn)
    if parsed is not None and arn == root_arn(parsed.account):
        exists = identities.account_exists(connection, parsed.account)
        return Principal.root(parsed.account, "") if exists else None
    owner, _, session = (identities.named(connection, arn) or "").partition(":")
    loaded = load(connection, owner) if owner else None
    if loaded is None:
        return None
    return of_role(loaded, session or _SESSION, now) if loaded.identity.kind is Kind.ROLE else loaded.user("")


def of_role(loaded: LoadedIdentity, name: str, now: float) -> Principal:
    """A session of a role, of that name."""
    role = loaded.identity
    issuer = Issuer("Role", role.unique_id, role.arn, role.account, role.name)
    return Principal(
        "AssumedRole", role.account, session_arn(role.account, role.name, name), f"{role.unique_id}:{name}", None,
        None, loaded.policies, loaded.boundary, Session(now, issuer), loaded.tags,
    )  # fmt: skip
