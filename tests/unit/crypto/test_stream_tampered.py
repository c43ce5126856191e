"""The stream of chunks: nothing else than what was sealed opens."""

import pytest

from kms_server.crypto.stream import CHUNK, PartOpener, PartSealer, StreamError

INNER, OUTER = bytes(range(32)), bytes(range(32, 64))
Layers = tuple[bytes, bytes | None]
LAYERS: list[Layers] = [(INNER, None), (INNER, OUTER)]
PART = b"part"
DATA = bytes(range(256)) * (2 * CHUNK // 256) + b"the end"


class Sealed:
    """Three chunks, the last one short."""

    def __init__(self, keys: Layers, data: bytes = DATA) -> None:
        sealer = PartSealer(*keys, PART)
        self.chunks = bytes(sealer.update(data)) + bytes(sealer.finish())
        self.keys, self.header, self.size = keys, sealer.header, len(data)
        self.step = CHUNK + (16 if keys[1] is None else 32)

    def chunk(self, number: int) -> bytes:
        return self.chunks[number * self.step : (number + 1) * self.step]

    def open(self, chunks: bytes, first: int = 0, *, size: int | None = None, part: bytes = PART) -> bytes:
        opener = PartOpener(*self.keys, part, self.header, self.size if size is None else size)
        return b"".join(opener.open(chunks, first * CHUNK, opener.size))


@pytest.fixture(params=LAYERS, ids=["one layer", "two layers"])
def made(request: pytest.FixtureRequest) -> Sealed:
    return Sealed(request.param)


def test_every_flipped_bit_of_a_header(made: Sealed) -> None:
    for bit in range(len(made.header) * 8):
        header = bytearray(made.header)
        header[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StreamError):
            PartOpener(*made.keys, PART, bytes(header), made.size)


def test_every_flipped_bit_of_a_short_part() -> None:
    made = Sealed((INNER, None), b"twelve bytes")
    for bit in range(len(made.chunks) * 8):
        flipped = bytearray(made.chunks)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StreamError):
            made.open(bytes(flipped))


@pytest.mark.parametrize("place", [0, CHUNK, CHUNK + 15, CHUNK + 40, 2 * CHUNK + 20, -1])
def test_a_flipped_bit_anywhere(made: Sealed, place: int) -> None:
    flipped = bytearray(made.chunks)
    flipped[place] ^= 4
    with pytest.raises(StreamError):
        made.open(bytes(flipped))


def test_truncation(made: Sealed) -> None:
    for length in (0, 1, 16, made.step - 1, made.step + 1, 2 * made.step + 1, len(made.chunks) - 1):
        with pytest.raises(StreamError):
            made.open(made.chunks[:length])


@pytest.mark.parametrize("size", [0, CHUNK, 2 * CHUNK, len(DATA) - 1, len(DATA) + 1, 3 * CHUNK, 4 * CHUNK])
def test_a_lie_about_the_size(made: Sealed, size: int) -> None:
    with pytest.raises(StreamError):
        made.open(made.chunks, size=size)
    opener = PartOpener(*made.keys, PART, made.header, size)
    with pytest.raises(StreamError):
        opener.open(made.chunks[: opener.sealed_size], 0, size)


def test_chunks_in_another_order(made: Sealed) -> None:
    for chunks, first in (
        (made.chunk(1) + made.chunk(0) + made.chunk(2), 0),
        (made.chunk(0) + made.chunk(0) + made.chunk(2), 0),
        (made.chunk(1), 0),
        (made.chunk(0), 1),
        (made.chunk(2), 1),
        (made.chunk(1) + made.chunk(2), 0),
        (made.chunk(2), 3),
        (made.chunk(0), -1),
    ):
        with pytest.raises(StreamError):
            made.open(chunks, first)


def test_chunks_of_another_part_under_the_same_key(made: Sealed) -> None:
    with pytest.raises(StreamError):
        made.open(made.chunk(0) + Sealed(made.keys).chunk(1) + made.chunk(2))


def test_another_part_or_key(made: Sealed) -> None:
    with pytest.raises(StreamError):
        made.open(made.chunks, part=b"another")
    inner, outer = made.keys
    for keys in ((bytes(32), outer), (inner, bytes(32))):
        with pytest.raises(StreamError):
            PartOpener(*keys, PART, made.header, made.size)


def test_a_header_for_another_number_of_layers(made: Sealed) -> None:
    other = Sealed((INNER, OUTER) if made.keys[1] is None else (INNER, None))
    with pytest.raises(StreamError):
        PartOpener(*made.keys, PART, other.header, made.size)
    for header in (b"", b"KSP1", made.header[:-1], made.header + b"x"):
        with pytest.raises(StreamError):
            PartOpener(*made.keys, PART, header, made.size)
