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


# Lines that clients repeat, and runs of such lines, by their text; none is a secret, and strangers choose what is in them.
_REPEATED = frozenset(
    {"host", "accept-encoding", "x-amz-target", "content-type", "user-agent", "x-amz-date", "amz-sdk-request",
     "content-length", "accept", "x-amz-user-agent"}
)  # fmt: skip
_LONGEST_REPEATED = 512
_MOST_REPEATED = 4_096
_repeated: dict[str, tuple[str, str]] = {}
_LONGEST_RUN = 1_024
_MOST_RUNS = 1_024
_runs: dict[str, dict[str, str]] = {}
# These change how the body is framed, or what becomes of the connection; and no header is without a name.
_OTHERS = frozenset({"transfer-encoding", "expect", "connection", "proxy-connection", "upgrade", ""})


def of_call(head: str) -> dict[str, str] | None:
    """The headers of a call of AWS JSON in their order, from lines with CR LF between them.

    None: a name is repeated, or one of `_OTHERS`, or there is no target, or no host. Only a head that llhttp accepts is
    understood by this as it is meant.
    """
    headers = _of_runs(head) or _of_lines(head)
    return headers if "x-amz-target" in headers and "host" in headers else None


def _of_runs(head: str) -> dict[str, str]:
    """The headers of a head in botocore's order: runs of lines that it repeats, a request's own lines between them.

    There are none where the head has another order, or is not as `of_call` has it.
    """
    before, _, rest = head.partition("\r\nAuthorization: ")
    authorization, _, rest = rest.partition("\r\namz-sdk-invocation-id: ")
    invocation, _, after = rest.partition("\r\n")
    if not after or "\n" in authorization:
        return {}
    begin, end = _runs.get(before) or _of_begin(before), _runs.get(after) or _of_run(after)
    headers = {
        **begin, "authorization": authorization.strip(" \t"), "amz-sdk-invocation-id": invocation.strip(" \t"), **end,
    }  # fmt: skip
    return headers if begin and end and len(headers) == len(begin) + 2 + len(end) else {}


def _of_begin(text: str) -> dict[str, str]:
    """The headers of a run that may have a session's token in it; none as in `_of_lines`."""
    before, found, rest = text.partition("\r\nX-Amz-Security-Token: ")
    if not found:
        return _of_run(text)
    token, _, after = rest.partition("\r\n")
    begin, end = _runs.get(before) or _of_run(before), _runs.get(after) or _of_run(after)
    headers = {**begin, "x-amz-security-token": token.strip(" \t"), **end}
    return headers if begin and end and len(headers) == len(begin) + 1 + len(end) else {}


def _of_run(text: str) -> dict[str, str]:
    """As `_of_lines`; what may be kept is kept."""
    headers = _of_lines(text)
    if headers and len(text) <= _LONGEST_RUN and _REPEATED.issuperset(headers):
        if len(_runs) >= _MOST_RUNS:
            _runs.clear()
        _runs[text] = headers
    return headers


def _of_lines(text: str) -> dict[str, str]:
    """The headers of lines; none where a name is repeated, or a line is out of the ordinary."""
    headers: dict[str, str] = {}
    lines = text.split("\r\n")
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
    is_ordinary = (
        len(headers) == len(lines) and _OTHERS.isdisjoint(headers) and is_host(headers.get("host", ""))
    )
    return headers if is_ordinary else {}


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
