"""ML-DSA (FIPS 204): hedged signatures with an empty context, of messages or of their representative mu."""

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import mldsa

from kms_server.crypto import asymmetric
from kms_server.crypto.capabilities import MaterialError
from kms_server.errors import KMSInvalidSignatureException, ValidationException

_Private = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
_MU = 64


@dataclass(frozen=True, slots=True)
class MlDsaType:
    """Keys of one parameter set."""

    private: type[_Private]

    def generate(self) -> bytes:
        """A fresh key as PKCS#8 that holds the seed (RFC 9881)."""
        return asymmetric.private_der(self.private.generate())

    def checked(self, material: bytes) -> bytes:
        """Nothing: ML-DSA keys cannot be imported (AWS "Importing key material").

        Raises:
            MaterialError: always.
        """
        raise MaterialError(f"{len(material)} bytes: ML-DSA keys cannot be imported")

    def open(self, material: bytes, key_id: str, material_id: str) -> "MlDsaKey":  # noqa: ARG002 - bound to no id
        """A key ready for use."""
        key = asymmetric.load_own(material)
        assert isinstance(key, _Private)  # noqa: S101 - the type made it
        return MlDsaKey(key)


class MlDsaKey:
    """An ML-DSA private key in use."""

    def __init__(self, key: _Private) -> None:
        self._private = key
        self._public = key.public_key()

    def public_der(self) -> bytes:
        """The public key as SubjectPublicKeyInfo (RFC 9881)."""
        return asymmetric.public_der(self._public)

    def sign(self, algorithm: str, message: bytes, message_type: str) -> bytes:
        """Sign a message, or mu in its place (FIPS 204 algorithm 7, line 6).

        Raises:
            ValidationException: ML-DSA takes RAW messages and an EXTERNAL_MU of 64 bytes.
        """
        if _is_mu(algorithm, message, message_type):
            return self._private.sign_mu(message)
        return self._private.sign(message)

    def verify(self, algorithm: str, message: bytes, message_type: str, signature: bytes) -> None:
        """Check a signature.

        Raises:
            KMSInvalidSignatureException: it is not of this key and message.
            ValidationException: as for `sign`.
        """
        check = self._public.verify_mu if _is_mu(algorithm, message, message_type) else self._public.verify
        try:
            check(signature, message)
        except InvalidSignature:
            raise KMSInvalidSignatureException from None


def _is_mu(algorithm: str, message: bytes, message_type: str) -> bool:
    if message_type == "RAW":
        return False
    if message_type != "EXTERNAL_MU":
        raise asymmetric.unfit_message_type(algorithm, message_type)
    if len(message) != _MU:
        raise ValidationException(f"EXTERNAL_MU must be {_MU} bytes for algorithm {algorithm}.")
    return True
