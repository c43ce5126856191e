"""Requests signed as clients sign them, and chunked bodies made as they make them."""

import hashlib
from collections.abc import Mapping, Sequence

from kms_server.protocol.message import ClientGone, Request
from kms_server.protocol.signed import signing_key
from kms_server.s3.wire.aws_chunked import ChunkSigning

ACCESS_KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
STAMP, DATE = "20130524T000000Z", "20130524"
SCOPE = f"{DATE}/us-east-1/s3/aws4_request"
KEY = signing_key(SECRET, DATE, "us-east-1", "s3")


class Pieces:
    """A body that arrives in given pieces."""

    def __init__(self, pieces: Sequence[bytes], *, broken: bool = False) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self._broken = broken
        self.reads = 0

    def read(self, most: int) -> bytes:
        self.reads += 1
        if not self._pieces:
            if self._broken:
                raise ClientGone
            return b""
        piece = self._pieces.pop(0)
        if len(piece) > most:
            self._pieces.insert(0, piece[most:])
        return piece[:most]


def request(
    method: str = "GET",
    target: str = "/",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    stream: Pieces | None = None,
) -> Request:
    return Request(method, target, {"host": "s3.amazonaws.com"} | dict(headers or {}), body, "", None, stream)


def signing(seed: str = "0" * 64) -> ChunkSigning:
    return ChunkSigning(KEY, STAMP, SCOPE, seed)


def signed_body(
    data: bytes, size: int, seed: str = "0" * 64, trailers: Mapping[str, str] | None = None
) -> bytes:
    """A body of signed chunks of `size`, written without the code under test but for the key."""
    out, previous = b"", seed
    pieces = [data[place : place + size] for place in range(0, len(data), size)] + [b""]
    empty = hashlib.sha256(b"").hexdigest()
    for piece in pieces:
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{STAMP}\n{SCOPE}\n{previous}\n{empty}\n{hashlib.sha256(piece).hexdigest()}"
        previous = KEY.digest(text.encode()).hex()
        out += f"{len(piece):x};chunk-signature={previous}\r\n".encode() + piece + (b"\r\n" if piece else b"")
    if trailers is not None:
        lines = "".join(f"{name}:{value}\n" for name, value in trailers.items())
        digest = hashlib.sha256(lines.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256-TRAILER\n{STAMP}\n{SCOPE}\n{previous}\n{digest}"
        out += lines.replace("\n", "\r\n").encode()
        out += f"x-amz-trailer-signature:{KEY.digest(text.encode()).hex()}\r\n".encode()
    return out + b"\r\n"


def plain_body(data: bytes, size: int, trailers: Mapping[str, str]) -> bytes:
    """A body of unsigned chunks with trailers."""
    pieces = [data[place : place + size] for place in range(0, len(data), size)]
    out = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n"
    return out + "".join(f"{name}:{value}\r\n" for name, value in trailers.items()).encode() + b"\r\n"
