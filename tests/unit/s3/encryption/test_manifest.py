"""Manifests and details of parts: they come back whole, for their own version or part only."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.s3.encryption import sealing
from kms_server.s3.encryption.manifest import Checksums, Manifest, ManifestError, ManifestPart, PartDetails
from kms_server.s3.encryption.types import ObjectKeys
from kms_server.s3.errors import InternalError
from kms_server.storage.objects import Part, Version
from tests.unit.s3.encryption.scene import TARGET, Scene, version_of

KEYS, TWO = ObjectKeys(bytes(range(32))), ObjectKeys(bytes(range(32)), bytes(32))
CHECKSUMS = Checksums.composite("CRC32", b"0123", 2)
MANIFEST = Manifest(
    "etag-2", CHECKSUMS,
    (ManifestPart("ab" * 16, 1, 5, b"h" * 70, b"0123"), ManifestPart("cd" * 16, 3, 7, b"i" * 70, b"4567")),
)  # fmt: skip
BARE = Manifest("e", None, (ManifestPart("ab" * 16, 1, 12, b"h" * 134),))
VERSION = version_of(size=12, etag="etag-2", headers='{"content-type":"a/b"}', checksum="CRC32/COMPOSITE")
PART = Part("ab" * 16, 1, 5, b"h" * 70, None, 1.0)


@pytest.fixture(params=[KEYS, TWO, None], ids=["one layer", "two layers", "master"])
def sealed(request: pytest.FixtureRequest, scene: Scene) -> tuple[ObjectKeys, Version]:
    keys = request.param
    if keys is not None:
        return keys, replace(VERSION, manifest=sealing.seal_manifest(MANIFEST, VERSION, keys))
    by_master = sealing.seal_manifest_with_master(MANIFEST, VERSION, scene.encryption.master, TARGET.region)
    return KEYS, replace(VERSION, manifest=by_master)


def opened(scene: Scene, keys: ObjectKeys, version: Version) -> Manifest:
    return sealing.open_manifest(version, keys, scene.encryption.master, TARGET.region)


def test_it_comes_back(scene: Scene, sealed: tuple[ObjectKeys, Version]) -> None:
    keys, version = sealed
    assert opened(scene, keys, version) == MANIFEST


def test_every_flipped_bit_is_refused(scene: Scene, sealed: tuple[ObjectKeys, Version]) -> None:
    keys, version = sealed
    for at in range(len(version.manifest)):
        flipped = bytearray(version.manifest)
        flipped[at] ^= 1 << at % 8
        with pytest.raises(InternalError):
            opened(scene, keys, replace(version, manifest=bytes(flipped)))


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
        opened(scene, keys, replace(version, **lie))  # type: ignore[arg-type]


def test_other_keys(scene: Scene) -> None:
    version = replace(VERSION, manifest=sealing.seal_manifest(MANIFEST, VERSION, TWO))
    for keys in (KEYS, ObjectKeys(TWO.inner, bytes(31) + b"\1"), ObjectKeys(bytes(32), TWO.outer)):
        with pytest.raises(InternalError):
            opened(scene, keys, version)


PARTS = st.builds(
    ManifestPart, st.binary(min_size=16, max_size=16).map(bytes.hex), st.integers(1, 10_000), st.integers(0, 2**40),
    st.binary(min_size=70, max_size=70),
)  # fmt: skip


@given(st.text(max_size=40), st.lists(PARTS, min_size=1, max_size=5).map(tuple))
def test_any_manifest_is_encoded(etag: str, parts: tuple[ManifestPart, ...]) -> None:
    for checksums in (None, Checksums.whole("CRC32", b"0123")):
        digest = b"" if checksums is None else b"0123"
        made = Manifest(etag, checksums, tuple(part._replace(checksum=digest) for part in parts))
        assert Manifest.decode(made.encode()) == made


@pytest.mark.parametrize("made", [MANIFEST, BARE])
def test_what_is_cut_or_longer_is_no_manifest(made: Manifest) -> None:
    raw = made.encode()
    for wrong in (*(raw[:end] for end in range(len(raw))), raw + b"x", b"\x02" + raw[1:]):
        with pytest.raises(ManifestError):
            Manifest.decode(wrong)


def test_what_checksums_tell() -> None:
    whole = Checksums.whole("SHA1", b"digest")
    assert whole.label == "SHA1/FULL_OBJECT"
    assert whole.headers() == {"x-amz-checksum-sha1": "ZGlnZXN0", "x-amz-checksum-type": "FULL_OBJECT"}
    assert Checksums.composite("SHA1", b"digest", 3) == ("SHA1", "COMPOSITE", "ZGlnZXN0-3")


def test_details_of_a_part() -> None:
    details = PartDetails("0" * 32, {"CRC32": b"1234", "SHA256": b"x" * 32})
    sealed = replace(PART, details=sealing.seal_details(details, "upload", PART, KEYS))
    assert sealing.open_details("upload", sealed, KEYS) == details
    for wrong in (
        replace(sealed, number=2), replace(sealed, size=6), replace(sealed, blob_id="cd" * 16), replace(sealed, details=None),
    ):  # fmt: skip
        with pytest.raises(InternalError):
            sealing.open_details("upload", wrong, KEYS)
    with pytest.raises(InternalError):
        sealing.open_details("another", sealed, KEYS)
    with pytest.raises(InternalError):
        sealing.open_details("upload", sealed, ObjectKeys(bytes(32)))


@pytest.mark.parametrize("wrong", [b"\0", b"\0\0\0\2x", b"\0\0\0\1e\0\0\0\1n", b"\0\0\0\1\xff"])
def test_junk_is_no_details(wrong: bytes) -> None:
    with pytest.raises(ManifestError):
        PartDetails.decode(wrong)
