"""Long data in chunks that open one by one: STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, CRYPTO 2015).

Chunks of 64 KiB, the last one shorter or as long; empty data is one empty chunk. Each layer adds a tag of 16 bytes to a
chunk. The nonce is seven zero bytes, the number of the chunk in four, and 1 for the last chunk, else 0: none can be
dropped, swapped or cut off. The associated data is the SHA-256 of the header, which is kept apart from the chunks: all
offsets count from the first chunk.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from io import BytesIO

from cryptography.exceptions import InvalidTag
from cryptography.utils import Buffer

from kms_server.crypto.stream_header import CHUNK, TAG, StreamError, fresh, layers_of, opened

__all__ = ["CHUNK", "PartOpener", "PartSealer", "StreamError", "sealed_size"]

# So many chunks are opened into one piece: the processor's own cache holds it, sealed and open.
_AT_ONCE = 4

# Works on data under a nonce and associated data, and fills a buffer of exactly the right length.
_Step = Callable[[bytes, memoryview, bytes, memoryview], object]


class PartSealer:
    """Seals one part under a key of 32 bytes, or in two layers under two; for one thread.

    What `update` and `finish` give lies in a buffer that the next call overwrites.
    """

    __slots__ = ("_aad", "_buffer", "_filled", "_held", "_next", "_seal", "_sealed_chunk", "header")

    def __init__(self, inner: bytes, outer: bytes | None, part_id: bytes) -> None:
        self.header, ciphers = fresh(_keys(inner, outer), part_id)
        self._aad = sha256(self.header).digest()
        self._seal = _layered([cipher.encrypt_into for cipher in ciphers], TAG)
        self._sealed_chunk = CHUNK + TAG * len(ciphers)
        self._held = memoryview(bytearray(CHUNK))
        self._filled = 0
        self._buffer = memoryview(bytearray())
        self._next: int | None = 0

    def update(self, data: Buffer) -> memoryview:
        """Take more data and give the chunks that are complete by now; the last one waits for `finish`.

        Raises:
            StreamError: the part is finished.
        """
        view = memoryview(data)
        count = max(0, (self._filled + len(view) - 1) // CHUNK)
        number, out = self._claim(count, count * self._sealed_chunk)
        at = done = 0
        if count and self._filled:
            at, done = self._hold(view), 1
            self._run(number, self._held, out)
            self._filled = 0
        end = at + (count - done) * CHUNK
        self._run(number + done, view[at:end], out[done * self._sealed_chunk :])
        self._hold(view[end:])
        return out

    def finish(self) -> memoryview:
        """The last chunk.

        Raises:
            StreamError: the part is finished.
        """
        number, out = self._claim(1, self._filled + self._sealed_chunk - CHUNK)
        self._next = None
        self._seal(_nonce(number, is_last=True), self._held[: self._filled], self._aad, out)
        return out

    def _claim(self, count: int, length: int) -> tuple[int, memoryview]:
        """The number of the first of `count` chunks and room for them; a number is given once, whatever fails then."""
        if self._next is None:
            raise StreamError
        number = self._next
        self._next += count
        if len(self._buffer) < length:
            self._buffer = memoryview(bytearray(length))
        return number, self._buffer[:length]

    def _hold(self, view: memoryview) -> int:
        """Keep what fits into one chunk; how much that was."""
        taken = min(len(view), CHUNK - self._filled)
        self._held[self._filled : self._filled + taken] = view[:taken]
        self._filled += taken
        return taken

    def _run(self, number: int, data: memoryview, out: memoryview) -> None:
        seal, aad, step = self._seal, self._aad, self._sealed_chunk
        to = 0
        for at in range(0, len(data), CHUNK):
            seal((number << 8).to_bytes(12), data[at : at + CHUNK], aad, out[to : to + step])
            number += 1
            to += step


def sealed_size(header: bytes, size: int) -> int:
    """How many bytes the chunks behind a header have when the part has `size` bytes.

    Raises:
        StreamError: the header is malformed.
    """
    return size + _chunks(size) * TAG * layers_of(header)


class PartOpener:
    """Opens ranges of one part of `size` bytes; for one thread. A range ends before its `end`.

    Raises:
        StreamError: the header was made with other keys or for another part, or is damaged.
    """

    __slots__ = ("_aad", "_last", "_open", "_overhead", "_sealed_chunk", "sealed_size", "size")

    def __init__(self, inner: bytes, outer: bytes | None, part_id: bytes, header: bytes, size: int) -> None:
        ciphers = opened(_keys(inner, outer), part_id, header)
        self._aad = sha256(header).digest()
        self._open = _layered([cipher.decrypt_into for cipher in reversed(ciphers)], -TAG)
        self._overhead = TAG * len(ciphers)
        self._sealed_chunk = CHUNK + self._overhead
        self._last = _chunks(size) - 1
        self.size = size
        self.sealed_size = size + (self._last + 1) * self._overhead

    def sealed_range(self, first: int, end: int) -> tuple[int, int]:
        """Offset and length of the chunks that hold a range; 0 to 0 is that of an empty part."""
        offset = first // CHUNK * self._sealed_chunk
        until = (max(end - 1, 0) // CHUNK + 1) * self._sealed_chunk
        return offset, min(until, self.sealed_size) - offset

    def open(self, sealed: Buffer, first: int, end: int) -> list[bytes]:
        """A range out of the chunks that `sealed_range` names for it, in pieces; all of them are checked first.

        Raises:
            StreamError: they are not these chunks of this part.
        """
        view, step, number = memoryview(sealed), self._sealed_chunk, first // CHUNK
        until = number + max(1, -(-len(view) // step))
        if number < 0 or len(view) != min(until * step, self.sealed_size) - number * step:
            raise StreamError
        starts = range(number, until, _AT_ONCE)
        pieces = [
            self._opened(view[(at - number) * step : (at - number + _AT_ONCE) * step], at) for at in starts
        ]
        # A slice that is the whole of a piece is no copy.
        pieces[-1] = pieces[-1][: end - starts[-1] * CHUNK]
        pieces[0] = pieces[0][first % CHUNK :]
        return pieces

    def _opened(self, sealed: memoryview, number: int) -> bytes:
        count = max(1, -(-len(sealed) // self._sealed_chunk))
        made = BytesIO(bytes(len(sealed) - count * self._overhead))
        try:
            with made.getbuffer() as out:
                for at in range(count):
                    self._open(
                        _nonce(number + at, is_last=number + at == self._last),
                        sealed[at * self._sealed_chunk : (at + 1) * self._sealed_chunk],
                        self._aad, out[at * CHUNK : (at + 1) * CHUNK],
                    )  # fmt: skip
        except InvalidTag:
            raise StreamError from None
        return made.getvalue()  # what it was made of: no copy


def _chunks(size: int) -> int:
    return max(size - 1, 0) // CHUNK + 1


def _keys(inner: bytes, outer: bytes | None) -> list[bytes]:
    return [inner] if outer is None else [inner, outer]


def _nonce(number: int, *, is_last: bool) -> bytes:
    return (number << 8 | is_last).to_bytes(12)


def _layered(steps: Sequence[_Step], growth: int) -> _Step:
    """The steps one after the other, each of which changes the length of a chunk by `growth`."""
    step, *others = steps
    if not others:
        return step
    further = _layered(others, growth)
    scratch = memoryview(bytearray(CHUNK + TAG * len(steps)))

    def both(nonce: bytes, data: memoryview, aad: bytes, out: memoryview) -> None:
        between = scratch[: len(data) + growth]
        step(nonce, data, aad, between)
        further(nonce, between, aad, out)

    return both
