"""Wrapped key material: NIST's answers for AES-KWP, all algorithms, and everything that does not open."""

import os
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_server.crypto import import_wrap
from kms_server.crypto.asymmetric import private_der
from kms_server.errors import InvalidCiphertextException, ValidationException
from tests.unit.crypto import independent_rsa
from tests.unit.crypto.vectors import Record, records

SIZES = (2048, 3072, 4096)
DIRECT = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
THROUGH_AES = ("RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256")
MATERIAL = bytes(range(32))
EPHEMERAL = bytes(range(32, 64))


def oaep(algorithm: str, plaintext: bytes, bits: int = 2048) -> bytes:
    make_hash = hashes.SHA1 if algorithm.endswith("SHA_1") else hashes.SHA256
    public = independent_rsa.key(bits).public_key()
    return public.encrypt(plaintext, padding.OAEP(padding.MGF1(make_hash()), make_hash(), None))


def wrapped(algorithm: str, material: bytes, bits: int = 2048, ephemeral: bytes = EPHEMERAL) -> bytes:
    if algorithm in DIRECT:
        return oaep(algorithm, material, bits)
    return oaep(algorithm, ephemeral, bits) + aes_key_wrap_with_padding(ephemeral, material)


def unwrap(algorithm: str, raw: bytes, bits: int = 2048) -> bytes:
    return import_wrap.unwrap(private_der(independent_rsa.key(bits)), algorithm, raw)


def refuse_size(algorithm: str, raw: bytes) -> None:
    with pytest.raises(ValidationException) as refused:
        unwrap(algorithm, raw)
    assert refused.value.message == "Invalid encrypted key size."


def refuse(algorithm: str, raw: bytes) -> None:
    with pytest.raises(InvalidCiphertextException) as refused:
        unwrap(algorithm, raw)
    assert refused.value.message == ""


def test_the_algorithms_are_awss() -> None:
    assert import_wrap.ALGORITHMS == DIRECT + THROUGH_AES


@pytest.mark.parametrize("bits", SIZES)
@pytest.mark.parametrize("algorithm", DIRECT + THROUGH_AES)
def test_what_is_wrapped_unwraps(algorithm: str, bits: int) -> None:
    for material in (MATERIAL, b"x", MATERIAL * 4):
        assert unwrap(algorithm, wrapped(algorithm, material, bits), bits) == material


@settings(max_examples=50)
@given(st.sampled_from(THROUGH_AES), st.binary(min_size=1, max_size=5_000))
def test_any_length_goes_through_aes(algorithm: str, material: bytes) -> None:
    assert unwrap(algorithm, wrapped(algorithm, material)) == material


def nist(path: str, *last: str) -> Iterator[Record]:
    return records(f"keywrap/kwtestvectors/{path}", *last)


@pytest.mark.parametrize(("path", "last"), [("KWP_AE_256.txt", ("C",)), ("KWP_AD_256.txt", ("P", "FAIL"))])
def test_aes_kwp_is_nists(path: str, last: tuple[str, ...]) -> None:
    cases = list(nist(path, *last))
    assert len(cases) == 500
    assert sum("FAIL" in case for case in cases) == 100 * (len(last) - 1)
    for case in cases:
        raw = oaep("RSA_AES_KEY_WRAP_SHA_256", case.raw("K")) + case.raw("C")
        if "FAIL" in case:
            refuse("RSA_AES_KEY_WRAP_SHA_256", raw)
        else:
            assert unwrap("RSA_AES_KEY_WRAP_SHA_256", raw) == case.raw("P")


@pytest.mark.parametrize("algorithm", DIRECT)
@pytest.mark.parametrize("length", [0, 1, 255, 257, 272, 384, 512])
def test_oaep_takes_one_length(algorithm: str, length: int) -> None:
    refuse_size(algorithm, bytes(length))


@pytest.mark.parametrize("algorithm", THROUGH_AES)
@pytest.mark.parametrize("length", [0, 1, 16, 255, 256, 257, 264, 271, 273, 279, 281, 287])
def test_aes_kwp_takes_whole_blocks_and_two_at_least(algorithm: str, length: int) -> None:
    refuse_size(algorithm, bytes(length))


@pytest.mark.parametrize("algorithm", THROUGH_AES)
@pytest.mark.parametrize("length", [272, 280, 288])
def test_a_length_that_fits_is_tried(algorithm: str, length: int) -> None:
    refuse(algorithm, bytes(length))
    refuse(algorithm, oaep(algorithm, EPHEMERAL) + bytes(length - 256))


@pytest.mark.parametrize("algorithm", DIRECT + THROUGH_AES)
def test_nothing_opens_under_another_hash(algorithm: str) -> None:
    other = algorithm[:-1] + "256" if algorithm.endswith("SHA_1") else algorithm[:-3] + "1"
    refuse(other, wrapped(algorithm, MATERIAL))


@pytest.mark.parametrize("algorithm", DIRECT)
def test_the_ways_are_not_exchanged(algorithm: str) -> None:
    through = algorithm.replace("RSAES_OAEP", "RSA_AES_KEY_WRAP")
    refuse_size(algorithm, wrapped(through, MATERIAL))
    refuse_size(through, wrapped(algorithm, MATERIAL))


@pytest.mark.parametrize("algorithm", DIRECT + THROUGH_AES)
def test_another_key_does_not_open(algorithm: str) -> None:
    raw = wrapped(algorithm, MATERIAL)
    other = private_der(independent_rsa.key(2048, 3))
    assert unwrap(algorithm, raw) == MATERIAL
    wrong = independent_rsa.from_primes(*_other_primes(), 65_537)
    for key in (private_der(wrong), other):
        with pytest.raises(InvalidCiphertextException):
            import_wrap.unwrap(key, algorithm, raw)


def _other_primes() -> tuple[int, int]:
    """The primes of a NIST answer for another key of 2048 bits."""
    path = "asymmetric/RSA/FIPS_186-2/SigVerPSS_186-3.rsp"
    case = next(case for case in records(path, "Result") if case[""] == "mod = 2048")
    return case.number("p"), case.number("q")


@pytest.mark.parametrize("algorithm", DIRECT + THROUGH_AES)
def test_flipped_bits_are_refused(algorithm: str) -> None:
    raw = wrapped(algorithm, MATERIAL)
    for position in [*range(0, 256, 8), *range(256, len(raw))]:
        for bit in (0, 7):
            flipped = bytearray(raw)
            flipped[position] ^= 1 << bit
            refuse(algorithm, bytes(flipped))


@pytest.mark.parametrize("algorithm", THROUGH_AES)
@pytest.mark.parametrize("size", [16, 24])
def test_the_ephemeral_key_has_256_bits(algorithm: str, size: int) -> None:
    refuse(algorithm, wrapped(algorithm, MATERIAL, ephemeral=os.urandom(size)))


@pytest.mark.parametrize("algorithm", THROUGH_AES)
@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_an_ephemeral_key_that_is_none_is_refused(algorithm: str, size: int) -> None:
    refuse(algorithm, oaep(algorithm, bytes(size)) + bytes(40))


@pytest.mark.parametrize("algorithm", DIRECT)
def test_nothing_may_be_wrapped(algorithm: str) -> None:
    assert unwrap(algorithm, wrapped(algorithm, b"")) == b""
