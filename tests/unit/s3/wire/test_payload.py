"""Bodies of requests: what they must be, and what is said when they are not."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given
from hypothesis import strategies as st

from kms_server.errors import ServiceError
from kms_server.protocol.message import ClientGone
from kms_server.s3 import errors as e
from kms_server.s3.wire.payload import RequestPayload
from tests.unit.s3.wire.signing import Pieces, plain_body, request, signed_body, signing

HELLO = b"hello"
SHA256 = hashlib.sha256(HELLO).hexdigest()
MD5 = b64encode(hashlib.md5(HELLO).digest()).decode()
CRC32, OTHER_CRC32 = "NhCmhg==", "AAAAAA=="
CHUNKED = {
    "content-encoding": "aws-chunked", "transfer-encoding": "chunked", "x-amz-decoded-content-length": "5",
    "x-amz-trailer": "x-amz-checksum-crc32", "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
}  # fmt: skip
PLAIN = {"content-length": "5"}


def payload(headers: Mapping[str, str], pieces: list[bytes] | None = None, **options: Any) -> RequestPayload:
    stream = Pieces([HELLO] if pieces is None else pieces)
    return RequestPayload.of(request("PUT", "/b/k", headers, stream=stream), signing(), **options)


def read(found: RequestPayload, most: int = 4_096) -> bytes:
    data = b""
    while piece := found.read(most):
        data += piece
    assert found.read(most) == b""
    return data


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-amz-content-sha256": SHA256},
        {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"},
        {"content-md5": MD5},
        {"x-amz-checksum-crc32": CRC32},
        {"x-amz-checksum-crc32": CRC32, "x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"},
        {"content-md5": MD5, "x-amz-content-sha256": SHA256, "x-amz-checksum-sha256": b64encode(bytes.fromhex(SHA256)).decode()},
    ],
)  # fmt: skip
def test_plain_bodies(headers: dict[str, str]) -> None:
    found = payload(PLAIN | headers, [b"he", b"llo"])
    found.want("MD5", "XXHASH3")
    assert found.length == 5
    assert read(found) == HELLO
    assert found.digest("MD5") == hashlib.md5(HELLO).digest()
    assert found.declared() == next((name[15:].upper() for name in headers if name.startswith("x-amz-checksum-") and "type" not in name), None)  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "error", "text"),
    [
        ({"x-amz-content-sha256": "0" * 64}, e.XAmzContentSHA256Mismatch, "does not match"),
        ({"x-amz-content-sha256": "0"}, e.InvalidArgument, "must be UNSIGNED-PAYLOAD"),
        ({"content-md5": b64encode(bytes(16)).decode()}, e.BadDigest, "The Content-MD5 you specified did not match"),
        ({"content-md5": "AAAA"}, e.InvalidDigest, "The Content-MD5 you specified was invalid."),
        ({"content-md5": "\xff"}, e.InvalidDigest, "was invalid"),
        ({"x-amz-checksum-crc32": OTHER_CRC32}, e.BadDigest, "The CRC32 you specified did not match the calculated checksum."),
        ({"x-amz-checksum-crc32": "bad"}, e.InvalidRequest, "Value for x-amz-checksum-crc32 header is invalid."),
        ({"x-amz-checksum-crc32": CRC32, "x-amz-checksum-sha1": ""}, e.InvalidRequest, "Expecting a single x-amz-checksum- header"),
        ({"x-amz-sdk-checksum-algorithm": "CRC32"}, e.InvalidRequest, "no corresponding x-amz-checksum"),
        ({"x-amz-sdk-checksum-algorithm": "CRC"}, e.InvalidRequest, "Value for x-amz-sdk-checksum-algorithm header is invalid."),
        ({"x-amz-checksum-crc32": CRC32, "x-amz-sdk-checksum-algorithm": "SHA1"}, e.InvalidRequest, "is invalid"),
        ({"content-length": "6"}, e.IncompleteBody, "number of bytes"),
        ({"content-length": "x"}, e.InvalidArgument, "Invalid Argument"),
    ],
)  # fmt: skip
def test_plain_bodies_that_are_not_what_they_say(
    headers: dict[str, str], error: type[ServiceError], text: str
) -> None:
    with pytest.raises(error, match=text):
        read(payload(PLAIN | headers))


def test_what_is_malformed_is_said_before_anything_is_read() -> None:
    stream = Pieces([HELLO])
    found = RequestPayload.of(request("PUT", "/", PLAIN | {"content-md5": "x"}, stream=stream), None)
    with pytest.raises(e.InvalidDigest):
        found.read(10)
    assert not stream.reads


def test_lengths() -> None:
    assert payload({}).whole(10) == b""
    with pytest.raises(e.MissingContentLength):
        payload({}).read(10)
    assert payload({"transfer-encoding": "chunked"}).length is None
    assert payload({"transfer-encoding": "chunked"}).whole(5) == HELLO
    for headers in (PLAIN, {"transfer-encoding": "chunked"}):
        with pytest.raises(e.MaxMessageLengthExceeded):
            payload(headers).whole(4)
    without = {name: value for name, value in CHUNKED.items() if name != "x-amz-decoded-content-length"}
    with pytest.raises(e.MissingContentLength):
        payload(without).read(10)
    assert RequestPayload.of(request("PUT", "/", PLAIN, HELLO), None).whole(5) == HELLO


def test_a_broken_connection() -> None:
    found = RequestPayload.of(
        request("PUT", "/", {"content-length": "9"}, stream=Pieces([HELLO], broken=True)), None
    )
    assert found.read(10) == HELLO
    with pytest.raises(ClientGone):
        found.read(10)
    with pytest.raises(ValueError, match="end"):
        found.digest("MD5")


def test_checksums_that_are_not_of_the_body() -> None:
    assert payload(PLAIN | {"x-amz-checksum-crc32": OTHER_CRC32}, checksums=False).whole(5) == HELLO


def test_trailers() -> None:
    wire = plain_body(HELLO, 2, {"x-amz-checksum-crc32": CRC32})
    found = payload(CHUNKED, [wire])
    assert found.declared() == "CRC32"
    assert (found.length, read(found)) == (5, HELLO)
    # Clients that do not sign send no hash.
    unsigned = {name: value for name, value in CHUNKED.items() if name != "x-amz-content-sha256"}
    assert read(payload(unsigned, [wire])) == HELLO
    with pytest.raises(e.BadDigest, match="The CRC32 you"):
        read(payload(CHUNKED, [wire.replace(CRC32.encode(), OTHER_CRC32.encode())]))
    with pytest.raises(e.InvalidRequest, match="Value for x-amz-checksum-crc32"):
        read(payload(CHUNKED, [wire.replace(CRC32.encode(), b"AAAA")]))
    with pytest.raises(e.MalformedTrailer):
        read(payload(CHUNKED, [plain_body(HELLO, 2, {})]))
    with pytest.raises(e.MalformedTrailer):
        read(payload(CHUNKED | {"x-amz-trailer": "x-amz-meta-a"}, [wire]))


def test_signed_chunks() -> None:
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    headers = {"content-length": "1000", "x-amz-decoded-content-length": "5", "x-amz-content-sha256": kind}
    assert read(payload(headers, [signed_body(HELLO, 5)])) == HELLO
    with pytest.raises(e.SignatureDoesNotMatch):
        read(payload(headers, [signed_body(HELLO, 5, seed="1" * 64)]))


@given(st.binary(max_size=5_000), st.integers(1, 3_000))
def test_botocore_chunks(data: bytes, most: int) -> None:
    wrapped = AwsChunkedWrapper(
        Wrapped(data), checksum_cls=Crc32Checksum, checksum_name="x-amz-checksum-crc32", chunk_size=1_024
    )
    wire = wrapped.read()
    found = payload(CHUNKED | {"x-amz-decoded-content-length": f"{len(data)}"}, [wire])
    assert read(found, most) == data


class Wrapped:
    """A file as botocore reads it."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def read(self, most: int) -> bytes:
        piece, self._rest = self._rest[:most], self._rest[most:]
        return piece


def test_form_files() -> None:
    fields = {"key": "k", "content-md5": MD5, "content-length": "9", "content-encoding": "aws-chunked"}
    assert read(RequestPayload.of_form(fields, Pieces([HELLO]))) == HELLO
    with pytest.raises(e.BadDigest):
        read(RequestPayload.of_form(fields, Pieces([b"other"])))
