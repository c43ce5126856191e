"""HMAC against RFC 4231, key derivation against NIST SP 800-108's answers (CAVP)."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto.hmac_key import HmacType
from kms_server.crypto.kdf import Prf
from tests.unit.crypto.vectors import records


def plain_hmac(name: str, key: bytes, message: bytes) -> bytes:
    """HMAC from RFC 2104, section 2."""
    block = hashlib.new(name).block_size
    key = hashlib.new(name, key).digest() if len(key) > block else key
    inner, outer = (bytes(byte ^ pad for byte in key.ljust(block, b"\0")) for pad in (0x36, 0x5C))
    return hashlib.new(name, outer + hashlib.new(name, inner + message).digest()).digest()


def counter_mode(key: bytes, fixed: bytes, length: int) -> bytes:
    """The derivation of SP 800-108r1 section 4.1 over HMAC-SHA-256, of fixed input data as a whole."""
    blocks = [plain_hmac("sha256", key, i.to_bytes(4) + fixed) for i in range(1, length // 32 + 2)]
    return b"".join(blocks)[:length]


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_tags_of_rfc_4231(bits: int) -> None:
    cases = list(records(f"HMAC/rfc-4231-sha{bits}.txt", "MD"))
    assert len(cases) == 6
    for case in cases:
        key = HmacType(f"sha{bits}", bits // 8).open(case.raw("Key"), "", "")
        assert key.mac(case.raw("Msg")) == case.raw("MD")
        if bits == 256:
            assert Prf(case.raw("Key")).digest(case.raw("Msg")) == case.raw("MD")


@given(st.sampled_from([224, 256, 384, 512]), st.binary(max_size=200), st.binary(max_size=300))
def test_tags_are_those_of_rfc_2104(bits: int, key: bytes, message: bytes) -> None:
    expected = plain_hmac(f"sha{bits}", key, message)
    assert HmacType(f"sha{bits}", bits // 8).open(key, "", "").mac(message) == expected
    assert len(expected) == bits // 8


@pytest.mark.parametrize("length", [63, 64, 65])
def test_keys_around_the_length_of_a_block(length: int) -> None:
    assert Prf(bytes(range(length))).digest(b"message") == plain_hmac(
        "sha256", bytes(range(length)), b"message"
    )


def test_the_counter_mode_above_is_nists() -> None:
    heading = "PRF=HMAC_SHA256 CTRLOCATION=BEFORE_FIXED RLEN=32_BITS"
    cases = [case for case in records("KDF/nist-800-108-KBKDF-CTR.txt", "KO") if case[""] == heading]
    assert len(cases) == 40
    for case in cases:
        derived = counter_mode(case.raw("KI"), case.raw("FixedInputData"), int(case["L"]) // 8)
        assert derived == case.raw("KO")


@pytest.mark.parametrize("length", [1, 16, 31, 32, 33, 63, 64, 65, 96, 97, 8_160])
def test_derived_bytes_are_those_of_counter_mode(length: int) -> None:
    fixed = b"label" + b"\0" + b"context" + (length * 8).to_bytes(4)
    assert Prf(b"key").derive(b"label", b"context", length) == counter_mode(b"key", fixed, length)
