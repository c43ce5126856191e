"""The ciphertext of Encrypt and its kin, format 1.

    1   format: 1
    1   kind of key id: 0 single-Region (UUID), 1 multi-Region (mrk-)
    16  key id
    32  key material id
    16  salt
    32  key commitment
    n   AES-256-GCM ciphertext, then the 16-byte tag

The message key and the commitment are derived from the material and the salt, bound to key and version (never to
the Region: members of a multi-Region key open each other's ciphertexts). A message key seals one message, so
the nonce is zero. Header and encryption context are authenticated. Overhead: 114 bytes.
"""

import hmac
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from kms_server.crypto.capabilities import MaterialError
from kms_server.crypto.encryption_context import canonical
from kms_server.crypto.kdf import Prf, TwoKeys
from kms_server.errors import InvalidCiphertextException

_FORMAT = 1
_HEADER = 66
_SEALED = _HEADER + 32
_BEFORE_HEADER, _BEFORE_COMMITMENT = _HEADER.to_bytes(4), (_SEALED - _HEADER).to_bytes(4)
_SALT = 16
_TAG = 16
_NONCE = bytes(12)
_MATERIAL = 32
_LABEL = b"kms-server ciphertext v1"
_MULTI_REGION = "mrk-"


class CiphertextBlob(Struct, frozen=True):
    """What a ciphertext says of itself."""

    key_id: str
    material_id: str

    @classmethod
    def parse(cls, raw: bytes) -> "CiphertextBlob":
        """Parse strictly.

        Raises:
            InvalidCiphertextException: `raw` is not of format 1.
        """
        if len(raw) < _SEALED + _TAG or raw[0] != _FORMAT or raw[1] > 1:
            raise InvalidCiphertextException
        digits = raw[2:18].hex()
        if raw[1]:
            return cls(_MULTI_REGION + digits, raw[18:50].hex())
        key_id = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        return cls(key_id, raw[18:50].hex())


class SymmetricType:
    """256-bit keys of SYMMETRIC_DEFAULT."""

    def generate(self) -> bytes:
        """Fresh raw material."""
        return os.urandom(_MATERIAL)

    def checked(self, material: bytes) -> bytes:
        """Raw material from outside.

        Raises:
            MaterialError: its length.
        """
        if len(material) != _MATERIAL:
            raise MaterialError(f"{len(material)} bytes")
        return material

    def open(self, material: bytes, key_id: str, material_id: str) -> "MessageCipher":
        """A version of a key ready for use."""
        return MessageCipher(material, key_id, material_id)


class MessageCipher:
    """Encrypts and decrypts messages under one version of a key's material."""

    __slots__ = ("_keys", "_prefix")

    def __init__(self, material: bytes, key_id: str, material_id: str) -> None:
        multi_region = key_id.startswith(_MULTI_REGION)
        digits = key_id[4:] if multi_region else key_id.replace("-", "")
        self._prefix = bytes((_FORMAT, multi_region)) + bytes.fromhex(digits + material_id)
        self._keys = TwoKeys(Prf(material), _LABEL, self._prefix)

    def encrypt(self, algorithm: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:  # noqa: ARG002 - the only one
        """The ciphertext as bytes."""
        salt = os.urandom(_SALT)
        header = self._prefix + salt
        key, commitment = self._keys.derive(salt)
        sealed = AESGCM(key).encrypt(_NONCE, plaintext, _associated_data(header, commitment, context))
        return header + commitment + sealed

    def decrypt(self, algorithm: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:  # noqa: ARG002 - the only one
        """Decrypt what `CiphertextBlob.parse` took; the commitment is checked before the rest is touched.

        Raises:
            InvalidCiphertextException: any bit of the ciphertext or the context differs.
        """
        header, sealed = ciphertext[:_HEADER], ciphertext[_SEALED:]
        key, commitment = self._keys.derive(header[-_SALT:])
        if not hmac.compare_digest(commitment, ciphertext[_HEADER:_SEALED]):
            raise InvalidCiphertextException
        try:
            return AESGCM(key).decrypt(_NONCE, sealed, _associated_data(header, commitment, context))
        except InvalidTag:
            raise InvalidCiphertextException from None


def _associated_data(header: bytes, commitment: bytes, context: Mapping[str, str]) -> bytes:
    # Header and commitment have one length each: `length_prefixed` of the three.
    bound = canonical(context)
    return b"".join((_BEFORE_HEADER, header, _BEFORE_COMMITMENT, commitment, len(bound).to_bytes(4), bound))
