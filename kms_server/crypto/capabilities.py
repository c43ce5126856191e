"""What opened key material can do, by usage, and what makes and opens it. Implementations: one module per algorithm."""

from collections.abc import Mapping
from typing import Protocol


class EncryptionKey(Protocol):
    """Material of usage ENCRYPT_DECRYPT."""

    def encrypt(self, algorithm: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """The ciphertext of a plaintext.

        Raises:
            ValidationException: the plaintext is too long, or a context is given where none is possible.
        """

    def decrypt(self, algorithm: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        """The plaintext of a ciphertext.

        Raises:
            InvalidCiphertextException: ciphertext, algorithm or context differ from what was encrypted.
        """


class PublicKey(Protocol):
    """Material that has a public half."""

    def public_der(self) -> bytes:
        """The public key as DER SubjectPublicKeyInfo (RFC 5280)."""


class SigningKey(PublicKey, Protocol):
    """Material of usage SIGN_VERIFY. `message_type` is RAW, DIGEST or EXTERNAL_MU."""

    def sign(self, algorithm: str, message: bytes, message_type: str) -> bytes:
        """The signature of a message.

        Raises:
            ValidationException: the message type does not fit, or the digest's length.
        """

    def verify(self, algorithm: str, message: bytes, message_type: str, signature: bytes) -> None:
        """Return when the signature is right.

        Raises:
            KMSInvalidSignatureException: it is not.
            ValidationException: the message type does not fit, or the digest's length.
        """


class MacKey(Protocol):
    """Material of usage GENERATE_VERIFY_MAC."""

    def mac(self, message: bytes) -> bytes:
        """The tag of a message."""


class AgreementKey(PublicKey, Protocol):
    """Material of usage KEY_AGREEMENT."""

    def derive(self, peer_der: bytes) -> bytes:
        """The raw shared secret with a peer's public key (DER SubjectPublicKeyInfo).

        Raises:
            ValidationException: that is no public key, or one of another curve.
        """


class EncapsulationKey(PublicKey, Protocol):
    """Material of usage ENCAPSULATE_DECAPSULATE."""

    def encapsulate(self) -> tuple[bytes, bytes]:
        """A fresh 32-byte shared secret and its ciphertext."""

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The 32-byte shared secret of a ciphertext; of a forged one, an unrelated secret (FIPS 203).

        Raises:
            InvalidCiphertextException: the length is wrong.
        """


class MaterialError(Exception):
    """Bytes that are not key material of the kind they are given for."""


class KeyType(Protocol):
    """What makes, checks and opens the material of a key spec."""

    def generate(self) -> bytes:
        """Fresh material: raw bytes of a symmetric key, else PKCS#8 DER."""

    def checked(self, material: bytes) -> bytes:
        """Material from outside, in the form in which it is stored.

        Raises:
            MaterialError: it is malformed, or of another kind or size.
        """

    def open(self, material: bytes, key_id: str, material_id: str) -> object:
        """The material ready for use: an object with the capabilities of the key type."""
