"""What stands before a sealed stream, and the keys that it and a part's id give, format 1.

    4   magic and format: "KSP1"
    1   suite
    1   binary logarithm of the chunk size: 16
    32  salt        \\  of each layer, the inner first
    32  commitment  /

A layer's content key and commitment are HKDF-SHA-512 (RFC 5869) of its object key under the salt; the info has the first
six bytes, the number of the layer and the id of the part. AES-256-GCM alone does not commit to its key.
"""

import hmac
import os
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kms_server.crypto.encryption_context import length_prefixed

CHUNK = 65_536
TAG = 16
_MAGIC = b"KSP1"
_CHUNK_BITS = CHUNK.bit_length() - 1
_PREFIX = len(_MAGIC) + 2
_SALT = 32
_COMMITMENT = 32
_LAYER = _SALT + _COMMITMENT
_LABEL = b"kms-server stream v1"

Cipher = AESGCM | ChaCha20Poly1305
# The ciphers of a suite, the innermost first. Two layers have different ones, so that no single flaw opens both.
_SUITES: dict[int, tuple[type[Cipher], ...]] = {1: (AESGCM,), 2: (AESGCM, ChaCha20Poly1305)}
_SUITE_OF = {len(ciphers): suite for suite, ciphers in _SUITES.items()}


class StreamError(Exception):
    """The bytes are not what was sealed, or sealed under other keys or for another part."""


def fresh(keys: Sequence[bytes], part_id: bytes) -> tuple[bytes, list[Cipher]]:
    """A new header, and the ciphers it gives: one for each key, the innermost first."""
    suite = _SUITE_OF[len(keys)]
    header = prefix = _MAGIC + bytes((suite, _CHUNK_BITS))
    ciphers = []
    for layer, (key, cipher) in enumerate(zip(keys, _SUITES[suite], strict=True)):
        salt = os.urandom(_SALT)
        content_key, commitment = _derive(key, salt, prefix, layer, part_id)
        header += salt + commitment
        ciphers.append(cipher(content_key))
    return header, ciphers


def layers_of(header: bytes) -> int:
    """How many layers a stream has that begins with a header.

    Raises:
        StreamError: it is malformed.
    """
    if len(header) < _PREFIX or header[:4] != _MAGIC or header[5] != _CHUNK_BITS:
        raise StreamError
    layers = len(_SUITES.get(header[4], ()))
    if not layers or len(header) != _PREFIX + _LAYER * layers:
        raise StreamError
    return layers


def opened(keys: Sequence[bytes], part_id: bytes, header: bytes) -> list[Cipher]:
    """The ciphers that a header gives which was kept.

    Raises:
        StreamError: it is malformed, or made with other keys or for another part.
    """
    if layers_of(header) != len(keys):
        raise StreamError
    return [
        cipher(_committed(key, header, layer, part_id))
        for layer, (key, cipher) in enumerate(zip(keys, _SUITES[header[4]], strict=True))
    ]


def _committed(key: bytes, header: bytes, layer: int, part_id: bytes) -> bytes:
    start = _PREFIX + layer * _LAYER
    salt, claimed = header[start : start + _SALT], header[start + _SALT : start + _LAYER]
    content_key, commitment = _derive(key, salt, header[:_PREFIX], layer, part_id)
    if not hmac.compare_digest(commitment, claimed):
        raise StreamError
    return content_key


def _derive(key: bytes, salt: bytes, prefix: bytes, layer: int, part_id: bytes) -> tuple[bytes, bytes]:
    info = length_prefixed(_LABEL, prefix, bytes((layer,)), part_id)
    derived = HKDF(SHA512(), 32 + _COMMITMENT, salt, info).derive(key)
    return derived[:32], derived[32:]
