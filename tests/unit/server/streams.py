"""A small StreamAnswerer that tests can steer: it claims what lies under /s/."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from msgspec import structs

from kms_server.protocol.message import ClientGone, Request, StreamedResponse
from kms_server.storage.waits import Waits

PART = bytes(range(256)) * 256
_TEXT = (("Content-Type", "text/plain"),)


def whole(request: Request, most: int = 65_536) -> Iterator[bytes]:
    """The pieces of a request's body."""
    assert request.stream is not None
    while piece := request.stream.read(most):
        yield piece


@dataclass
class SteeredStreams:
    """The path says what is done.

    `/s/put` reads the body and answers its length and digest, `/s/kept` does so when the storage lets it go with `gate`,
    as `waits` tells, `/s/echo` answers with the body, `/s/get/N` gives N bytes,
    `/s/early` answers at once, `/s/gate` reads the body when `gate` is set, `/s/broken` fails, `/s/status/N` has no
    body, `/s/cut/N` and `/s/short/N` fail after N bytes or end there, `/s/headers` shows who may read it, and
    `/s/split/N` has a header with a line break.
    """

    gate: threading.Event = field(default_factory=threading.Event)
    requests: list[Request] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)
    waits: Waits = field(default_factory=Waits)
    made: int = 0

    def claims(self, request: Request) -> bool:
        return request.path.startswith("/s/")

    def answer(self, request: Request) -> StreamedResponse:
        self.requests.append(structs.replace(request, stream=None))
        try:
            return self._answer(request, *request.path.split("/")[2:])
        except ClientGone:
            self.gone.set()
            raise

    def _answer(self, request: Request, what: str, size: str = "0") -> StreamedResponse:
        if what == "broken":
            raise ZeroDivisionError("the secret")
        if what in {"put", "gate", "kept"}:
            if what == "gate":
                assert self.gate.wait(20)
            if what == "kept":
                with self.waits.noted():
                    assert self.gate.wait(20)
            return told(self._digest(request))
        if what == "echo":
            body = b"".join(whole(request))
            return StreamedResponse(200, _TEXT, len(body), [body])
        fixed = {
            "status": (int(size), (("ETag", '"1"'), ("Last-Modified", "then")), b""),
            "early": (403, _TEXT, b"early"),
            "headers": (200, (("Access-Control-Allow-Origin", "http://one.test"),), b""),
        }
        if what in fixed:
            status, headers, body = fixed[what]
            return StreamedResponse(status, headers, len(body), (body,))
        headers = (("A", "b\r\nC: d"),) if what == "split" else _TEXT
        return StreamedResponse(200, headers, int(size), self._parts(what, int(size)))

    def _digest(self, request: Request) -> bytes:
        seen, length = sha256(), 0
        for piece in whole(request):
            seen.update(piece)
            length += len(piece)
        return f"{length} {seen.hexdigest()}".encode()

    def _parts(self, what: str, size: int) -> Iterator[bytes]:
        try:
            if what == "short":
                size -= 1
            while size:
                part = PART[:size]
                size -= len(part)
                self.made += len(part)
                yield part
                if what == "cut":
                    raise ZeroDivisionError("the secret")
        finally:
            self.closed.set()


def told(body: bytes) -> StreamedResponse:
    """A small answer."""
    return StreamedResponse(200, _TEXT, len(body), [body])


def digest_of(body: bytes) -> bytes:
    """What `/s/put` answers."""
    return f"{len(body)} {sha256(body).hexdigest()}".encode()


def put(body: bytes, target: str = "/s/put", headers: bytes = b"") -> bytes:
    """An upload with a Content-Length."""
    return (
        b"PUT %b HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n" % (target.encode(), headers, len(body))
        + body
    )


def chunked(body: bytes, size: int, target: str = "/s/put", headers: bytes = b"") -> bytes:
    """An upload in chunks."""
    pieces = b"".join(
        b"%x\r\n%b\r\n" % (len(body[at : at + size]), body[at : at + size])
        for at in range(0, len(body), size)
    )
    head = b"PUT %b HTTP/1.1\r\nHost: a\r\n%bTransfer-Encoding: chunked\r\n\r\n" % (target.encode(), headers)
    return head + pieces + b"0\r\n\r\n"
