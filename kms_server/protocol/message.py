"""A request and a response, as every door and every test sees them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from msgspec import Struct


class TlsDetails(NamedTuple):
    """What the connection negotiated; empty where a proxy had it and says no more than that it was TLS."""

    version: str
    cipher: str


class ClientGone(Exception):
    """The client has gone, or sends nothing any more, before its body was complete."""


class Body(Protocol):
    """The body of a request as it arrives; one thread reads it."""

    def read(self, most: int) -> bytes:
        """The next bytes, `most` at most; waits for at least one. Empty at the end of the body.

        The first read of a body whose client waits for a 100 (Continue) sends it.

        Raises:
            ClientGone: the rest will not come.
        """


class Request(Struct, frozen=True):
    """One HTTP request.

    `target` is the raw request target, `headers` has lower-case names and repeated headers joined by a comma in
    the order of arrival; `tls` is None on plain HTTP. Where there is a `stream`, it is the body and `body` is empty.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str
    tls: TlsDetails | None = None
    stream: Body | None = None

    @property
    def path(self) -> str:
        """The raw path."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The raw query string."""
        return self.target.partition("?")[2]


class Response(Struct, frozen=True):
    """One HTTP response; the door adds Content-Length, Date and Connection."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class StreamedResponse(Struct, frozen=True):
    """One HTTP response of `length` bytes that are made while they are sent; the door adds the rest as above.

    `parts` must be iterated in a thread, and closed when it is a generator and its client has gone. An answer to HEAD
    has the length of what GET would send and no parts. When a part cannot be made, iteration raises, and the door
    breaks the connection off.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    length: int
    parts: Iterable[bytes]
