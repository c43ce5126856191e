"""What calls need of the database, opened once and kept until it changes."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from hmac import compare_digest
from typing import NamedTuple

from sqlalchemy import Connection

from kms_server.clock import Clock
from kms_server.errors import (
    ExpiredTokenException,
    KeyUnavailableException,
    ServiceError,
    UnrecognizedClientException,
)
from kms_server.iam.principal import Principal
from kms_server.keyring import access_keys as access_secrets
from kms_server.keyring import sessions
from kms_server.keyring.cache import Findings, ScopedCache, Value
from kms_server.keyring.principals import load as load_identity
from kms_server.keyring.sessions import Sessions
from kms_server.keyring.token_key import TokenKey
from kms_server.keyring.usable_key import Labels, UsableKey
from kms_server.keys import grant_index
from kms_server.keys.grant_index import GrantIndex
from kms_server.keys.key import KmsKey
from kms_server.root_keys.ring import RootKeys
from kms_server.storage import (
    access_keys,
    aliases,
    grants,
    identities,
    injected_faults,
    keys,
    limits,
    settings,
    tags,
)
from kms_server.storage.database import Database
from kms_server.storage.injected_faults import InjectedFault
from kms_server.storage.scopes import key_scope

_LOG = logging.getLogger(__name__)


class Identity(NamedTuple):
    """A principal and the secret its requests are signed with; `active`: whether they may be."""

    principal: Principal
    secret: str
    active: bool = True

    def __repr__(self) -> str:
        return f"Identity({self.principal!r}, active={self.active})"


class Bounds(NamedTuple):
    """All limits that were set, by subject, and all injected faults, the oldest first."""

    limits: dict[str, limits.SetLimit]
    faults: tuple[InjectedFault, ...]


_BOUNDS = ("bounds",)


@dataclass(frozen=True, slots=True)
class _Signer:
    """What never changes of an access key, and what changes with it alone."""

    account: str
    user_id: str | None
    secret: str = field(repr=False)
    active: bool


class Keyring:
    """Keys, aliases, grants, identities, limits and injected faults by name, never older than the last `refresh`."""

    def __init__(
        self, database: Database, root: RootKeys, tokens: TokenKey, clock: Clock, capacity: int
    ) -> None:
        self._cache = ScopedCache(database, capacity, self._set_clock)
        self._root = root
        self._clock = clock
        self._sessions = Sessions(tokens)

    def refresh(self, *, may_block: bool) -> int | None:
        """Forget what has changed; every call begins with it. See `ScopedCache.refresh`."""
        return self._cache.refresh(may_block=may_block)

    @property
    def cached(self) -> tuple[int, int]:
        """How many values are in the cache, and how many were ever loaded because they were not."""
        return len(self._cache), self._cache.misses

    @property
    def findings(self) -> Findings:
        """What calls have worked out from all that is here, until any of it changes."""
        return self._cache.findings

    @property
    def is_stale(self) -> bool:
        """Whether `refresh` has to ask the database."""
        return self._cache.is_stale

    def recent(self) -> AbstractContextManager[None]:
        """Within the block what was last read is good enough for calls on the event loop; see `ScopedCache.recent`."""
        return self._cache.recent()

    def reread(self) -> None:
        """Look for changes that nobody on this host announced; called a few times a second."""
        self._cache.reread()

    def key(self, key_id: str, region: str, *, may_block: bool) -> UsableKey | None:
        """The key of that id in a Region, of whatever account."""
        return self._cache.get(key_scope(key_id, region), self.load_key, key_id, region, may_block=may_block)

    def load_key(self, connection: Connection, key_id: str, region: str) -> UsableKey | None:
        """The key as `connection` sees it, past the cache, with all that belongs to it."""
        usable = self.load_key_within(connection, key_id, region)
        if usable is None:
            return None
        labels = usable.labels()
        return replace(usable, labels=lambda: labels)

    def load_key_within(self, connection: Connection, key_id: str, region: str) -> UsableKey | None:
        """The key as `connection` sees it, which must be open as long as the key is in use."""
        key = keys.get(connection, key_id, region)
        if key is None:
            return None
        regions = keys.regions(connection, key_id) if key.primary_region else ()
        versions = tuple(keys.get_backing_keys(connection, key))
        try:
            return UsableKey(key, versions, tuple(regions), self._root, partial(_labels, connection, key))
        except ServiceError as error:  # its client has sent nothing that is wrong
            _LOG.error("the rows of %s are damaged: %s", key.arn, error.code)
            raise KeyUnavailableException(f"{key.arn} is unavailable.") from None

    def alias(self, account: str, region: str, name: str, *, may_block: bool) -> aliases.Alias | None:
        """The alias of that name."""
        scope = aliases.scope(account, region, name)
        return self._cache.get(scope, aliases.get, account, region, name, may_block=may_block)

    def grants(self, key_id: str, region: str, grantee_key: str, *, may_block: bool) -> GrantIndex:
        """What a grantee holds on a key; other grants on it cost nothing."""
        scope = grants.scope(key_id, region, grantee_key)
        found = self._cache.get(scope, _load_grants, key_id, region, grantee_key, may_block=may_block)
        return grant_index.NONE if found is None else found

    def identity(self, access_key_id: str, *, may_block: bool) -> Identity | None:
        """Who signs with an access key.

        The secret changes with the key alone, the principal with every identity of the account.
        """
        scope = identities.access_scope(access_key_id)
        signer = self._cache.get(scope, self._load_signer, access_key_id, may_block=may_block)
        if signer is None:
            return None

        account, user_id = signer.account, signer.user_id
        principal = self.of_account(
            account, access_key_id, lambda connection: _principal(connection, access_key_id, account, user_id),
            may_block=may_block,
        )  # fmt: skip
        return Identity(principal, signer.secret, signer.active) if principal else None

    def session(self, access_key_id: str, token: str, *, may_block: bool) -> Identity:
        """Who signs with temporary credentials. What their owner may do is as of now, not as of when they were issued.

        Raises:
            UnrecognizedClientException: the token was not issued here or not with this access key, or its owner is gone.
            ExpiredTokenException: their time is over.
        """
        credentials, place = self._sessions.opened(token)
        if not compare_digest(credentials.access_key_id.encode(), access_key_id.encode()):
            raise UnrecognizedClientException
        if credentials.expires_at <= self._clock.now():
            raise ExpiredTokenException
        principal = self.of_account(
            credentials.account, place, partial(sessions.load_principal, credentials), may_block=may_block
        )
        if principal is None:
            raise UnrecognizedClientException
        return Identity(principal, credentials.secret)

    def of_account(
        self, account: str, name: str, load: Callable[[Connection], Value | None], *, may_block: bool
    ) -> Value | None:
        """What `load` makes of an account's identities, kept under `name` until any of them changes."""
        return self._cache.get_within(identities.account_scope(account), name, load, may_block=may_block)

    def kept(
        self, scope: str, load: Callable[..., Value | None], *arguments: str, may_block: bool
    ) -> Value | None:
        """What `load(connection, *arguments)` makes, kept until `scope` changes; None is never kept."""
        return self._cache.get(scope, load, *arguments, may_block=may_block)

    def bounds(self, *, may_block: bool) -> Bounds:
        """What may stop a call before it is performed."""
        findings = self._cache.findings
        found: Bounds | None = findings.get(_BOUNDS)
        if found is None:
            found = Bounds(self.limits(may_block=may_block), self.faults(may_block=may_block))
            findings.keep(_BOUNDS, found)
        return found

    def limits(self, *, may_block: bool) -> dict[str, limits.SetLimit]:
        """All limits that were set, by subject."""
        found = self._cache.get(limits.SCOPE, limits.all_limits, may_block=may_block)
        return {} if found is None else found

    def faults(self, *, may_block: bool) -> tuple[InjectedFault, ...]:
        """All injected faults, the oldest first; what they have counted is as of when they were loaded."""
        found = self._cache.get(injected_faults.SCOPE, injected_faults.every, may_block=may_block)
        return () if found is None else found

    def _set_clock(self, connection: Connection) -> None:
        self._clock.advance_to(float(settings.get(connection, settings.CLOCK_OFFSET) or 0.0))

    def _load_signer(self, connection: Connection, access_key_id: str) -> _Signer | None:
        key = access_keys.get(connection, access_key_id)
        if key is None:
            return None
        return _Signer(
            key.account, key.user_id, access_secrets.opened(self._root, key), key.status == access_keys.ACTIVE
        )


def _load_grants(connection: Connection, key_id: str, region: str, grantee_key: str) -> GrantIndex:
    held = list(grants.of_grantee(connection, key_id, region, grantee_key))
    # Most callers hold nothing, and that is worth keeping, too.
    return GrantIndex(held) if held else grant_index.NONE


def _principal(
    connection: Connection, access_key_id: str, account: str, user_id: str | None
) -> Principal | None:
    if user_id is None:
        return Principal.root(account, access_key_id)
    user = load_identity(connection, user_id)
    return user.user(access_key_id) if user else None


def _labels(connection: Connection, key: KmsKey) -> Labels:
    named = aliases.of_key(connection, key.key_id, key.region)
    return Labels(tags.of_key(connection, key), tuple(alias.name for alias in named))
