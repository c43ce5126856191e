"""What calls need of the database, opened once and kept until it changes."""

from dataclasses import dataclass, field
from typing import cast

from sqlalchemy import Connection

from kms_server.clock import Clock
from kms_server.crypto.capabilities import EncryptionKey
from kms_server.crypto.wrap import WrapError
from kms_server.errors import InvalidCiphertextException, KeyUnavailableException
from kms_server.iam.evaluate import KeyAuthority
from kms_server.iam.policy import compile_identity_policy, compile_key_policy
from kms_server.iam.principal import Principal
from kms_server.keyring.cache import ScopedCache
from kms_server.keys.key import BackingKey, KmsKey
from kms_server.keys.specs import find
from kms_server.root_keys.binding import access_key_binding, material_binding
from kms_server.root_keys.provider import RootKey
from kms_server.storage import aliases, identities, keys, limits, settings
from kms_server.storage.database import Database


@dataclass(frozen=True, slots=True)
class Identity:
    """A principal and the secret its requests are signed with."""

    principal: Principal
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UsableKey:
    """A KMS key with its policy compiled; material is opened at its first use. `current` is the version that encrypts."""

    key: KmsKey
    authority: KeyAuthority
    backing: tuple[BackingKey, ...]
    _root: RootKey = field(repr=False)
    _opened: dict[str, object] = field(default_factory=dict, repr=False)
    current: BackingKey = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "current", next(version for version in self.backing if version.is_current))

    def encryption(self, material_id: str) -> EncryptionKey:
        """One version of a key of usage ENCRYPT_DECRYPT.

        Raises:
            InvalidCiphertextException: the key has no such version.
            KeyUnavailableException: the stored material does not open under the root key.
        """
        return cast("EncryptionKey", self._material(material_id))

    def _material(self, material_id: str) -> object:
        opened = self._opened.get(material_id)
        if opened is None:
            opened = self._open(material_id)
            self._opened[material_id] = opened
        return opened

    def _open(self, material_id: str) -> object:
        version = next((v for v in self.backing if v.material_id == material_id), None)
        if version is None:
            raise InvalidCiphertextException
        try:
            binding = key_binding(self.key, material_id, self._root.version)
            material = self._root.unwrap(version.wrapped, binding)
        except WrapError:
            raise KeyUnavailableException(f"{self.key.arn} is unavailable.") from None
        return find(self.key.spec).type.open(material, self.key.key_id, material_id)


def key_binding(key: KmsKey, material_id: str, root_version: int) -> bytes:
    """What a wrapped backing key is bound to, so that no row or column can be swapped."""
    return material_binding(
        account=key.account, region=key.region, key_id=key.key_id, material_id=material_id,
        spec=key.spec, usage=key.usage, origin=key.origin, root_version=root_version,
    )  # fmt: skip


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

    def key(self, key_id: str, *, may_block: bool) -> UsableKey | None:
        """The key of that id, in whatever account and Region."""
        return self._cache.get(keys.scope(key_id), self.load_key, key_id, may_block=may_block)

    def load_key(self, connection: Connection, key_id: str) -> UsableKey | None:
        """The key as `connection` sees it, past the cache."""
        key = keys.get(connection, key_id)
        if key is None:
            return None
        authority = KeyAuthority(key.account, key.arn, compile_key_policy(key.policy))
        return UsableKey(key, authority, tuple(keys.get_backing_keys(connection, key_id)), self._root)

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
    policies = tuple(compile_identity_policy(document) for document in user.policies.values())
    return Principal.user(user.account, user.name, user.unique_id, stored.access_key_id, policies)


def _clock_offset(connection: Connection) -> float | None:
    return float(settings.get(connection, settings.CLOCK_OFFSET) or 0.0)
