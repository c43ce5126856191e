"""The ciphertext format."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto.blob import CiphertextBlob, open_, seal
from kms_server.crypto.encryption_context import canonical
from kms_server.crypto.kdf import Prf
from kms_server.errors import InvalidCiphertextException

MATERIAL = Prf(bytes(range(32)))
MATERIAL_ID = "ab" * 32
KEY_IDS = st.one_of(
    st.uuids().map(str), st.binary(min_size=16, max_size=16).map(lambda raw: f"mrk-{raw.hex()}")
)
CONTEXTS = st.dictionaries(st.text(), st.text(), max_size=4)


@given(KEY_IDS, st.binary(min_size=1, max_size=4096), CONTEXTS)
def test_what_is_sealed_opens(key_id: str, plaintext: bytes, context: dict[str, str]) -> None:
    raw = seal(MATERIAL, key_id, MATERIAL_ID, plaintext, context)
    parsed = CiphertextBlob.parse(raw)
    assert parsed.to_bytes() == raw
    assert (parsed.key_id, parsed.material_id) == (key_id, MATERIAL_ID)
    assert open_(MATERIAL, parsed, dict(reversed(context.items()))) == plaintext
    assert len(raw) - len(plaintext) <= 152


def test_every_flipped_bit_is_refused() -> None:
    raw = seal(MATERIAL, str(uuid.uuid4()), MATERIAL_ID, b"plaintext", {"a": "bc"})
    for position in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(InvalidCiphertextException):
            open_(MATERIAL, CiphertextBlob.parse(bytes(flipped)), {"a": "bc"})


@pytest.mark.parametrize("length", [0, 1, 50, 113])
def test_truncation_is_refused(length: int) -> None:
    raw = seal(MATERIAL, str(uuid.uuid4()), MATERIAL_ID, b"x", {})
    with pytest.raises(InvalidCiphertextException):
        open_(MATERIAL, CiphertextBlob.parse(raw[:length]), {})


@given(CONTEXTS, CONTEXTS)
def test_contexts_never_collide(one: dict[str, str], other: dict[str, str]) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@pytest.mark.parametrize("other", [{"ab": "c"}, {"a": "bc", "": ""}, {"A": "bc"}, {}])
def test_another_context_does_not_open(other: dict[str, str]) -> None:
    parsed = CiphertextBlob.parse(seal(MATERIAL, str(uuid.uuid4()), MATERIAL_ID, b"x", {"a": "bc"}))
    with pytest.raises(InvalidCiphertextException):
        open_(MATERIAL, parsed, other)


def test_another_material_does_not_open() -> None:
    parsed = CiphertextBlob.parse(seal(MATERIAL, str(uuid.uuid4()), MATERIAL_ID, b"x", {}))
    with pytest.raises(InvalidCiphertextException):
        open_(Prf(bytes(32)), parsed, {})


def test_equal_plaintexts_have_different_ciphertexts() -> None:
    key_id = str(uuid.uuid4())
    assert len({seal(MATERIAL, key_id, MATERIAL_ID, b"x", {}) for _ in range(100)}) == 100
