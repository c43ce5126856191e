"""Bodies with `Content-Encoding: aws-chunked`: chunks that may each be signed, and trailers behind the last.

AWS "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks", with and without
trailing headers. Nothing of a signed chunk is released before its signature was verified.
"""

import hashlib
import hmac
import re
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from kms_server.crypto.kdf import Prf
from kms_server.protocol.message import Body
from kms_server.protocol.signed import ALGORITHM
from kms_server.s3.errors import (
    IncompleteBody,
    InvalidChunkSize,
    InvalidRequest,
    MalformedTrailer,
    SignatureDoesNotMatch,
)

# A signed chunk is kept in memory until it is verified.
MOST_SIGNED_CHUNK = 16 * 1_048_576
_LEAST_SIGNED_CHUNK = 8_192
_MOST_LINE = 1_024
_MOST_TRAILERS = 16
_EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_PLAIN_LINE = re.compile(rb"([0-9a-fA-F]{1,16})")
_SIGNED_LINE = re.compile(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"


class Mode(NamedTuple):
    """How a body is chunked."""

    is_signed: bool
    has_trailer: bool


# By the values of x-amz-content-sha256.
MODES = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": Mode(is_signed=True, has_trailer=False),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": Mode(is_signed=True, has_trailer=True),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": Mode(is_signed=False, has_trailer=True),
}


class ChunkSigning(NamedTuple):
    """What the signatures of chunks are made with; `seed` is the signature of the request itself."""

    key: Prf
    timestamp: str
    scope: str
    seed: str

    def chunk(self, previous: str, payload_hash: str) -> str:
        """The signature of a chunk, behind the `previous` one."""
        return self._sign("PAYLOAD", f"{previous}\n{_EMPTY_HASH}\n{payload_hash}")

    def trailer(self, previous: str, trailers: str) -> str:
        """The signature of the trailers, `name:value` lines that end in line feeds."""
        digest = hashlib.sha256(trailers.encode("latin-1")).hexdigest()
        return self._sign("TRAILER", f"{previous}\n{digest}")

    def _sign(self, kind: str, rest: str) -> str:
        text = f"{ALGORITHM}-{kind}\n{self.timestamp}\n{self.scope}\n{rest}"
        return self.key.digest(text.encode("latin-1")).hex()


