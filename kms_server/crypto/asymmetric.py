"""Private keys as bytes, and what all signatures over a hash share."""

from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
)

from kms_server.crypto.capabilities import MaterialError
from kms_server.errors import ValidationException

_SEQUENCE = 0x30


def private_der(key: PrivateKeyTypes) -> bytes:
    """A private key as unencrypted PKCS#8 (RFC 5958)."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def public_der(key: PublicKeyTypes) -> bytes:
    """A public key as SubjectPublicKeyInfo (RFC 5280)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def load_own(material: bytes) -> PrivateKeyTypes:
    """A private key that this service stored.

    It was checked when it came in and is authenticated since; checking an RSA key again would take as long as
    a hundred signatures.
    """
    return load_der_private_key(material, None, unsafe_skip_rsa_key_validation=True)


def load_foreign(material: bytes) -> PrivateKeyTypes:
    """A private key from outside as PKCS#8, with every check the library has.

    Raises:
        MaterialError: it is not one.
    """
    return _load(material, unchecked=False)


def parse_foreign(material: bytes) -> PrivateKeyTypes:
    """A private key from outside as PKCS#8 of which nothing is checked but its form.

    Raises:
        MaterialError: it is not one.
    """
    return _load(material, unchecked=True)


def _load(material: bytes, *, unchecked: bool) -> PrivateKeyTypes:
    try:
        key = load_der_private_key(material, None, unsafe_skip_rsa_key_validation=unchecked)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MaterialError("no PKCS#8 private key") from None
    if not _is_pkcs8(material):
        raise MaterialError("no PKCS#8 private key")
    return key


def _is_pkcs8(der: bytes) -> bool:
    """Whether an algorithm follows the version; PKCS#1 has a number there, SEC 1 octets."""
    header = 2 + (der[1] & 0x7F if der[1] & 0x80 else 0)
    return der[header + 3] == _SEQUENCE


def der_from_pem(text: str) -> bytes:
    """A private key from outside in PEM: PKCS#8, or the older forms of OpenSSL (PKCS#1, SEC 1).

    Raises:
        MaterialError: it is none, or it is encrypted.
    """
    try:
        return private_der(load_pem_private_key(text.encode(), None))
    except TypeError:
        raise MaterialError("an encrypted private key") from None
    except (ValueError, UnsupportedAlgorithm):
        raise MaterialError("no private key in PEM") from None


def load_peer(der: bytes) -> PublicKeyTypes:
    """A public key from outside.

    Raises:
        MaterialError: it is not one.
    """
    try:
        return load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MaterialError("no public key") from None


def hashed(
    algorithm: str, message: bytes, message_type: str, make_hash: Callable[[], hashes.HashAlgorithm]
) -> hashes.HashAlgorithm | Prehashed:
    """How the library is to treat a message: a digest is not hashed again.

    Raises:
        ValidationException: the digest's length, or a message type that is not for this algorithm.
    """
    chosen = make_hash()
    if message_type == "RAW":
        return chosen
    if message_type != "DIGEST":
        raise unfit_message_type(algorithm, message_type)
    if len(message) != chosen.digest_size:
        raise ValidationException(f"Digest is invalid length for algorithm {algorithm}.")
    return Prehashed(chosen)


def unfit_message_type(algorithm: str, message_type: str) -> ValidationException:
    """The answer to a message type that an algorithm does not take."""
    return ValidationException(f"MessageType {message_type} is not valid for algorithm {algorithm}.")
