"""Ed25519 and Ed25519ph: RFC 8032's answers, and an implementation from RFC 8032."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_server.crypto.ed25519 import Ed25519Key, Ed25519Type
from kms_server.errors import KMSInvalidSignatureException
from tests.unit.crypto import der
from tests.unit.crypto import independent_ed25519 as independent
from tests.unit.crypto.vectors import lines

IDENTIFIER = der.algorithm("06032b6570")
PURE, PREHASHED = "ED25519_SHA_512", "ED25519_PH_SHA_512"
# RFC 8032 section 7.3.
SEED_73 = bytes.fromhex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
SIGNATURE_73 = (
    "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
    "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
)
SEEDS = st.binary(min_size=32, max_size=32)
DIGESTS = st.binary(min_size=64, max_size=64)


def opened(seed: bytes) -> Ed25519Key:
    stored = Ed25519Type().checked(der.private_key(IDENTIFIER, der.octets(seed)))
    return Ed25519Type().open(stored, "", "")


def test_signatures_of_the_authors() -> None:
    cases = 0
    for line in lines("asymmetric/Ed25519/sign.input"):
        secret, public, message, signed = (bytes.fromhex(part) for part in line.split(":")[:4])
        key = opened(secret[:32])
        assert key.public_der() == der.public_key(IDENTIFIER, public)
        assert key.sign(PURE, message, "RAW") == signed[:64]
        key.verify(PURE, message, "RAW", signed[:64])
        with pytest.raises(KMSInvalidSignatureException):
            key.verify(PURE, message + b"\0", "RAW", signed[:64])
        cases += 1
    assert cases == 1024


def test_the_independent_implementation_agrees_with_the_rfc() -> None:
    for number, line in enumerate(lines("asymmetric/Ed25519/sign.input")):
        if number % 128 == 0:
            secret, public, message, signed = (bytes.fromhex(part) for part in line.split(":")[:4])
            assert independent.public(secret[:32]) == public
            assert independent.sign(secret[:32], message) == signed[:64]
    assert independent.sign_prehashed(SEED_73, b"abc").hex() == SIGNATURE_73


@settings(max_examples=10)
@given(SEEDS, DIGESTS)
def test_a_digest_is_the_message_of_ed25519ph(seed: bytes, digest: bytes) -> None:
    key = opened(seed)
    signature = independent.sign_prehashed(seed, digest)
    assert key.sign(PREHASHED, digest, "DIGEST") == signature
    key.verify(PREHASHED, digest, "DIGEST", signature)
    with pytest.raises(KMSInvalidSignatureException):
        key.verify(PREHASHED, hashlib.sha512(digest).digest(), "DIGEST", signature)


def test_a_prehashed_signature_is_not_one_of_the_digest() -> None:
    key, digest = opened(SEED_73), hashlib.sha512(b"abc").digest()
    for signature in (independent.sign(SEED_73, digest), bytes.fromhex(SIGNATURE_73)):
        with pytest.raises(KMSInvalidSignatureException):
            key.verify(PREHASHED, digest, "DIGEST", signature)
    with pytest.raises(KMSInvalidSignatureException):
        key.verify(PURE, digest, "RAW", independent.sign_prehashed(SEED_73, digest))


def test_the_order_is_not_added_to_a_signature() -> None:
    """S must be less than the order (RFC 8032 section 5.1.7), so that nobody makes another signature of one."""
    key, digest = opened(SEED_73), bytes(64)
    order = 2**252 + 27742317777372353535851937790883648493
    for algorithm, message_type in ((PURE, "RAW"), (PREHASHED, "DIGEST")):
        signature = key.sign(algorithm, digest, message_type)
        more = int.from_bytes(signature[32:], "little") + order
        with pytest.raises(KMSInvalidSignatureException):
            key.verify(algorithm, digest, message_type, signature[:32] + more.to_bytes(32, "little"))
