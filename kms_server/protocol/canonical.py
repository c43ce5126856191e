"""SigV4 task 1: the canonical request, for every service but S3 (AWS "Signature Version 4")."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from posixpath import normpath
from typing import Self
from urllib.parse import quote, unquote_to_bytes

from kms_server.protocol.message import Request

UNRESERVED = "-._~"
# Of a header; other white space may be part of a character in UTF-8.
_BLANKS = re.compile("[ \t]+")


class SignedHeaders(tuple[str, ...]):
    """The names of the headers that a signature covers, of their list as it stands in a request.

    `values` takes the values out of the headers that have them all, `form` is what `canonical_headers` writes them into.
    """

    values: Callable[[Mapping[str, str]], object]
    form: str

    def __new__(cls, text: str) -> Self:
        """Prepare a list, joined by semicolons."""
        names = super().__new__(cls, text.split(";"))
        names.values = itemgetter(*names)
        names.form = "".join([f"{name}:%s\n" for name in text.replace("%", "%%").split(";")])
        return names


def canonical_path(path: str) -> str:
    """The path normalised and encoded once more than it was sent."""
    if path in ("", "/"):
        return "/"
    normal = normpath(path)
    if normal.startswith("//"):
        normal = normal[1:]
    if path.endswith("/") and normal != "/":
        normal += "/"
    return quote(normal, safe=f"/{UNRESERVED}")


def parse_query(query: str) -> list[tuple[str, str]]:
    """Names and values of a query string, percent-decoded and encoded again in the one way SigV4 knows."""
    pairs = []
    for item in filter(None, query.split("&")):
        name, _, value = item.partition("=")
        pairs.append((_recoded(name), _recoded(value)))
    return pairs


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """The pairs sorted by encoded name, then encoded value, without the signature."""
    return "&".join(f"{name}={value}" for name, value in sorted(pairs) if name != "X-Amz-Signature")


def canonical_headers(request: Request, names: SignedHeaders) -> str:
    """`name:value` lines; outer blanks trimmed, inner runs of blanks made one, missing headers empty."""
    headers = request.headers
    try:
        lines = names.form % names.values(headers)
    except KeyError:
        lines = " "
    if not (" " in lines or "\t" in lines):
        return lines  # without a blank in it there is nothing to trim
    return "".join([f"{name}:{_BLANKS.sub(' ', headers.get(name, '')).strip(' ')}\n" for name in names])


def canonical_request(request: Request, signed_headers: str, names: SignedHeaders) -> str:
    """The text whose hash is signed; `signed_headers` lists the `names`."""
    target = "/\n"
    if request.target != "/":
        path, _, query = request.target.partition("?")
        target = f"{canonical_path(path)}\n{canonical_query(parse_query(query))}"
    return (
        f"{request.method}\n{target}\n{canonical_headers(request, names)}\n{signed_headers}\n"
        f"{payload_hash(request.body)}"
    )


def payload_hash(body: bytes) -> str:
    """Hexadecimal SHA-256 of a body."""
    return hashlib.sha256(body).hexdigest()


def _recoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe=UNRESERVED)
