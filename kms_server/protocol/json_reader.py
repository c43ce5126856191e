"""The one reader of JSON and base64, and the one writer: two parsers would be two meanings."""

import binascii
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from kms_server.errors import SerializationException

_ENCODER = msgspec.json.Encoder()
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
# How a padded text may end. Of the six bits of its last character two are behind the last byte before "=", and four before
# "==": they are zero in every fourth character of the alphabet, and in every sixteenth.
_ENDS = frozenset([f"{c}=" for c in _ALPHABET[::4]] + [f"{c}==" for c in _ALPHABET[::16]])


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a request body: UTF-8 without a byte order mark, no NaN, no lone surrogates (RFC 8259).

    Raises:
        SerializationException: it is anything else.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise SerializationException from None
    if not isinstance(document, dict):
        raise SerializationException
    return document


def read_base64(text: str) -> bytes:
    """Canonical base64 with padding (RFC 4648 section 3.5).

    Raises:
        SerializationException: with AWS's text.
    """
    if len(text) % 4:
        raise SerializationException(
            f"'{text}' can not be converted to a Blob: "
            f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(text)}"
        )
    try:
        decoded = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        wrong = next((c for c in text.rstrip("=") if c not in _ALPHABET), "=")
        raise SerializationException(f"Invalid Base64 character: '{wrong}'") from None
    # Other bits there would make two texts of the same bytes. Strict mode takes padding at the end alone, two at most.
    if text[-1:] == "=" and text[-2:] not in _ENDS and text[-3:] not in _ENDS:
        raise SerializationException("Invalid last non-pad Base64 character dectected")
    return decoded


def write(value: Mapping[str, Any]) -> bytes:
    """A response body: bytes become base64, times are epoch numbers already."""
    # What orjson writes keeps 4,096 bytes until it is sent, however short it is.
    return _ENCODER.encode(value)
