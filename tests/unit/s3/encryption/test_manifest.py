"""Manifests and details of parts: they come back whole, for their own version or part only."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.s3.encryption import manifest as manifests
from kms_server.s3.encryption.manifest import Checksums, Manifest, ManifestPart, PartDetails
from kms_server.s3.encryption.manifest_format import ManifestError
from kms_server.s3.encryption.types import ObjectKeys
from kms_server.s3.errors import InternalError
from kms_server.storage.objects import Part, Version
from tests.unit.s3.encryption.scene import TARGET, Scene, version_of

KEYS, TWO = ObjectKeys(bytes(range(32))), ObjectKeys(bytes(range(32)), bytes(32))
CHECKSUMS = Checksums("CRC32", "COMPOSITE", "AAAAAA==-2", ("AAAAAA==", "AAAAAQ=="))
MANIFEST = Manifest(
    "etag-2", CHECKSUMS, (ManifestPart("ab" * 16, 1, 5, b"h" * 70), ManifestPart("cd" * 16, 3, 7, b"i" * 70))
)
BARE = Manifest("e", Checksums.none(), (ManifestPart("ab" * 16, 1, 12, b"h" * 134),))
VERSION = version_of(size=12, etag="etag-2", headers='{"content-type":"a/b"}', checksum="CRC32/COMPOSITE")
PART = Part("ab" * 16, 1, 5, b"h" * 70, None, 1.0)


@pytest.fixture(params=[KEYS, TWO, None], ids=["one layer", "two layers", "master"])
def sealed(request: pytest.FixtureRequest, scene: Scene) -> tuple[ObjectKeys, Version]:
    keys = request.param
    return keys or KEYS, replace(
        VERSION, manifest=manifests.sealed(scene.encryption, keys, VERSION, TARGET, MANIFEST)
    )


def test_it_comes_back(scene: Scene, sealed: tuple[ObjectKeys, Version]) -> None:
    keys, version = sealed
    assert manifests.opened(scene.encryption, keys, version, TARGET) == MANIFEST


def test_every_flipped_bit_is_refused(scene: Scene, sealed: tuple[ObjectKeys, Version]) -> None:
    keys, version = sealed
    for at in range(len(version.manifest)):
        flipped = bytearray(version.manifest)
        flipped[at] ^= 1 << at % 8
        with pytest.raises(InternalError):
            manifests.opened(scene.encryption, keys, replace(version, manifest=bytes(flipped)), TARGET)


@pytest.mark.parametrize(
    "lie",
    [
        {"size": 11}, {"etag": "etag-3"}, {"etag": None}, {"headers": "{}"}, {"checksum": None}, {"manifest": b""},
        {"object_id": "f" * 32}, {"bucket_id": "b2"},
    ],
    ids=str,
)  # fmt: skip
def test_a_lie_in_the_index(scene: Scene, sealed: tuple[ObjectKeys, Version], lie: dict[str, object]) -> None:
    keys, version = sealed
    with pytest.raises(InternalError):
        manifests.opened(scene.encryption, keys, replace(version, **lie), TARGET)  # type: ignore[arg-type]


def test_other_keys(scene: Scene) -> None:
    version = replace(VERSION, manifest=manifests.sealed(scene.encryption, TWO, VERSION, TARGET, MANIFEST))
    for keys in (KEYS, ObjectKeys(TWO.inner, bytes(31) + b"\1"), ObjectKeys(bytes(32), TWO.outer)):
        with pytest.raises(InternalError):
            manifests.opened(scene.encryption, keys, version, TARGET)


PARTS = st.builds(
    ManifestPart, st.binary(min_size=16, max_size=16).map(bytes.hex), st.integers(1, 10_000), st.integers(0, 2**40),
    st.binary(min_size=70, max_size=70),
)  # fmt: skip


@given(st.text(max_size=40), st.lists(PARTS, min_size=1, max_size=5).map(tuple))
def test_any_manifest_is_encoded(etag: str, parts: tuple[ManifestPart, ...]) -> None:
    digests = tuple("AAAAAA==" for _ in parts)
    for checksums in (Checksums.none(), Checksums("CRC32", "COMPOSITE", "x", digests)):
        made = Manifest(etag, checksums, parts)
        assert Manifest.decode(made.encode()) == made


@pytest.mark.parametrize("made", [MANIFEST, BARE])
def test_what_is_cut_or_longer_is_no_manifest(made: Manifest) -> None:
    raw = made.encode()
    for wrong in (*(raw[:end] for end in range(len(raw))), raw + b"x", b"\x02" + raw[1:]):
        with pytest.raises(ManifestError):
            Manifest.decode(wrong)


def test_a_manifest_of_stored_parts() -> None:
    made = Manifest.of("e", Checksums.whole("SHA1", b"digest"), [PART])
    assert made.parts == (ManifestPart("ab" * 16, 1, 5, b"h" * 70),)
    assert made.size == 5
    assert made.checksums.label == "SHA1/FULL_OBJECT"
    assert made.checksums.headers() == {
        "x-amz-checksum-sha1": "ZGlnZXN0", "x-amz-checksum-type": "FULL_OBJECT"
    }  # fmt: skip
    assert made.checksums.elements() == {"ChecksumSHA1": "ZGlnZXN0", "ChecksumType": "FULL_OBJECT"}


def test_no_checksum_is_not_told() -> None:
    nothing = Checksums.none()
    assert (nothing.headers(), nothing.elements(), nothing.label) == ({}, {}, None)


def test_details_of_a_part() -> None:
    details = PartDetails("0" * 32, {"CRC32": b"1234", "SHA256": b"x" * 32})
    sealed = replace(PART, details=manifests.seal_part(KEYS, "upload", PART, details))
    assert manifests.open_part(KEYS, "upload", sealed) == details
    for wrong in (
        replace(sealed, number=2), replace(sealed, size=6), replace(sealed, blob_id="cd" * 16), replace(sealed, details=None),
    ):  # fmt: skip
        with pytest.raises(InternalError):
            manifests.open_part(KEYS, "upload", wrong)
    with pytest.raises(InternalError):
        manifests.open_part(KEYS, "another", sealed)
    with pytest.raises(InternalError):
        manifests.open_part(ObjectKeys(bytes(32)), "upload", sealed)


@pytest.mark.parametrize("wrong", [b"\0", b"\0\0\0\2x", b"\0\0\0\1e\0\0\0\1n", b"\0\0\0\1\xff"])
def test_junk_is_no_details(wrong: bytes) -> None:
    with pytest.raises(ManifestError):
        PartDetails.decode(wrong)
