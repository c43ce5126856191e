"""The keys that sign digests and checkpoints: RSA of 2048 bits, one at a time for the whole server.

A public key alone proves nothing to whoever reads it from the same database as what it has signed. So each carries a
proof that this server made it: a tag under the chain key over the public key and its validity.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hmac import compare_digest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from sqlalchemy import Connection

from kms_server.audit.chain import ChainKey
from kms_server.root_keys.binding import signing_key_binding
from kms_server.root_keys.ring import RootKeys
from kms_server.storage import signing_keys
from kms_server.storage.database import Database, Transaction
from kms_server.storage.signing_keys import KeptKey

LIFETIME = 30 * 86_400.0
_GRACE = 86_400.0  # a digest that was begun may still be signed
_APART = 60.0  # by how much the clocks may differ of processes that need the first key at once
_LABEL = b"kms-server signing key v1"
_BITS, _EXPONENT = 2048, 65537


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What verifies signatures; `der` is PKCS #1, times are epoch seconds of the service's clock."""

    fingerprint: str
    der: bytes
    starts_at: float
    ends_at: float

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the key has signed a message (RSASSA-PKCS1-v1_5 with SHA-256, RFC 8017)."""
        key = load_der_public_key(self.der)
        assert isinstance(key, rsa.RSAPublicKey)  # noqa: S101 - its proof was checked, and we make no others
        try:
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The current key."""

    public: PublicKey
    _private: rsa.RSAPrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Sign a message (RSASSA-PKCS1-v1_5 with SHA-256)."""
        return self._private.sign(message, padding.PKCS1v15(), hashes.SHA256())


class SigningKeys:
    """The keys of a server; a key is made when one is needed and none is valid."""

    def __init__(self, database: Database, root: RootKeys, chain_key: ChainKey) -> None:
        self._database = database
        self._root = root
        self._chain_key = chain_key

    def current(self, now: float) -> SigningKey:
        """The key that signs at `now`.

        Raises:
            WrapError: it does not open under the root key.
        """
        with self._database.read() as connection:
            found = self._newest(connection, now)
        if found is None:
            fresh = _generate()
            with self._database.write() as tx:
                found = self._newest(tx.connection, now, _APART) or self._add(tx, fresh, now)
                self._erase(tx, now)
        return self._opened(found)

    def rotate(self, now: float) -> SigningKey:
        """Have a new key sign from `now` on; the one before stays valid for what it has signed."""
        fresh = _generate()
        with self._database.write() as tx:
            former = self._newest(tx.connection, now)
            if former is not None and former.starts_at < now:
                signing_keys.replace(tx, self._proven(replace(former, ends_at=now)))
            made = self._add(tx, fresh, now)
            self._erase(tx, now)
        return self._opened(made)

    def between(self, start: float, end: float) -> Sequence[PublicKey]:
        """The public keys that were valid at any time of a span, oldest first; foreign ones are left out."""
        with self._database.read() as connection:
            found = signing_keys.between(connection, start, end)
        return [_public(key) for key in found if self._is_ours(key)]

    def find(self, fingerprint: str) -> PublicKey | None:
        """The public key of that fingerprint, if this server made it."""
        with self._database.read() as connection:
            found = signing_keys.get(connection, fingerprint)
        return _public(found) if found is not None and self._is_ours(found) else None

    def _newest(self, connection: Connection, now: float, later: float = 0.0) -> KeptKey | None:
        """The newest of the keys that are valid now, or will be so many seconds `later`."""
        valid = [
            key
            for key in signing_keys.between(connection, now, now + later)
            if now < key.ends_at and key.wrapped is not None and self._is_ours(key)
        ]
        return valid[-1] if valid else None

    def _add(self, tx: Transaction, private: rsa.RSAPrivateKey, now: float) -> KeptKey:
        der = private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
        # CloudTrail names keys by their MD5; nothing rests on it.
        fingerprint = hashlib.md5(der, usedforsecurity=False).hexdigest()
        secret = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        binding = signing_key_binding(fingerprint=fingerprint)
        made = self._proven(
            KeptKey(fingerprint, der, self._root.wrap(secret, binding), now, now + LIFETIME, b"")
        )
        signing_keys.add(tx, made)
        return made

    def _erase(self, tx: Transaction, now: float) -> None:
        """Forget private halves that will never sign again, so that nobody can sign the past anew."""
        for key in signing_keys.between(tx.connection, 0.0, now - _GRACE):
            if key.wrapped is not None and key.ends_at < now - _GRACE:
                signing_keys.replace(tx, replace(key, wrapped=None))

    def _opened(self, kept: KeptKey) -> SigningKey:
        binding = signing_key_binding(fingerprint=kept.fingerprint)
        # To validate what was authenticated by unwrapping takes 50 ms.
        der = self._root.unwrap(kept.wrapped or b"", binding)
        private = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
        assert isinstance(private, rsa.RSAPrivateKey)  # noqa: S101 - what was wrapped here
        return SigningKey(_public(kept), private)

    def _proven(self, key: KeptKey) -> KeptKey:
        return replace(key, proof=self._proof(key))

    def _is_ours(self, key: KeptKey) -> bool:
        return compare_digest(key.proof, self._proof(key))

    def _proof(self, key: KeptKey) -> bytes:
        validity = struct.pack(">dd", key.starts_at, key.ends_at)
        return self._chain_key.tag(_LABEL, key.fingerprint.encode(), key.public_key, validity)


def _generate() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(_EXPONENT, _BITS)


def _public(key: KeptKey) -> PublicKey:
    return PublicKey(key.fingerprint, key.public_key, key.starts_at, key.ends_at)
