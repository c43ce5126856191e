"""A KMS key ready for use."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from kms_server.crypto.capabilities import (
    AgreementKey,
    EncapsulationKey,
    EncryptionKey,
    MacKey,
    PublicKey,
    SigningKey,
)
from kms_server.crypto.wrap import WrapError
from kms_server.errors import InvalidCiphertextException, KeyUnavailableException, KMSInvalidStateException
from kms_server.iam.authority import Authority
from kms_server.iam.policy import compile_key_policy
from kms_server.keys import imports, specs
from kms_server.keys.key import CURRENT, BackingKey, KmsKey
from kms_server.keys.states import KeyState
from kms_server.root_keys.binding import material_binding
from kms_server.root_keys.ring import RootKeys

_LOG = logging.getLogger(__name__)


class Labels(NamedTuple):
    """What people call a key: its tags, and the names of its aliases."""

    tags: Mapping[str, str]
    aliases: tuple[str, ...]


def no_labels() -> Labels:
    """The labels of a key that has just been thought of."""
    return Labels({}, ())


@dataclass(frozen=True, slots=True)
class UsableKey:
    """A KMS key with its policy compiled; material is opened at its first use.

    `regions` are those of all members of a multi-Region key, empty for others; `labels` are read when asked
    for. What opened material can do depends on the key's usage: who asks for a capability has checked it.
    """

    key: KmsKey
    versions: tuple[BackingKey, ...]
    regions: tuple[str, ...]
    _root: RootKeys = field(repr=False)
    labels: Callable[[], Labels] = field(default=no_labels, repr=False)
    _opened: dict[str | None, object] = field(default_factory=dict, repr=False)
    authority: Authority = field(init=False)
    spec: specs.KeySpec = field(init=False)
    _current: BackingKey | None = field(init=False)
    _expires: float | None = field(init=False)

    def __post_init__(self) -> None:
        key = self.key
        authority = Authority(key.account, key.arn, compile_key_policy(key.policy))
        current = next((version for version in self.versions if version.status == CURRENT), None)
        object.__setattr__(self, "authority", authority)
        object.__setattr__(self, "spec", specs.find(key.spec))
        dates = [version.valid_to for version in self.versions if version.valid_to is not None]
        object.__setattr__(self, "_current", current)
        object.__setattr__(self, "_expires", min(dates, default=None))

    @property
    def current(self) -> BackingKey:
        """The version that encrypts, signs and so on.

        Raises:
            KMSInvalidStateException: nothing was imported yet.
        """
        if self._current is None:
            raise KMSInvalidStateException(f"{self.key.arn} is pending import.")
        return self._current

    def at(self, now: float) -> "UsableKey":
        """The key without imported material that has expired by `now` and that no job has destroyed yet."""
        if self._expires is None or now < self._expires:
            return self
        versions = tuple(
            replace(one, wrapped=None, valid_to=None)
            if one.valid_to is not None and one.valid_to <= now
            else one
            for one in self.versions
        )
        state = self.key.state
        if state in {KeyState.ENABLED, KeyState.DISABLED}:
            state = imports.state_of(self.key, versions, state)
        key = replace(self.key, state=state)
        return UsableKey(key, versions, self.regions, self._root, self.labels)

    def metadata(self) -> dict[str, object]:
        """AWS's KeyMetadata."""
        return self.key.metadata(self.versions, self.regions)

    def encryption(self, material_id: str | None = None) -> EncryptionKey:
        """A version of a key of usage ENCRYPT_DECRYPT, by default the current one.

        Raises:
            InvalidCiphertextException: the key has no such version.
            KeyUnavailableException: the stored material does not open under the root key.
        """
        found: EncryptionKey = self._material(material_id)
        return found

    def signing(self) -> SigningKey:
        """A key of usage SIGN_VERIFY."""
        found: SigningKey = self._material(None)
        return found

    def mac(self) -> MacKey:
        """A key of usage GENERATE_VERIFY_MAC."""
        found: MacKey = self._material(None)
        return found

    def agreement(self) -> AgreementKey:
        """A key of usage KEY_AGREEMENT."""
        found: AgreementKey = self._material(None)
        return found

    def encapsulation(self) -> EncapsulationKey:
        """A key of usage ENCAPSULATE_DECAPSULATE."""
        found: EncapsulationKey = self._material(None)
        return found

    def public(self) -> PublicKey:
        """The public half of a key pair."""
        found: PublicKey = self._material(None)
        return found

    def _material(self, material_id: str | None) -> Any:  # noqa: ANN401 - a key's usage tells what it is
        return self._opened.get(material_id) or self._open(material_id)

    def _open(self, material_id: str | None) -> object:
        if material_id is None:
            opened = self._opened[None] = self._material(self.current.material_id)
            return opened
        version = next((one for one in self.versions if one.material_id == material_id), None)
        if version is None:
            raise InvalidCiphertextException
        material = open_material(self.key, version, self._root)
        opened = self._opened[material_id] = self.spec.type.open(material, self.key.key_id, material_id)
        return opened


def open_material(key: KmsKey, version: BackingKey, root: RootKeys) -> bytes:
    """The material of one version of a key in clear.

    Raises:
        KMSInvalidStateException: it was imported, and is deleted or expired.
        KeyUnavailableException: it does not open under the root key.
    """
    if version.wrapped is None:
        raise KMSInvalidStateException(f"{key.arn} is pending import.")
    try:
        return root.unwrap(version.wrapped, key_binding(key, version.material_id))
    except WrapError:
        _tell(key.arn, version.material_id)
        raise KeyUnavailableException(f"{key.arn} is unavailable.") from None


@lru_cache(maxsize=1024)
def _tell(arn: str, material_id: str) -> None:
    """Log it once: whoever may use the key could fill the log."""
    _LOG.error("the material %s of %s does not open: its rows are damaged, restore them", material_id, arn)


def key_binding(key: KmsKey, material_id: str) -> bytes:
    """What a wrapped backing key is bound to, so that no row or column can be swapped."""
    return material_binding(
        account=key.account, region=key.region, key_id=key.key_id, material_id=material_id,
        spec=key.spec, usage=key.usage, origin=key.origin,
    )  # fmt: skip
