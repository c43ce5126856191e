"""Header lines as a mapping."""

import re
from functools import lru_cache

# A second one of these would let two readers of one request disagree on what it says.
_SINGLE = frozenset(
    {"host", "authorization", "content-length", "transfer-encoding", "content-type", "expect", "x-amz-date", "x-amz-target"}
)  # fmt: skip
# What nearly every AWS client sends; other names take the long way.
_KNOWN = {
    name: name.decode().lower()
    for title in (
        b"Host", b"Content-Type", b"Content-Length", b"User-Agent", b"Accept-Encoding", b"Authorization",
        b"X-Amz-Target", b"X-Amz-Date", b"X-Amz-Content-SHA256", b"X-Amz-Security-Token", b"Connection",
        b"amz-sdk-invocation-id", b"amz-sdk-request",
    )
    for name in (title, title.lower())
}  # fmt: skip


# A host and a port (RFC 9112 3.2): no list, path, space or user name, which proxies may read in several ways.
_HOST = re.compile(r"[A-Za-z0-9._~%!$&'()*+;=:\[\]-]*")


@lru_cache(maxsize=256)
def is_host(value: str | None) -> bool:
    """Whether that can be a Host header; it may be empty."""
    return value is not None and _HOST.fullmatch(value) is not None


def named(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name; repeated ones are joined in the order of arrival (RFC 9110 5.3).

    Raises:
        ValueError: one is repeated that must not be.
    """
    headers = {
        _KNOWN.get(name) or name.decode("latin-1").lower(): value.decode("latin-1").rstrip(" \t")
        for name, value in lines
    }
    return headers if len(headers) == len(lines) else _joined(lines)


# Lines that clients repeat, by their text; none of them is a secret, and strangers choose what is in them.
_REPEATED = frozenset(
    {"host", "accept-encoding", "x-amz-target", "content-type", "user-agent", "x-amz-date", "amz-sdk-request",
     "content-length", "accept", "x-amz-user-agent"}
)  # fmt: skip
_LONGEST_REPEATED = 512
_MOST_REPEATED = 4_096
_repeated: dict[str, tuple[str, str]] = {}


def split(head: bytes) -> tuple[dict[str, str], int]:
    """The headers of a head whose lines end in CR LF, and the number of its lines; of repeated names the last one's.

    Only a head that llhttp accepts is understood by this as it is meant.
    """
    headers: dict[str, str] = {}
    lines = head.decode("latin-1").split("\r\n")
    for line in lines:
        known = _repeated.get(line)
        if known is not None:
            headers[known[0]] = known[1]
            continue
        title, _, value = line.partition(":")
        name, value = title.lower(), value.strip(" \t")
        headers[name] = value
        if name in _REPEATED and len(line) <= _LONGEST_REPEATED:
            if len(_repeated) >= _MOST_REPEATED:
                _repeated.clear()
            _repeated[line] = (name, value)
    return headers, len(lines)


def _joined(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in lines:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t")
        if key in headers:
            if key in _SINGLE:
                raise ValueError(f"{key} is repeated")
            text = f"{headers[key]},{text}"
        headers[key] = text
    return headers


def size(lines: list[tuple[bytes, bytes]]) -> int:
    """The bytes of names and values."""
    return sum(len(name) + len(value) for name, value in lines)
