"""ML-KEM (FIPS 203): key encapsulation."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import mlkem

from kms_server.crypto import asymmetric
from kms_server.crypto.capabilities import MaterialError
from kms_server.errors import InvalidCiphertextException

_Private = mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey


@dataclass(frozen=True, slots=True)
class MlKemType:
    """Keys of one parameter set."""

    private: type[_Private]

    def generate(self) -> bytes:
        """A fresh key as PKCS#8 that holds the seed (RFC 9935)."""
        return asymmetric.private_der(self.private.generate())

    def checked(self, material: bytes) -> bytes:
        """Nothing: ML-KEM keys cannot be imported.

        Raises:
            MaterialError: always.
        """
        raise MaterialError(f"{len(material)} bytes: ML-KEM keys cannot be imported")

    def open(self, material: bytes, key_id: str, material_id: str) -> "MlKemKey":  # noqa: ARG002 - bound to no id
        """A key ready for use."""
        key = asymmetric.load_own(material)
        assert isinstance(key, _Private)  # noqa: S101 - the type made it
        return MlKemKey(key)


class MlKemKey:
    """An ML-KEM private key in use."""

    def __init__(self, key: _Private) -> None:
        self._private = key
        self._public = key.public_key()

    def public_der(self) -> bytes:
        """The public key as SubjectPublicKeyInfo (RFC 9935)."""
        return asymmetric.public_der(self._public)

    def encapsulate(self) -> tuple[bytes, bytes]:
        """A fresh 32-byte shared secret and its ciphertext (FIPS 203 algorithm 20)."""
        return self._public.encapsulate()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The 32-byte shared secret; of a forged ciphertext an unrelated one (FIPS 203 algorithm 21).

        Raises:
            InvalidCiphertextException: the length is not the parameter set's.
        """
        try:
            return self._private.decapsulate(ciphertext)
        except ValueError:
            raise InvalidCiphertextException from None