class ChunkedDecoder:
    """Decodes one body of `length` decoded bytes from pieces of any size.

    Without `signing`, as in `--dev` and for anonymous callers, signatures are read and not verified. `trailers` has
    lower-case names and is complete at the end.
    """

    def __init__(self, mode: Mode, length: int, signing: ChunkSigning | None) -> None:
        self._mode = mode
        self._line_form = _SIGNED_LINE if mode.is_signed else _PLAIN_LINE
        self._signing = signing if mode.is_signed else None
        self._previous = signing.seed if signing else ""
        self._missing = length
        self._ready: list[memoryview] = []
        self._held = bytearray()
        self._left = 0
        self._size = _LEAST_SIGNED_CHUNK
        self._signature = ""
        self._hash = hashlib.sha256()
        self._line = b""
        self._take_line: Callable[[bytes], None] = self._size_line
        self._at_end = False
        self._trailer_text = ""
        self.trailers: dict[str, str] = {}

    def feed(self, data: bytes) -> list[memoryview]:
        """Take what arrived and give what was decoded, and verified, by it.

        Raises:
            IncompleteBody: more bytes than were declared.
            InvalidRequest, InvalidChunkSize, MalformedTrailer: the framing is wrong.
            SignatureDoesNotMatch: a chunk or the trailers are not what was signed.
        """
        view = memoryview(data)
        place = 0
        while place < len(data):
            if self._at_end:
                raise InvalidRequest("The body goes on behind its last chunk.")
            if self._left:
                piece = view[place : place + self._left]
                place += len(piece)
                self._take_data(piece)
            else:
                place = self._collect_line(data, place)
        ready, self._ready = self._ready, []
        return ready

    def finish(self) -> None:
        """Nothing more arrives.

        Raises:
            IncompleteBody: the body is not at its end.
        """
        if not self._at_end:
            raise IncompleteBody

    def _take_data(self, piece: memoryview) -> None:
        self._left -= len(piece)
        if self._signing is None:
            self._ready.append(piece)
            return
        self._hash.update(piece)
        # Pieces may be of one byte each.
        self._held += piece
        if not self._left:
            self._verify_chunk(self._signing)
            self._ready.append(memoryview(self._held))
            self._held = bytearray()

    def _verify_chunk(self, signing: ChunkSigning) -> None:
        expected = signing.chunk(self._previous, self._hash.hexdigest())
        if not hmac.compare_digest(expected, self._signature):
            raise SignatureDoesNotMatch
        self._previous = expected
        self._hash = hashlib.sha256()

    def _collect_line(self, data: bytes, place: int) -> int:
        """Collect a line from its pieces and take it when it is complete; where the next begins."""
        most = place + _MOST_LINE - len(self._line)
        end = data.find(b"\n", place, most)
        if end < 0:
            if len(data) >= most:
                raise InvalidRequest("The chunks of the body are malformed.")
            self._line += data[place:]
            return len(data)
        line, self._line = self._line + data[place:end], b""
        if not line.endswith(b"\r"):
            raise InvalidRequest("The chunks of the body are malformed.")
        self._take_line(line[:-1])
        return end + 1

    def _size_line(self, line: bytes) -> None:
        found = self._line_form.fullmatch(line)
        if found is None:
            raise InvalidRequest("The chunks of the body are malformed.")
        size = int(found[1], 16)
        if size > self._missing:
            raise IncompleteBody
        if self._mode.is_signed:
            self._signature = found[2].decode()
            if size > MOST_SIGNED_CHUNK:
                raise InvalidRequest("A signed chunk has at most 16 MiB.")
            if size and self._size < _LEAST_SIGNED_CHUNK:
                raise InvalidChunkSize
        self._left = self._size = size
        self._missing -= size
        self._take_line = self._line_behind_data if size else self._trailer_line
        if not size:
            self._end_of_data()

    def _end_of_data(self) -> None:
        if self._missing:
            raise IncompleteBody
        if self._signing is not None:
            self._verify_chunk(self._signing)

    def _line_behind_data(self, line: bytes) -> None:
        if line:
            raise InvalidRequest("The chunks of the body are malformed.")
        self._take_line = self._size_line

    def _trailer_line(self, line: bytes) -> None:
        if not line:
            self._end_of_trailers()
            return
        name, colon, value = (part.strip(" ") for part in line.decode("latin-1").partition(":"))
        name = name.lower()
        if not self._mode.has_trailer or not name or not colon or name in self.trailers:
            raise MalformedTrailer
        if len(self.trailers) >= _MOST_TRAILERS or _TRAILER_SIGNATURE in self.trailers:
            raise MalformedTrailer
        self.trailers[name] = value
        if name != _TRAILER_SIGNATURE:
            self._trailer_text += f"{name}:{value}\n"

    def _end_of_trailers(self) -> None:
        signature = self.trailers.pop(_TRAILER_SIGNATURE, "")
        if self._signing is not None and self._mode.has_trailer:
            expected = self._signing.trailer(self._previous, self._trailer_text)
            if not hmac.compare_digest(expected.encode(), signature.encode()):
                raise SignatureDoesNotMatch
        self._at_end = True


class ChunkedBody:
    """The decoded bytes of a chunked body."""

    def __init__(self, body: Body, decoder: ChunkedDecoder) -> None:
        self._body = body
        self._decoder = decoder
        self._ready: deque[memoryview] = deque()

    @property
    def trailers(self) -> dict[str, str]:
        """The trailers, once the body was read to its end."""
        return self._decoder.trailers

    def read(self, most: int) -> bytes:
        """As `Body.read`; raises what the decoder does."""
        while not self._ready:
            data = self._body.read(most)
            if not data:
                self._decoder.finish()
                return b""
            self._ready.extend(self._decoder.feed(data))
        return self._taken(most)

    def _taken(self, most: int) -> bytes:
        pieces = []
        while most and self._ready:
            piece = self._ready.popleft()
            if len(piece) > most:
                self._ready.appendleft(piece[most:])
                piece = piece[:most]
            most -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)
