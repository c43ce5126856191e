"""What a backup is encrypted under: a passphrase, or the public key of whoever may restore it.

Each gives a key of 32 bytes for one backup, and what the backup's header says of it:

    passphrase  scrypt (RFC 7914) with a fresh salt; N, r and p are recorded, and bounded when they are read
    X25519      HKDF-SHA-256 of the exchange with a fresh key, over a label and both public keys (as DHKEM, RFC 9180)
    RSA         HKDF-SHA-256 of 32 random bytes under RSAES-OAEP with SHA-256 (RFC 8017)
"""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from kms_server.crypto.encryption_context import length_prefixed
from kms_server.errors import OperatorError

PASSPHRASE, X25519, RSA = "passphrase", "x25519", "rsa"
_LABEL = b"kms-server backup v1"
_BYTES = 32
# 128 MiB and about half a second. A header may ask for 1 GiB at most, whoever wrote it.
_LOG_N, _R, _P = 17, 8, 1
_LOG_N_BOUNDS, _P_BOUNDS = range(14, 21), range(1, 5)
_SALT = 16
_LEAST_RSA_BITS = 2_048
_OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)

_Parameters: TypeAlias = Mapping[str, Any]


class BadSecret(OperatorError):
    """The passphrase or the private key does not open the backup."""


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A passphrase, to seal and to open."""

    secret: bytes = field(repr=False)
    log_n: int = _LOG_N

    def seal(self) -> tuple[dict[str, Any], bytes]:
        """What the header says, and a fresh key."""
        salt = os.urandom(_SALT)
        said = {"kind": PASSPHRASE, "salt": _text(salt), "logN": self.log_n, "r": _R, "p": _P}
        return said, self._derive(salt, self.log_n, _P)

    def open(self, said: _Parameters) -> bytes:
        """The key of a backup whose header says that.

        Raises:
            BadSecret: it needs a private key.
            ValueError: the header asks for what no server writes.
        """
        if said.get("kind") != PASSPHRASE:
            raise BadSecret(
                "the backup is encrypted for a public key: give the private key by --identity FILE"
            )
        log_n, p = said["logN"], said["p"]
        if log_n not in _LOG_N_BOUNDS or said["r"] != _R or p not in _P_BOUNDS:
            raise ValueError("its parameters of scrypt are out of bounds")
        return self._derive(_bytes(said["salt"]), log_n, p)

    def _derive(self, salt: bytes, log_n: int, p: int) -> bytes:
        return Scrypt(salt, _BYTES, 2**log_n, _R, p).derive(self.secret)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A public key."""

    public: X25519PublicKey | rsa.RSAPublicKey

    @classmethod
    def load(cls, pem: bytes, called: str) -> "Recipient":
        """Read a public key of X25519, or of RSA with 2048 bits or more.

        Raises:
            OperatorError: it is none.
        """
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise OperatorError(f"{called} is not a public key in PEM") from None
        if isinstance(key, X25519PublicKey) or (
            isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS
        ):
            return cls(key)
        raise OperatorError(
            f"{called} must be a public key of X25519, or of RSA with {_LEAST_RSA_BITS} bits or more"
        )

    def seal(self) -> tuple[dict[str, Any], bytes]:
        """What the header says, and a fresh key.

        Raises:
            OperatorError: the public key is of small order.
        """
        if isinstance(self.public, rsa.RSAPublicKey):
            shared = os.urandom(_BYTES)
            sealed = self.public.encrypt(shared, _OAEP)
            return {"kind": RSA, "sealed": _text(sealed)}, _derived(shared, sealed)
        ephemeral = X25519PrivateKey.generate()
        try:
            shared = ephemeral.exchange(self.public)
        except ValueError:
            raise OperatorError("the recipient's public key is of small order: make another") from None
        mine = ephemeral.public_key().public_bytes_raw()
        return {"kind": X25519, "ephemeral": _text(mine)}, _derived(
            shared, mine, self.public.public_bytes_raw()
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """A private key."""

    private: X25519PrivateKey | rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def load(cls, pem: bytes, called: str) -> "Identity":
        """Read a private key.

        Raises:
            OperatorError: it is none that opens backups.
        """
        try:
            key = load_pem_private_key(pem, None)
        except TypeError:
            raise OperatorError(
                f"{called} is under a password: write it without, `openssl pkey` does"
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            raise OperatorError(f"{called} is not a private key in PEM") from None
        if not isinstance(key, X25519PrivateKey | rsa.RSAPrivateKey):
            raise OperatorError(f"{called} must be a private key of X25519 or RSA")
        return cls(key)

    def open(self, said: _Parameters) -> bytes:
        """The key of a backup whose header says that.

        Raises:
            BadSecret: it is for another key, or under a passphrase.
            ValueError: the header has what no server writes.
        """
        kind = said.get("kind")
        if kind == X25519 and isinstance(self.private, X25519PrivateKey):
            theirs = _bytes(said["ephemeral"])
            shared = self.private.exchange(X25519PublicKey.from_public_bytes(theirs))
            return _derived(shared, theirs, self.private.public_key().public_bytes_raw())
        if kind == RSA and isinstance(self.private, rsa.RSAPrivateKey):
            sealed = _bytes(said["sealed"])
            try:
                shared = self.private.decrypt(sealed, _OAEP)
            except ValueError:
                raise BadSecret("the private key is not that of the backup's recipient") from None
            return _derived(shared, sealed)
        raise BadSecret(f"the backup is encrypted under another kind of key: {kind}")


@dataclass(frozen=True, slots=True)
class KnownKey:
    """The key of one backup, in the hands of who is making it."""

    key: bytes = field(repr=False)

    def open(self, _: _Parameters) -> bytes:
        """The key."""
        return self.key


Sealing: TypeAlias = Passphrase | Recipient
Opening: TypeAlias = Passphrase | Identity | KnownKey


def _derived(shared: bytes, *public: bytes) -> bytes:
    return HKDF(hashes.SHA256(), _BYTES, None, length_prefixed(_LABEL, *public)).derive(shared)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: object) -> bytes:
    if not isinstance(text, str):
        raise TypeError("not a text")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
