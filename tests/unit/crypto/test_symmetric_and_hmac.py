"""Symmetric and HMAC keys as they come in, and what a ciphertext must look like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto.blob import CiphertextBlob, SymmetricType
from kms_server.crypto.capabilities import MaterialError
from kms_server.crypto.hmac_key import HmacType
from kms_server.crypto.wrap import WrapError, unwrap, wrap
from kms_server.errors import InvalidCiphertextException

HASHES = (224, 256, 384, 512)
KEY_ID, MATERIAL_ID = "1234abcd-12ab-34cd-56ef-1234567890ab", "ab" * 32


def test_fresh_symmetric_material() -> None:
    fresh = {SymmetricType().generate() for _ in range(100)}
    assert len(fresh) == 100
    assert {len(material) for material in fresh} == {32}


@given(st.binary(max_size=70))
def test_symmetric_material_has_256_bits(material: bytes) -> None:
    if len(material) == 32:
        assert SymmetricType().checked(material) == material
        return
    with pytest.raises(MaterialError, match=f"^{len(material)} bytes$"):
        SymmetricType().checked(material)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_symmetric_material_of_other_lengths(length: int) -> None:
    with pytest.raises(MaterialError):
        SymmetricType().checked(bytes(length))


def test_opened_symmetric_keys_are_bound_to_their_ids() -> None:
    material = SymmetricType().checked(bytes(32))
    raw = SymmetricType().open(material, KEY_ID, MATERIAL_ID).encrypt("", b"x", {})
    assert SymmetricType().open(material, KEY_ID, MATERIAL_ID).decrypt("", raw, {}) == b"x"
    assert CiphertextBlob.parse(raw) == CiphertextBlob(KEY_ID, MATERIAL_ID)


@pytest.mark.parametrize("bits", HASHES)
def test_fresh_hmac_material_is_as_long_as_the_digest(bits: int) -> None:
    key_type = HmacType(f"sha{bits}", bits // 8)
    material = key_type.generate()
    assert len(material) == bits // 8
    assert key_type.checked(material) == material != key_type.generate()


@pytest.mark.parametrize("bits", HASHES)
def test_hmac_material_is_as_long_as_the_digest_or_longer(bits: int) -> None:
    key_type = HmacType(f"sha{bits}", bits // 8)
    for length in (bits // 8, bits // 8 + 1, 127, 128):
        assert key_type.checked(bytes(length)) == bytes(length)
    for length in (0, bits // 8 - 1, 129, 256):
        with pytest.raises(MaterialError, match=f"^{length} bytes$"):
            key_type.checked(bytes(length))


@pytest.mark.parametrize("bits", HASHES)
def test_another_tag_for_another_key_or_message(bits: int) -> None:
    key_type = HmacType(f"sha{bits}", bits // 8)
    one, other = (key_type.open(key_type.generate(), "", "") for _ in range(2))
    assert one.mac(b"message") == one.mac(b"message")
    assert len({one.mac(b"message"), other.mac(b"message"), one.mac(b"message\0"), one.mac(b"")}) == 4


@pytest.mark.parametrize("kind", range(2, 256))
def test_a_kind_of_key_id_that_is_none(kind: int) -> None:
    with pytest.raises(InvalidCiphertextException):
        CiphertextBlob.parse(bytes([1, kind]) + bytes(200))


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_format_is_refused(version: int) -> None:
    with pytest.raises(InvalidCiphertextException):
        CiphertextBlob.parse(bytes([version, 0]) + bytes(200))
    wrapped = wrap(bytes(32), b"secret", b"")
    with pytest.raises(WrapError):
        unwrap(bytes(32), bytes([version]) + wrapped[1:], b"")


def test_the_shortest_ciphertext() -> None:
    """Of nothing: the overhead alone."""
    raw = SymmetricType().open(bytes(32), KEY_ID, MATERIAL_ID).encrypt("", b"", {})
    assert len(raw) == 114
    assert CiphertextBlob.parse(raw) == CiphertextBlob(KEY_ID, MATERIAL_ID)
    with pytest.raises(InvalidCiphertextException):
        CiphertextBlob.parse(raw[:-1])


def test_every_truncation_of_a_wrapped_secret_is_refused() -> None:
    wrapped = wrap(bytes(32), b"", b"binding")
    assert len(wrapped) == 33
    assert unwrap(bytes(32), wrapped, b"binding") == b""
    for length in range(33):
        with pytest.raises(WrapError):
            unwrap(bytes(32), wrapped[:length], b"binding")
