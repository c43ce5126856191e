"""What an Ed25519 key takes and refuses."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto.asymmetric import private_der
from kms_server.crypto.ed25519 import Ed25519Key, Ed25519Type
from kms_server.errors import KMSInvalidSignatureException, ValidationException

PURE, PREHASHED = "ED25519_SHA_512", "ED25519_PH_SHA_512"
ALGORITHMS = [(PURE, "RAW"), (PREHASHED, "DIGEST")]
MESSAGE = bytes(range(64))


def opened(seed: int = 1) -> Ed25519Key:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32))
    return Ed25519Type().open(private_der(private), "", "")


@pytest.mark.parametrize(("algorithm", "message_type"), ALGORITHMS)
def test_signatures_are_deterministic_and_verify(algorithm: str, message_type: str) -> None:
    key = opened()
    signature = key.sign(algorithm, MESSAGE, message_type)
    assert len(signature) == 64
    assert key.sign(algorithm, MESSAGE, message_type) == signature
    key.verify(algorithm, MESSAGE, message_type, signature)


@given(st.binary(max_size=500))
def test_messages_have_any_length(message: bytes) -> None:
    opened().verify(PURE, message, "RAW", opened().sign(PURE, message, "RAW"))


@pytest.mark.parametrize(
    ("algorithm", "message_type"),
    [(PURE, "DIGEST"), (PURE, "EXTERNAL_MU"), (PREHASHED, "RAW"), (PREHASHED, "EXTERNAL_MU")],
)
def test_each_algorithm_has_its_message_type(algorithm: str, message_type: str) -> None:
    for call in (
        lambda: opened().sign(algorithm, MESSAGE, message_type),
        lambda: opened().verify(algorithm, MESSAGE, message_type, bytes(64)),
    ):
        with pytest.raises(ValidationException) as refused:
            call()
        assert refused.value.message == f"MessageType {message_type} is not valid for algorithm {algorithm}."


@pytest.mark.parametrize("length", [0, 1, 32, 63, 65, 128])
def test_a_digest_has_64_bytes(length: int) -> None:
    for call in (
        lambda: opened().sign(PREHASHED, bytes(length), "DIGEST"),
        lambda: opened().verify(PREHASHED, bytes(length), "DIGEST", bytes(64)),
    ):
        with pytest.raises(ValidationException) as refused:
            call()
        assert refused.value.message == f"Digest is invalid length for algorithm {PREHASHED}."


@pytest.mark.parametrize(("algorithm", "message_type"), ALGORITHMS)
def test_a_signature_that_differs_is_refused(algorithm: str, message_type: str) -> None:
    key = opened()
    right = key.sign(algorithm, MESSAGE, message_type)
    flipped = [
        right[: i // 8] + bytes([right[i // 8] ^ 1 << i % 8]) + right[i // 8 + 1 :] for i in range(512)
    ]
    lengths = (b"", right[:32], right[:63], right + b"\0", right + right)
    for wrong in (*flipped, *lengths, bytes(64), b"\xff" * 64, right[32:] + right[:32]):
        with pytest.raises(KMSInvalidSignatureException) as refused:
            key.verify(algorithm, MESSAGE, message_type, wrong)
        assert refused.value.message == ""
    with pytest.raises(KMSInvalidSignatureException):
        key.verify(algorithm, MESSAGE[::-1], message_type, right)
    with pytest.raises(KMSInvalidSignatureException):
        opened(2).verify(algorithm, MESSAGE, message_type, right)


def test_a_fresh_key() -> None:
    stored = Ed25519Type().generate()
    assert Ed25519Type().checked(stored) == stored != Ed25519Type().generate()
    key = Ed25519Type().open(stored, "", "")
    public = load_der_public_key(key.public_der())
    assert isinstance(public, ed25519.Ed25519PublicKey)
    public.verify(key.sign(PURE, b"message", "RAW"), b"message")
