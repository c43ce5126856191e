"""RSA: OAEP, PSS and PKCS#1 v1.5 (RFC 8017)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from kms_server.crypto import asymmetric
from kms_server.crypto.capabilities import MaterialError
from kms_server.errors import (
    InvalidCiphertextException,
    KMSInvalidSignatureException,
    ValidationException,
)

_EXPONENT = 65_537
_Hash = Callable[[], hashes.HashAlgorithm]
_OAEP: Mapping[str, _Hash] = {"RSAES_OAEP_SHA_1": hashes.SHA1, "RSAES_OAEP_SHA_256": hashes.SHA256}
_HASHES: Mapping[str, _Hash] = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def oaep(make_hash: _Hash) -> padding.OAEP:
    """OAEP with MGF1 over the same hash and an empty label."""
    return padding.OAEP(padding.MGF1(make_hash()), make_hash(), None)


def _pss(make_hash: _Hash) -> padding.AsymmetricPadding:
    return padding.PSS(padding.MGF1(make_hash()), padding.PSS.DIGEST_LENGTH)


def _pkcs1(_: _Hash) -> padding.AsymmetricPadding:
    return padding.PKCS1v15()


_SIGNING = {
    f"RSASSA_{name}_SHA_{bits}": (make_padding(make_hash), make_hash)
    for name, make_padding in (("PSS", _pss), ("PKCS1_V1_5", _pkcs1))
    for bits, make_hash in _HASHES.items()
}


@dataclass(frozen=True, slots=True)
class RsaType:
    """RSA keys of `bits` bits with two primes; fresh ones have the exponent 65537."""

    bits: int

    def generate(self) -> bytes:
        """A fresh key as PKCS#8."""
        return asymmetric.private_der(rsa.generate_private_key(_EXPONENT, self.bits))

    def checked(self, material: bytes) -> bytes:
        """A key from outside, encoded anew.

        Raises:
            MaterialError: it is no consistent RSA key of this size, or its exponent is weak.
        """
        key = asymmetric.parse_foreign(material)
        # Its size first: the checks of a key take time that grows with the fourth power of it.
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != self.bits:
            raise MaterialError(f"not an RSA key of {self.bits} bits")
        asymmetric.load_foreign(material)
        if not 16 < key.public_key().public_numbers().e.bit_length() <= 256:
            raise MaterialError("the public exponent is not between 2^16 and 2^256 (FIPS 186-5 section 5.1)")
        return asymmetric.private_der(key)

    def open(self, material: bytes, key_id: str, material_id: str) -> "RsaKey":  # noqa: ARG002 - bound to no id
        """A key ready for use."""
        key = asymmetric.load_own(material)
        assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - the type made it
        return RsaKey(key)


class RsaKey:
    """An RSA private key in use."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._private = key
        self._public = key.public_key()

    def public_der(self) -> bytes:
        """The public key as SubjectPublicKeyInfo."""
        return asymmetric.public_der(self._public)

    def encrypt(self, algorithm: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """OAEP encryption (RFC 8017 section 7.1).

        Raises:
            ValidationException: the plaintext is longer than modulus and hash leave room for, or there is a context.
        """
        _refuse(context)
        make_hash = _OAEP[algorithm]
        room = self._public.key_size // 8 - 2 * make_hash().digest_size - 2
        if len(plaintext) > room:
            raise ValidationException(
                f"Algorithm {algorithm} and key spec RSA_{self._public.key_size} cannot encrypt data larger than {room} bytes."
            )
        return self._public.encrypt(plaintext, oaep(make_hash))

    def decrypt(self, algorithm: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        """OAEP decryption (RFC 8017 section 7.1).

        Raises:
            InvalidCiphertextException: whatever is wrong with the ciphertext.
        """
        _refuse(context)
        try:
            return self._private.decrypt(ciphertext, oaep(_OAEP[algorithm]))
        except ValueError:
            raise InvalidCiphertextException from None

    def sign(self, algorithm: str, message: bytes, message_type: str) -> bytes:
        """PSS with a salt as long as the digest, or PKCS#1 v1.5 (RFC 8017 sections 8.1, 8.2)."""
        chosen, make_hash = _SIGNING[algorithm]
        return self._private.sign(
            message, chosen, asymmetric.hashed(algorithm, message, message_type, make_hash)
        )

    def verify(self, algorithm: str, message: bytes, message_type: str, signature: bytes) -> None:
        """Check a signature.

        Raises:
            KMSInvalidSignatureException: it is not of this key and message.
        """
        chosen, make_hash = _SIGNING[algorithm]
        how = asymmetric.hashed(algorithm, message, message_type, make_hash)
        # RFC 8017, 8.1.2 step 1: OpenSSL takes a PSS signature without its leading zeros, too.
        if len(signature) * 8 != self._public.key_size:
            raise KMSInvalidSignatureException
        try:
            self._public.verify(signature, message, chosen, how)
        except InvalidSignature:
            raise KMSInvalidSignatureException from None


def _refuse(context: Mapping[str, str]) -> None:
    if context:
        raise ValidationException(
            "EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs."
        )
