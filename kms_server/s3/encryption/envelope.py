"""An envelope as bytes, format 1, and what the secrets in it are bound to."""

import json

from kms_server.crypto.encryption_context import length_prefixed, parts_of
from kms_server.s3.encryption.types import Envelope, Target
from kms_server.s3.errors import InternalError

_FORMAT = b"\x01"
_BINDING = b"kms-server object key v1"


def binding(kind: str, layer: int, target: Target, key_arn: str = "") -> bytes:
    """What a wrapped object key is bound to: never the path, so that nothing hinders a new name."""
    bound = kind, str(layer), target.bucket_id, target.object_id, key_arn
    return length_prefixed(_BINDING, *(text.encode() for text in bound))


def encode(envelope: Envelope) -> bytes:
    """The envelope as it is kept."""
    return _FORMAT + length_prefixed(
        envelope.kind.encode(), envelope.wrapped, (envelope.key_arn or "").encode(),
        json.dumps(dict(envelope.context)).encode(), bytes((envelope.bucket_key,)), envelope.data_key,
        envelope.wrapped_outer, (envelope.material or "").encode(), envelope.check,
    )  # fmt: skip


def decode(kept: bytes) -> Envelope:
    """The envelope that `encode` wrote.

    Raises:
        InternalError: it did not write this.
    """
    try:
        if kept[:1] != _FORMAT:
            raise InternalError
        kind, wrapped, key_arn, context, bucket_key, data_key, outer, material, check = parts_of(kept[1:])
        return Envelope(
            kind.decode(), wrapped, key_arn.decode() or None, _context(context), bucket_key == b"\x01", data_key, outer,
            material.decode() or None, check,
        )  # fmt: skip
    except ValueError:
        raise InternalError from None


def _context(text: bytes) -> dict[str, str]:
    pairs: dict[str, str] = json.loads(text)
    if not isinstance(pairs, dict):
        raise InternalError
    return pairs
