"""Ed25519 and Ed25519ph (RFC 8032), with an empty context."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from nacl import bindings
from nacl.exceptions import BadSignatureError

from kms_server.crypto import asymmetric
from kms_server.crypto.capabilities import MaterialError
from kms_server.errors import KMSInvalidSignatureException, ValidationException

_PREHASHED = "ED25519_PH_SHA_512"
_MESSAGE_TYPES = {"ED25519_SHA_512": "RAW", _PREHASHED: "DIGEST"}
_DIGEST = 64
_SIGNATURE = 64


class Ed25519Type:
    """Keys on edwards25519."""

    def generate(self) -> bytes:
        """A fresh key as PKCS#8 (RFC 8410)."""
        return asymmetric.private_der(ed25519.Ed25519PrivateKey.generate())

    def checked(self, material: bytes) -> bytes:
        """A key from outside, encoded anew.

        Raises:
            MaterialError: it is no Ed25519 key.
        """
        key = asymmetric.load_foreign(material)
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise MaterialError("not an Ed25519 key")
        return asymmetric.private_der(key)

    def open(self, material: bytes, key_id: str, material_id: str) -> "Ed25519Key":  # noqa: ARG002 - bound to no id
        """A key ready for use."""
        key = asymmetric.load_own(material)
        assert isinstance(key, ed25519.Ed25519PrivateKey)  # noqa: S101 - the type made it
        return Ed25519Key(key)


class Ed25519Key:
    """An Ed25519 private key in use. libsodium signs Ed25519ph, which OpenSSL's binding lacks."""

    def __init__(self, key: ed25519.Ed25519PrivateKey) -> None:
        self._private = key
        self._public = key.public_key()

    def public_der(self) -> bytes:
        """The public key as SubjectPublicKeyInfo (RFC 8410)."""
        return asymmetric.public_der(self._public)

    def sign(self, algorithm: str, message: bytes, message_type: str) -> bytes:
        """The 64 bytes R and S.

        Raises:
            ValidationException: Ed25519 takes RAW messages, Ed25519ph digests of 64 bytes.
        """
        _check(algorithm, message, message_type)
        if algorithm != _PREHASHED:
            return self._private.sign(message)
        public = self._public.public_bytes_raw()
        signed: bytes = bindings.crypto_sign_ed25519ph_final_create(
            _prehash(message), self._private.private_bytes_raw() + public
        )
        return signed

    def verify(self, algorithm: str, message: bytes, message_type: str, signature: bytes) -> None:
        """Check a signature.

        Raises:
            KMSInvalidSignatureException: it is not of this key and message.
            ValidationException: as for `sign`.
        """
        _check(algorithm, message, message_type)
        if len(signature) != _SIGNATURE:
            raise KMSInvalidSignatureException
        try:
            if algorithm != _PREHASHED:
                self._public.verify(signature, message)
            else:
                public = self._public.public_bytes_raw()
                bindings.crypto_sign_ed25519ph_final_verify(_prehash(message), signature, public)
        except (InvalidSignature, BadSignatureError):
            raise KMSInvalidSignatureException from None


def _check(algorithm: str, message: bytes, message_type: str) -> None:
    if message_type != _MESSAGE_TYPES[algorithm]:
        raise asymmetric.unfit_message_type(algorithm, message_type)
    if message_type == "DIGEST" and len(message) != _DIGEST:
        raise ValidationException(f"Digest is invalid length for algorithm {algorithm}.")


def _prehash(digest: bytes) -> bindings.crypto_sign_ed25519ph_state:
    # KMS hands Ed25519ph the digest as its message: it is hashed once more (RFC 8032 section 5.1.7).
    state = bindings.crypto_sign_ed25519ph_state()
    bindings.crypto_sign_ed25519ph_update(state, digest)
    return state
