"""What calls need of the database, opened once and kept until it changes."""

from dataclasses import dataclass, field

from sqlalchemy import Connection

from kms_server.arn import user_arn
from kms_server.clock import Clock
from kms_server.crypto.wrap import WrapError
from kms_server.errors import KeyUnavailableException
from kms_server.iam.policy import compile_identity_policy
from kms_server.iam.principal import AttachedPolicy, Principal
from kms_server.keyring.cache import ScopedCache
from kms_server.keyring.usable_key import UsableKey
from kms_server.root_keys.binding import access_key_binding
from kms_server.root_keys.provider import RootKey
from kms_server.storage import aliases, identities, keys, limits, settings, tags
from kms_server.storage.database import Database
from kms_server.storage.scopes import key_scope


@dataclass(frozen=True, slots=True)
class Identity:
    """A principal and the secret its requests are signed with."""

    principal: Principal
    secret: str = field(repr=False)


class Keyring:
    """Keys, aliases, identities and limits by name, never older than the last `refresh`."""

    def __init__(self, database: Database, root: RootKey, clock: Clock, capacity: int) -> None:
        self._cache = ScopedCache(database, capacity)
        self._root = root
        self._clock = clock

    def refresh(self, *, may_block: bool) -> None:
        """Forget what has changed; every call begins with it."""
        self._cache.refresh(may_block=may_block)
        offset = self._cache.get(settings.CLOCK_SCOPE, _clock_offset, may_block=may_block)
        self._clock.advance_to(offset or 0.0)

    def reread(self) -> None:
        """Look for changes that nobody on this host announced; called a few times a second."""
        self._cache.reread()

    def key(self, key_id: str, region: str, *, may_block: bool) -> UsableKey | None:
        """The key of that id in a Region, of whatever account."""
        return self._cache.get(key_scope(key_id, region), self.load_key, key_id, region, may_block=may_block)

    def load_key(self, connection: Connection, key_id: str, region: str) -> UsableKey | None:
        """The key as `connection` sees it, past the cache."""
        key = keys.get(connection, key_id, region)
        if key is None:
            return None
        regions = keys.regions(connection, key_id) if key.primary_region else ()
        return UsableKey(
            key, tuple(keys.get_backing_keys(connection, key)), tuple(regions), self._root,
            tags=tags.of_key(connection, key), aliases=tuple(one.name for one in aliases.of_key(connection, key_id, region)),
        )  # fmt: skip

    def alias(self, account: str, region: str, name: str, *, may_block: bool) -> aliases.Alias | None:
        """The alias of that name."""
        scope = aliases.scope(account, region, name)
        return self._cache.get(scope, aliases.get, account, region, name, may_block=may_block)

    def identity(self, access_key_id: str, *, may_block: bool) -> Identity | None:
        """Who signs with an access key."""
        scope = identities.scope(access_key_id)
        return self._cache.get(scope, self._load_identity, access_key_id, may_block=may_block)

    def limits(self, *, may_block: bool) -> dict[str, limits.SetLimit]:
        """All limits that were set, by subject."""
        found = self._cache.get(limits.SCOPE, limits.all_limits, may_block=may_block)
        return {} if found is None else found

    def _load_identity(self, connection: Connection, access_key_id: str) -> Identity | None:
        stored = identities.get_access_key(connection, access_key_id)
        if stored is None:
            return None
        binding = access_key_binding(
            account=stored.account, access_key_id=access_key_id, user_name=stored.user_name,
            root_version=self._root.version,
        )  # fmt: skip
        try:
            secret = self._root.unwrap(stored.wrapped_secret, binding).decode()
        except WrapError:
            raise KeyUnavailableException(f"The access key {access_key_id} cannot be opened.") from None
        return Identity(_principal(connection, stored), secret)


def _principal(connection: Connection, stored: identities.AccessKey) -> Principal:
    if stored.user_name is None:
        return Principal.root(stored.account, stored.access_key_id)
    user = identities.get_user(connection, stored.account, stored.user_name)
    assert user is not None  # noqa: S101 - a foreign key holds it
    policies = tuple(
        AttachedPolicy(f"inline policy {name}", compile_identity_policy(document))
        for name, document in user.policies.items()
    )
    return Principal(
        "IAMUser",
        user.account,
        user_arn(user.account, user.name),
        user.unique_id,
        stored.access_key_id,
        user.name,
        policies,
    )


def _clock_offset(connection: Connection) -> float | None:
    return float(settings.get(connection, settings.CLOCK_OFFSET) or 0.0)
