"""The formats once more, from their descriptions, over other primitives than the server uses."""

import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode


def derive(key: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """NIST SP 800-108r1 section 4.1 by the library's own implementation."""
    return KBKDFHMAC(
        algorithm=hashes.SHA256(), mode=Mode.CounterMode, length=length, rlen=4, llen=4,
        location=CounterLocation.BeforeFixed, label=label, context=context, fixed=None,
    ).derive(key)  # fmt: skip


def prefixed(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def context_bytes(context: dict[str, str]) -> bytes:
    flat = [text.encode() for name in sorted(context) for text in (name, context[name])]
    return prefixed(*flat) if flat else b""


def seal(
    material: bytes,
    key_id: str,
    material_id: str,
    plaintext: bytes,
    context: dict[str, str],
    salt: bytes | None = None,
) -> bytes:
    """A ciphertext of format 1."""
    kind = key_id.startswith("mrk-")
    digits = key_id.removeprefix("mrk-").replace("-", "")
    header = (
        struct.pack("BB", 1, kind)
        + bytes.fromhex(digits)
        + bytes.fromhex(material_id)
        + (salt or os.urandom(16))
    )
    derived = derive(material, b"kms-server ciphertext v1", header, 64)
    authenticated = prefixed(header, derived[32:], context_bytes(context))
    return header + derived[32:] + AESGCM(derived[:32]).encrypt(bytes(12), plaintext, authenticated)


def open_(material: bytes, raw: bytes, context: dict[str, str]) -> bytes:
    """The plaintext of a ciphertext of format 1."""
    header, commitment, sealed = raw[:66], raw[66:98], raw[98:]
    derived = derive(material, b"kms-server ciphertext v1", header, 64)
    assert derived[32:] == commitment
    return AESGCM(derived[:32]).decrypt(
        bytes(12), sealed, prefixed(header, commitment, context_bytes(context))
    )


def wrap(key: bytes, secret: bytes, binding: bytes, salt: bytes) -> bytes:
    """A wrapped secret of format 1."""
    return (
        b"\1"
        + salt
        + AESGCM(derive(key, b"kms-server wrap v1", salt, 32)).encrypt(bytes(12), secret, b"\1" + binding)
    )


def unwrap(key: bytes, wrapped: bytes, binding: bytes) -> bytes:
    """The secret of format 1."""
    own = derive(key, b"kms-server wrap v1", wrapped[1:17], 32)
    return AESGCM(own).decrypt(bytes(12), wrapped[17:], wrapped[:1] + binding)
