"""Chunked bodies: AWS's published example, any split, any damage."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.errors import ServiceError
from kms_server.s3 import errors as e
from kms_server.s3.wire.aws_chunked import MODES, MOST_SIGNED_CHUNK, ChunkedBody, ChunkedDecoder
from tests.unit.s3.wire.signing import Pieces, plain_body, signed_body, signing

SIGNED = MODES["STREAMING-AWS4-HMAC-SHA256-PAYLOAD"]
SIGNED_TRAILER = MODES["STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"]
PLAIN = MODES["STREAMING-UNSIGNED-PAYLOAD-TRAILER"]
DATA = bytes(range(256)) * 80
TRAILERS = {"x-amz-checksum-crc32": "NhCmhg=="}


def decoded(
    mode: Any, pieces: list[bytes], length: int, *, seed: str = "0" * 64, most: int = 65_536
) -> bytes:
    body = ChunkedBody(Pieces(pieces), ChunkedDecoder(mode, length, signing(seed)))
    found = b""
    while piece := body.read(most):
        assert len(piece) <= most
        found += piece
    return found


# AWS "Transferring Payload in Multiple Chunks" and "... with trailing headers".
PUBLISHED = [
    (
        SIGNED,
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        (
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ),
        b"",
    ),
    (
        SIGNED_TRAILER,
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
        (
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ),
        b"x-amz-checksum-crc32c:sOO8/Q==\r\n%s:%s\r\n"
        % (b"x-amz-trailer-signature", b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"),
    ),
]


@pytest.mark.parametrize(("mode", "seed", "signatures", "trailer"), PUBLISHED)
def test_published_example(mode: Any, seed: str, signatures: tuple[str, ...], trailer: bytes) -> None:
    chunks = [b"a" * 65_536, b"a" * 1_024, b""]
    wire = b"".join(
        f"{len(chunk):x};chunk-signature={signature}\r\n".encode() + chunk + (b"\r\n" if chunk else b"")
        for chunk, signature in zip(chunks, signatures, strict=True)
    )
    wire += trailer + b"\r\n"
    assert decoded(mode, [wire], 66_560, seed=seed) == b"a" * 66_560


@given(st.lists(st.integers(0, 30_000), max_size=12), st.sampled_from([1, 7, 4_096, 65_536]))
def test_any_split_gives_the_same(cuts: list[int], most: int) -> None:
    cases = [
        (SIGNED, signed_body(DATA, 8_192)),
        (SIGNED_TRAILER, signed_body(DATA, 9_000, trailers=TRAILERS)),
        (PLAIN, plain_body(DATA, 777, TRAILERS)),
    ]
    for mode, wire in cases:
        places = sorted({0, *(min(cut, len(wire)) for cut in cuts), len(wire)})
        pieces = [wire[a:b] for a, b in pairwise(places)]
        assert decoded(mode, pieces, len(DATA), most=max(most, 512)) == DATA


@given(st.integers(0), st.integers(0, 7))
def test_any_flipped_bit_is_refused(place: int, bit: int) -> None:
    wire = bytearray(signed_body(DATA, 8_192, trailers=TRAILERS))
    wire[place % len(wire)] ^= 1 << bit
    try:
        found = decoded(SIGNED_TRAILER, [bytes(wire)], len(DATA))
    except ServiceError:
        return
    # Sizes and the names of trailers may be in either case.
    assert found == DATA
    assert bytes(wire).lower() == signed_body(DATA, 8_192, trailers=TRAILERS).lower()


@given(st.integers(0))
def test_any_cut_is_refused(cut: int) -> None:
    for mode, wire in [
        (SIGNED, signed_body(DATA, 8_192)),
        (SIGNED_TRAILER, signed_body(DATA, 8_192, trailers=TRAILERS)),
        (PLAIN, plain_body(DATA, 777, TRAILERS)),
    ]:
        with pytest.raises(e.IncompleteBody):
            decoded(mode, [wire[: cut % len(wire)]], len(DATA))


def test_nothing_is_released_before_it_is_verified() -> None:
    wire = bytearray(signed_body(DATA, 10_000))
    wire[15_000] ^= 1
    decoder = ChunkedDecoder(SIGNED, len(DATA), signing())
    released = b"".join(bytes(view) for view in decoder.feed(bytes(wire[:14_000])))
    assert released == DATA[:10_000]
    with pytest.raises(e.SignatureDoesNotMatch):
        decoder.feed(bytes(wire[14_000:]))


def test_trailers_are_told() -> None:
    decoder = ChunkedDecoder(PLAIN, 5, None)
    decoder.feed(b"5\r\nhello\r\n0\r\nX-Amz-Checksum-CRC32: NhCmhg== \r\n\r\n")
    decoder.finish()
    assert decoder.trailers == TRAILERS


@pytest.mark.parametrize(
    ("mode", "wire", "error"),
    [
        (PLAIN, b"5\r\nhello\r\n0\r\n\r\nX", e.InvalidRequest),
        (PLAIN, b"5\r\nhello\r\n0\r\n\r\n\r\n", e.InvalidRequest),
        (PLAIN, b"5\nhello\r\n0\r\n\r\n", e.InvalidRequest),
        (PLAIN, b"5\r\nhello0\r\n\r\n", e.InvalidRequest),
        (PLAIN, b"+5\r\nhello\r\n0\r\n\r\n", e.InvalidRequest),
        (PLAIN, b"5;a=b\r\nhello\r\n0\r\n\r\n", e.InvalidRequest),
        (PLAIN, b"\r\n0\r\n\r\n", e.InvalidRequest),
        (PLAIN, b"0" * 17 + b"\r\n\r\n", e.InvalidRequest),
        (PLAIN, b"0" * 2_000, e.InvalidRequest),
        (PLAIN, b"6\r\nhello!\r\n0\r\n\r\n", e.IncompleteBody),
        (PLAIN, b"4\r\nhell\r\n0\r\n\r\n", e.IncompleteBody),
        (PLAIN, b"ffffffffffffffff\r\n", e.IncompleteBody),
        (PLAIN, b"5\r\nhello\r\n0\r\nno trailer\r\n\r\n", e.MalformedTrailer),
        (PLAIN, b"5\r\nhello\r\n0\r\na:b\r\nA:b\r\n\r\n", e.MalformedTrailer),
        (PLAIN, b"5\r\nhello\r\n0\r\n" + b"".join(b"a%d:b\r\n" % n for n in range(20)), e.MalformedTrailer),
        (SIGNED, b"5\r\nhello\r\n0\r\n\r\n", e.InvalidRequest),
        (SIGNED, b"5;chunk-signature=" + b"0" * 64 + b"\r\nhello\r\n", e.SignatureDoesNotMatch),
        (SIGNED, signed_body(b"hello", 5)[:-2] + b"a:b\r\n\r\n", e.MalformedTrailer),
        (SIGNED, signed_body(b"hello", 3), e.InvalidChunkSize),
        (SIGNED_TRAILER, signed_body(b"hello", 5), e.SignatureDoesNotMatch),
        (SIGNED_TRAILER, signed_body(b"hello", 5, trailers={"a": "b"}).replace(b"a:b", b"a:c"), e.SignatureDoesNotMatch),
        (SIGNED_TRAILER, signed_body(b"hello", 5, trailers={})[:-2] + b"a:b\r\n\r\n", e.MalformedTrailer),
    ],
)  # fmt: skip
def test_malformed(mode: Any, wire: bytes, error: type[ServiceError]) -> None:
    with pytest.raises(error):
        decoded(mode, [wire], 5)


def test_signed_chunks_are_bounded() -> None:
    size = MOST_SIGNED_CHUNK + 1
    decoder = ChunkedDecoder(SIGNED, size, signing())
    with pytest.raises(e.InvalidRequest, match="16 MiB"):
        decoder.feed(f"{size:x};chunk-signature={'0' * 64}\r\n".encode())


def test_without_a_key_signatures_are_not_verified() -> None:
    wire = signed_body(DATA, 8_192, seed="1" * 64)
    decoder = ChunkedDecoder(SIGNED, len(DATA), None)
    assert b"".join(decoder.feed(wire)) == DATA
    decoder.finish()
