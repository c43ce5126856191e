"""Rows as text: the text format of PostgreSQL's COPY, which backups of both databases have.

A row is a line, its columns are parted by tabs, null is `\\N`, and backslashes stand before what would part them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

TEXT, INTEGER, REAL, BOOLEAN, BYTES = "text", "integer", "real", "boolean", "bytes"
BLOCK = 65_536  # bytes; a block has whole rows
_NULL = b"\\N"
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_ESCAPED = str.maketrans(_ESCAPES)
_MEANT = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"\\": b"\\"}
_SEQUENCE = re.compile(rb"\\(.)", re.DOTALL)

_Encoder: TypeAlias = Callable[[Any], str]
_Decoder: TypeAlias = Callable[[bytes], Any]


class BadRow(ValueError):
    """A row is not of the kinds of its columns."""


def encoded(rows: Iterable[Sequence[Any]], kinds: Sequence[str]) -> Iterator[bytes]:
    """Blocks of rows.

    Raises:
        BadRow: a value is not of its column's kind.
    """
    encoders = [_ENCODERS[kind] for kind in kinds]
    lines: list[bytes] = []
    size = 0
    for row in rows:
        try:
            values = [
                "\\N" if value is None else encode(value) for encode, value in zip(encoders, row, strict=True)
            ]
            line = "\t".join(values).encode("utf-8") + b"\n"
        except (TypeError, AttributeError, LookupError, ValueError) as error:
            raise BadRow(str(error)) from None
        lines.append(line)
        size += len(line)
        if size >= BLOCK:
            yield b"".join(lines)
            lines, size = [], 0
    if lines:
        yield b"".join(lines)


def joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks of whole rows from pieces that are whole rows."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= BLOCK:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def decoded(block: bytes, kinds: Sequence[str]) -> Iterator[list[Any]]:
    """The rows of a block.

    Raises:
        BadRow: it has others than these columns, or a value is not of its column's kind.
    """
    decoders = [_DECODERS[kind] for kind in kinds]
    if not block.endswith(b"\n"):
        raise BadRow("a row has no end")
    for line in block[:-1].split(b"\n"):
        fields = line.split(b"\t")
        if len(fields) != len(decoders):
            raise BadRow("a row has other columns")
        try:
            yield [
                None if field == _NULL else decode(field)
                for decode, field in zip(decoders, fields, strict=True)
            ]
        except (KeyError, ValueError) as error:
            raise BadRow(str(error)) from None


def _encode_text(value: str) -> str:
    return value.translate(_ESCAPED)


def _encode_integer(value: int) -> str:
    if type(value) is not int:
        raise TypeError("not an integer")
    return str(value)


def _encode_bytes(value: bytes) -> str:
    return f"\\\\x{value.hex()}"


def _plain(field: bytes) -> bytes:
    return _SEQUENCE.sub(lambda found: _MEANT[found[1]], field) if b"\\" in field else field


def _decode_text(field: bytes) -> str:
    return _plain(field).decode("utf-8")


def _decode_bytes(field: bytes) -> bytes:
    if not field.startswith(b"\\\\x"):
        raise ValueError("not bytes")
    return bytes.fromhex(field[3:].decode("ascii"))


_ENCODERS: dict[str, _Encoder] = {
    TEXT: _encode_text,
    INTEGER: _encode_integer,
    REAL: lambda value: repr(float(value)),
    BOOLEAN: {0: "f", 1: "t"}.__getitem__,
    BYTES: _encode_bytes,
}
_DECODERS: dict[str, _Decoder] = {
    TEXT: _decode_text,
    INTEGER: int,
    REAL: float,
    BOOLEAN: {b"f": False, b"t": True}.__getitem__,
    BYTES: _decode_bytes,
}
