"""The stream of chunks: what is sealed opens, whole and in ranges, and its format is what it says."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto.stream import CHUNK, PartOpener, PartSealer, StreamError

INNER, OUTER = bytes(range(32)), bytes(range(32, 64))
Layers = tuple[bytes, bytes | None]
LAYERS: list[Layers] = [(INNER, None), (INNER, OUTER)]
STEP = dict(zip(LAYERS, (CHUNK + 16, CHUNK + 32), strict=True))
PART = b"part"
PATTERN = sha256(b"pattern").digest() * (5 * CHUNK // 32)
EDGES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 3 * CHUNK + 7]


def sealed(keys: Layers, data: bytes, cuts: Sequence[int] = ()) -> tuple[bytes, bytes]:
    """Header and chunks of data given in pieces between `cuts`."""
    sealer = PartSealer(*keys, PART)
    places = [0, *sorted(cuts), len(data)]
    pieces = [bytes(sealer.update(data[start:end])) for start, end in pairwise(places)]
    return sealer.header, b"".join([*pieces, bytes(sealer.finish())])


@pytest.mark.parametrize("keys", LAYERS)
@pytest.mark.parametrize("size", EDGES)
def test_what_is_sealed_opens(keys: Layers, size: int) -> None:
    header, chunks = sealed(keys, PATTERN[:size])
    opener = PartOpener(*keys, PART, header, size)
    assert opener.sealed_size == len(chunks)
    assert opener.sealed_range(0, size) == (0, len(chunks))
    assert b"".join(opener.open(chunks, 0, size)) == PATTERN[:size]


@given(st.sampled_from(LAYERS), st.sampled_from(EDGES), st.lists(st.integers(0, 3 * CHUNK + 7), max_size=6))
def test_any_split_of_the_input_gives_the_same(keys: Layers, size: int, cuts: list[int]) -> None:
    header, chunks = sealed(keys, PATTERN[:size], [min(cut, size) for cut in cuts])
    assert b"".join(PartOpener(*keys, PART, header, size).open(chunks, 0, size)) == PATTERN[:size]


@given(st.sampled_from(LAYERS), st.integers(1, 4 * CHUNK), st.data())
def test_any_range_opens_from_its_own_chunks(keys: Layers, size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(first + 1, size))
    header, chunks = sealed(keys, PATTERN[:size])
    opener = PartOpener(*keys, PART, header, size)
    offset, count = opener.sealed_range(first, end)
    assert offset % STEP[keys] == 0
    assert count <= ((end - 1) // CHUNK - first // CHUNK + 1) * STEP[keys]
    assert b"".join(opener.open(chunks[offset : offset + count], first, end)) == PATTERN[first:end]


def _derived(key: bytes, header: bytes, layer: int) -> bytes:
    salt = header[6 + 64 * layer :][:32]
    parts = (b"kms-server stream v1", header[:6], bytes([layer]), PART)
    info = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return HKDF(SHA512(), 64, salt, info).derive(key)


def test_the_format_of_one_layer() -> None:
    header, chunks = sealed((INNER, None), PATTERN[: CHUNK + 5])
    derived = _derived(INNER, header, 0)
    assert header == b"KSP1\x01\x10" + header[6:38] + derived[32:]
    cipher, aad = AESGCM(derived[:32]), sha256(header).digest()
    assert chunks == (
        cipher.encrypt(bytes(12), PATTERN[:CHUNK], aad)
        + cipher.encrypt(bytes(7) + b"\0\0\0\1\1", PATTERN[CHUNK : CHUNK + 5], aad)
    )


def test_the_format_of_two_layers() -> None:
    header, chunks = sealed((INNER, OUTER), b"data")
    inner, outer = _derived(INNER, header, 0), _derived(OUTER, header, 1)
    assert header == b"KSP1\x02\x10" + header[6:38] + inner[32:] + header[70:102] + outer[32:]
    nonce, aad = bytes(11) + b"\1", sha256(header).digest()
    once = AESGCM(inner[:32]).encrypt(nonce, b"data", aad)
    assert chunks == ChaCha20Poly1305(outer[:32]).encrypt(nonce, once, aad)


def test_every_part_has_a_header_of_its_own() -> None:
    assert len({PartSealer(INNER, None, PART).header for _ in range(100)}) == 100


def test_nothing_is_sealed_after_the_last_chunk() -> None:
    sealer = PartSealer(INNER, None, PART)
    sealer.finish()
    with pytest.raises(StreamError):
        sealer.update(b"x")
    with pytest.raises(StreamError):
        sealer.finish()
