"""The ciphertext format."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto.blob import CiphertextBlob, MessageCipher
from kms_server.crypto.encryption_context import canonical
from kms_server.errors import InvalidCiphertextException

MATERIAL = bytes(range(32))
MATERIAL_ID = "ab" * 32
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
CIPHER = MessageCipher(MATERIAL, KEY_ID, MATERIAL_ID)
KEY_IDS = st.one_of(
    st.uuids().map(str), st.binary(min_size=16, max_size=16).map(lambda raw: f"mrk-{raw.hex()}")
)
CONTEXTS = st.dictionaries(st.text(), st.text(), max_size=4)


@given(KEY_IDS, st.binary(min_size=1, max_size=4096), CONTEXTS)
def test_what_is_encrypted_decrypts(key_id: str, plaintext: bytes, context: dict[str, str]) -> None:
    cipher = MessageCipher(MATERIAL, key_id, MATERIAL_ID)
    raw = cipher.encrypt("", plaintext, context)
    parsed = CiphertextBlob.parse(raw)
    assert (parsed.key_id, parsed.material_id) == (key_id, MATERIAL_ID)
    assert cipher.decrypt("", raw, dict(reversed(context.items()))) == plaintext
    assert len(raw) - len(plaintext) <= 152


def test_every_flipped_bit_is_refused() -> None:
    raw = CIPHER.encrypt("", b"plaintext", {"a": "bc"})
    for position in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(InvalidCiphertextException):
            CIPHER.decrypt("", bytes(flipped), {"a": "bc"})


@pytest.mark.parametrize("length", [0, 1, 50, 113])
def test_truncation_is_refused(length: int) -> None:
    raw = CIPHER.encrypt("", b"x", {})
    with pytest.raises(InvalidCiphertextException):
        CiphertextBlob.parse(raw[:length])
    with pytest.raises(InvalidCiphertextException):
        CIPHER.decrypt("", raw[:length], {})


@given(CONTEXTS, CONTEXTS)
def test_contexts_never_collide(one: dict[str, str], other: dict[str, str]) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@pytest.mark.parametrize("other", [{"ab": "c"}, {"a": "bc", "": ""}, {"A": "bc"}, {}])
def test_another_context_does_not_open(other: dict[str, str]) -> None:
    raw = CIPHER.encrypt("", b"x", {"a": "bc"})
    with pytest.raises(InvalidCiphertextException):
        CIPHER.decrypt("", raw, other)


def test_another_material_does_not_open() -> None:
    raw = CIPHER.encrypt("", b"x", {})
    with pytest.raises(InvalidCiphertextException):
        MessageCipher(bytes(32), KEY_ID, MATERIAL_ID).decrypt("", raw, {})


def test_equal_plaintexts_have_different_ciphertexts() -> None:
    assert len({CIPHER.encrypt("", b"x", {}) for _ in range(100)}) == 100
