"""A request and a response, as every door and every test sees them."""

from collections.abc import Mapping
from typing import NamedTuple


class TlsDetails(NamedTuple):
    """What the connection negotiated."""

    version: str
    cipher: str


class Request(NamedTuple):
    """One HTTP request.

    `target` is the raw request target, `headers` has lower-case names and repeated headers joined by a comma in
    the order of arrival; `tls` is None on plain HTTP.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str
    tls: TlsDetails | None = None

    @property
    def path(self) -> str:
        """The raw path."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The raw query string."""
        return self.target.partition("?")[2]


class Response(NamedTuple):
    """One HTTP response; the door adds Content-Length, Date and Connection."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
