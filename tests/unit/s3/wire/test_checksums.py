"""Checksums: known answers, a second implementation, and whole objects from their parts."""

import hashlib
import subprocess
import sys
import zlib
from base64 import b64encode
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.s3.errors import InvalidRequest
from kms_server.s3.wire.checksums import BY_HEADER, CHECKSUMS, composite, full_object, named, type_of

XXHash = import_module("awscrt.checksums").XXHash
# The check values of the CRC catalogue for "123456789"; XXH of the empty input from xxHash's own documents.
KNOWN = {"CRC32": "cbf43926", "CRC32C": "e3069283", "CRC64NVME": "ae8b14860a799888"}
EMPTY = {
    "XXHASH64": "ef46db3751d8e999",
    "XXHASH3": "2d06800538d394c2",
    "XXHASH128": "99aa06d3014798d86001c324468d497f",
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_crcs(name: str) -> None:
    hasher = CHECKSUMS[name].hasher()
    hasher.update(b"1234")
    hasher.update(b"56789")
    assert hasher.digest().hex() == KNOWN[name]


@given(st.binary(max_size=2_000))
def test_second_implementations(data: bytes) -> None:
    expected = {
        "CRC32": zlib.crc32(data).to_bytes(4),
        "SHA1": hashlib.sha1(data).digest(),
        "SHA256": hashlib.sha256(data).digest(),
        "SHA512": hashlib.sha512(data).digest(),
        "MD5": hashlib.md5(data).digest(),
        "XXHASH64": XXHash.compute_xxhash64(data),
        "XXHASH3": XXHash.compute_xxhash3_64(data),
        "XXHASH128": XXHash.compute_xxhash3_128(data),
    }
    for name, digest in expected.items():
        hasher = CHECKSUMS[name].hasher()
        hasher.update(data)
        assert hasher.digest() == digest, name


def test_the_table() -> None:
    for checksum in CHECKSUMS.values():
        assert len(checksum.hasher().digest()) == checksum.size
        assert BY_HEADER[checksum.header] is checksum
    for name, digest in EMPTY.items():
        assert CHECKSUMS[name].hasher().digest().hex() == digest
    assert named("crc64nvme").header == "x-amz-checksum-crc64nvme"
    with pytest.raises(InvalidRequest):
        named("crc16")


@given(st.lists(st.binary(max_size=300), max_size=6), st.sampled_from(list(KNOWN)))
def test_whole_objects_from_crcs_of_parts(parts: list[bytes], name: str) -> None:
    checksum = CHECKSUMS[name]

    def digest(data: bytes) -> bytes:
        hasher = checksum.hasher()
        hasher.update(data)
        return hasher.digest()

    assert full_object(checksum, [(digest(part), len(part)) for part in parts]) == digest(b"".join(parts))


def test_checksums_of_checksums() -> None:
    digests = [hashlib.sha256(b"a").digest(), hashlib.sha256(b"b").digest()]
    whole = b64encode(hashlib.sha256(b"".join(digests)).digest()).decode()
    assert composite(CHECKSUMS["SHA256"], digests) == f"{whole}-2"
    with pytest.raises(ValueError, match="SHA256"):
        full_object(CHECKSUMS["SHA256"], [])


@pytest.mark.parametrize(
    ("name", "asked", "found"),
    [
        ("CRC32", None, "COMPOSITE"),
        ("CRC32C", "FULL_OBJECT", "FULL_OBJECT"),
        ("CRC64NVME", None, "FULL_OBJECT"),
        ("SHA256", "COMPOSITE", "COMPOSITE"),
    ],
)
def test_types(name: str, asked: str | None, found: str) -> None:
    assert type_of(CHECKSUMS[name], asked) == found


@pytest.mark.parametrize(
    ("name", "asked", "text"),
    [
        (
            "SHA1",
            "FULL_OBJECT",
            "The FULL_OBJECT checksum type cannot be used with the sha1 checksum algorithm.",
        ),
        ("CRC64NVME", "COMPOSITE", "The COMPOSITE checksum type cannot be used with the crc64nvme"),
        ("CRC32", "HALF", "Value for x-amz-checksum-type header is invalid."),
    ],
)
def test_refused_types(name: str, asked: str, text: str) -> None:
    with pytest.raises(InvalidRequest, match=text):
        type_of(CHECKSUMS[name], asked)


def test_the_library_is_loaded_at_first_use() -> None:
    code = "import sys, kms_server.s3.wire.checksums; assert 'awscrt' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
