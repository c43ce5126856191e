"""From session tokens to principals."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256

from sqlalchemy import Connection

from kms_server.arn import federated_user_arn, session_arn
from kms_server.iam.policy import compile_identity_policy
from kms_server.iam.principal import AttachedPolicy, Issuer, Principal, Session
from kms_server.keyring import principals
from kms_server.keyring.session_token import Kind, SessionCredentials, opened
from kms_server.keyring.token_key import TokenKey
from kms_server.storage import managed_policies

_MOST_REMEMBERED = 4_096
_OF_ROOT = (
    AttachedPolicy(
        "root of the account",
        compile_identity_policy('{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'),
    ),
)


class Sessions:
    """Opens session tokens and remembers what is in them."""

    def __init__(self, tokens: TokenKey) -> None:
        self._tokens = tokens
        self._opened: dict[str, SessionCredentials] = {}

    def opened(self, token: str) -> tuple[SessionCredentials, str]:
        """The credentials of a token, and the name under which their principal is kept.

        Raises:
            UnrecognizedClientException: this service did not issue it.
        """
        digest = sha256(token.encode()).hexdigest()
        credentials = self._opened.get(digest)
        if credentials is None:
            credentials = opened(token, self._tokens)
            if len(self._opened) >= _MOST_REMEMBERED:
                self._opened.clear()
            self._opened[digest] = credentials
        return credentials, f"session {digest}"


def load_principal(credentials: SessionCredentials, connection: Connection) -> Principal | None:
    """The principal behind temporary credentials; None when the role or user is gone."""
    root = Principal.root(credentials.account, credentials.access_key_id)
    if credentials.owner is None:
        return (
            _federated(credentials, connection, root)
            if credentials.kind is Kind.FEDERATED
            else _own(root, credentials)
        )
    loaded = principals.load(connection, credentials.owner)
    if loaded is None:
        return None
    if credentials.kind is Kind.ROLE:
        return _of_role(credentials, connection, loaded)
    user = loaded.user(credentials.access_key_id)
    return (
        _federated(credentials, connection, user)
        if credentials.kind is Kind.FEDERATED
        else _own(user, credentials)
    )


def _own(principal: Principal, credentials: SessionCredentials) -> Principal:
    return replace(principal, session=Session(credentials.created_at))


def _of_role(
    credentials: SessionCredentials, connection: Connection, loaded: principals.LoadedIdentity
) -> Principal:
    role = loaded.identity
    session = Session(
        credentials.created_at, Issuer("Role", role.unique_id, role.arn, role.account, role.name),
        None, credentials.source_identity, credentials.web_identity,
        {key: credentials.tags[key] for key in credentials.transitive},
    )  # fmt: skip
    if credentials.policy is not None or credentials.policy_arns:
        session = limited_to(session, _session_policies(credentials, connection))
    return Principal(
        "AssumedRole", role.account, session_arn(role.account, role.name, credentials.name),
        f"{role.unique_id}:{credentials.name}", credentials.access_key_id, None, loaded.policies, loaded.boundary,
        session, merged(loaded.tags, credentials.tags),
    )  # fmt: skip


def _federated(credentials: SessionCredentials, connection: Connection, issuer: Principal) -> Principal:
    """A federated user may do nothing but what its session policies and its issuer's policies allow."""
    account, name = credentials.account, credentials.name
    behind = Issuer(issuer.kind, issuer.unique_id, issuer.arn, account, issuer.user_name)
    session = limited_to(Session(credentials.created_at, behind), _session_policies(credentials, connection))
    return Principal(
        "FederatedUser", account, federated_user_arn(account, name), f"{account}:{name}", credentials.access_key_id,
        None, _OF_ROOT if issuer.is_root else issuer.policies, issuer.boundary, session,
        merged(issuer.tags, credentials.tags),
    )  # fmt: skip


def _session_policies(credentials: SessionCredentials, connection: Connection) -> list[tuple[str, str]]:
    """Names and texts; a managed policy that is gone allows nothing."""
    found = {arn: managed_policies.document(connection, arn) for arn in credentials.policy_arns}
    policies = [(arn, text) for arn, text in found.items() if text is not None]
    return policies if credentials.policy is None else [*policies, ("session policy", credentials.policy)]


def limited_to(session: Session, policies: Iterable[tuple[str, str]]) -> Session:
    """A session that may do no more than the policies say, given by names and texts."""
    named = tuple(policies)
    return replace(
        session, policies=tuple(AttachedPolicy(name, compile_identity_policy(text)) for name, text in named),
        documents=tuple(text for _, text in named),
    )  # fmt: skip


def merged(tags: Mapping[str, str], over: Mapping[str, str]) -> dict[str, str]:
    """Tags with others over them; keys that differ in case alone are the same."""
    replaced = {key.lower() for key in over}
    return {key: value for key, value in tags.items() if key.lower() not in replaced} | dict(over)
