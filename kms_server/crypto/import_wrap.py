"""Key material on its way in: wrapped by its owner under an RSA public key (AWS ImportKeyMaterial)."""

from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

from kms_server.crypto.asymmetric import load_own
from kms_server.crypto.rsa import oaep
from kms_server.errors import InvalidCiphertextException, ValidationException

_Hash = Callable[[], hashes.HashAlgorithm]
_AES_256 = 32


def _direct(key: rsa.RSAPrivateKey, wrapped: bytes, make_hash: _Hash) -> bytes:
    if len(wrapped) != key.key_size // 8:
        raise ValidationException("Invalid encrypted key size.")
    return key.decrypt(wrapped, oaep(make_hash))


def _through_aes(key: rsa.RSAPrivateKey, wrapped: bytes, make_hash: _Hash) -> bytes:
    size = key.key_size // 8
    # AES-KWP ciphertexts are whole blocks of 8 bytes and at least two (RFC 5649 section 3).
    blocks, rest = divmod(len(wrapped) - size, 8)
    if blocks < 2 or rest:
        raise ValidationException("Invalid encrypted key size.")
    ephemeral = key.decrypt(wrapped[:size], oaep(make_hash))
    if len(ephemeral) != _AES_256:
        raise InvalidCiphertextException
    return aes_key_unwrap_with_padding(ephemeral, wrapped[size:])


_ALGORITHMS = {
    "RSAES_OAEP_SHA_1": (_direct, hashes.SHA1),
    "RSAES_OAEP_SHA_256": (_direct, hashes.SHA256),
    "RSA_AES_KEY_WRAP_SHA_1": (_through_aes, hashes.SHA1),
    "RSA_AES_KEY_WRAP_SHA_256": (_through_aes, hashes.SHA256),
}
ALGORITHMS = tuple(_ALGORITHMS)


def unwrap(private_der: bytes, algorithm: str, wrapped: bytes) -> bytes:
    """The key material that was wrapped.

    RSA_AES_KEY_WRAP is a fresh AES-256 key under OAEP, then the material under it by AES-KWP (RFC 5649).

    Raises:
        ValidationException: the length fits neither key nor algorithm.
        InvalidCiphertextException: it does not open.
    """
    key = load_own(private_der)
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - this service made it
    open_, make_hash = _ALGORITHMS[algorithm]
    try:
        return open_(key, wrapped, make_hash)
    except (ValueError, InvalidUnwrap):
        raise InvalidCiphertextException from None
