"""Principals on their way to another server, which has identities and policies of its own under the same names."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from kms_server.errors import AccessDeniedException
from kms_server.iam.principal import Principal
from kms_server.keyring import principals, sessions
from kms_server.keyring.session_token import Kind as SessionKind
from kms_server.keyring.session_token import SessionCredentials
from kms_server.storage import identities
from kms_server.storage.identities import Kind

_SESSIONS = {
    "Root": SessionKind.SELF, "IAMUser": SessionKind.SELF, "AssumedRole": SessionKind.ROLE,
    "FederatedUser": SessionKind.FEDERATED,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Described:
    """A principal as it travels.

    `kind` is the principal's, `owner` the name of its user or role, or of the user who issued its session; None for an
    account's root. `created_at` (epoch seconds) is that of its session, None where it has none. `tags` are those of the
    session, with those of its owner at home. `policies` are names and texts of session policies. Of a service `name` is
    its own, and `source_arn` what it acts for.
    """

    kind: str
    account: str
    access_key_id: str | None
    owner: str | None = None
    name: str = ""
    created_at: float | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    source_identity: str | None = None
    web_identity: Mapping[str, str] | None = None
    policies: list[tuple[str, str]] | None = None
    source_arn: str | None = None


def describe(principal: Principal) -> dict[str, Any]:
    """What another server needs to know of a principal, as JSON has it.

    Raises:
        AccessDeniedException: it is of a kind that makes no such calls.
    """
    session = principal.session
    if principal.is_service:
        named = Described(
            principal.kind, principal.account, None, name=principal.unique_id, source_arn=principal.source_arn
        )
        return asdict(named)
    if principal.kind not in _SESSIONS:
        raise AccessDeniedException(f"{principal.kind} cannot be the caller of a forwarded call")
    if session is None:
        return asdict(
            Described(principal.kind, principal.account, principal.access_key_id, principal.user_name)
        )
    issuer = session.issuer
    policies = session.policies
    described = Described(
        principal.kind, principal.account, principal.access_key_id, issuer.name if issuer else principal.user_name,
        principal.arn.rpartition("/")[2] if issuer else "", session.created_at, principal.tags if issuer else {},
        session.source_identity, session.web_identity,
        None if policies is None
        else [(one.name, text) for one, text in zip(policies, session.documents, strict=True)],
    )  # fmt: skip
    return asdict(described)


def load(caller: Described, connection: Connection, *, anyone: bool) -> Principal | None:
    """The principal that a description means here; None: there is nobody of that name.

    With `anyone` every account has a root.
    """
    if caller.source_arn is not None:
        return Principal.service(caller.name, caller.account, caller.source_arn)
    owner = None
    if caller.owner is not None:
        kind = Kind.ROLE if caller.kind == "AssumedRole" else Kind.USER
        owner = identities.get(connection, caller.account, kind, caller.owner)
        if owner is None:
            return None
    elif not anyone and not identities.account_exists(connection, caller.account):
        return None
    if caller.created_at is not None:
        return _of_session(caller, connection, owner.unique_id if owner else None)
    if owner is None:
        return Principal.root(caller.account, caller.access_key_id or "")
    loaded = principals.load(connection, owner.unique_id)
    return loaded.user(caller.access_key_id or "") if loaded else None


def _of_session(caller: Described, connection: Connection, owner: str | None) -> Principal | None:
    credentials = SessionCredentials(
        caller.access_key_id or "", "", _SESSIONS[caller.kind], caller.account, owner, caller.created_at or 0.0, 0.0,
        caller.name, tags=caller.tags, source_identity=caller.source_identity, web_identity=caller.web_identity,
    )  # fmt: skip
    principal = sessions.load_principal(credentials, connection)
    if principal is None or principal.session is None or caller.policies is None:
        return principal
    return replace(principal, session=sessions.limited_to(principal.session, caller.policies))
