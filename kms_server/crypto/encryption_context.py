"""The encryption context as bytes."""

from collections.abc import Mapping


def length_prefixed(*parts: bytes) -> bytes:
    """The parts, each behind its length in four bytes: different lists of parts never give the same bytes."""
    return b"".join([len(part).to_bytes(4) + part for part in parts])


def parts_of(data: bytes) -> list[bytes]:
    """The parts of what `length_prefixed` made.

    Raises:
        ValueError: it did not make this.
    """
    parts, at = [], 0
    while at < len(data):
        start = at + 4
        at = start + int.from_bytes(data[at:start])
        parts.append(data[start:at])
        if at > len(data) or start > len(data):
            raise ValueError("cut off")
    return parts


def canonical(context: Mapping[str, str]) -> bytes:
    """An injective form of a context: pairs sorted by key, all lengths prefixed, UTF-8.

    The order of pairs does not matter; `{"ab": "c"}` and `{"a": "bc"}` differ.
    """
    if not context:
        return b""
    return length_prefixed(*(text.encode() for pair in sorted(context.items()) for text in pair))
