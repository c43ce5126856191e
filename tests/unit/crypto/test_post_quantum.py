"""What ML-DSA and ML-KEM keys take and refuse."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_server.crypto.capabilities import MaterialError
from kms_server.errors import InvalidCiphertextException, KMSInvalidSignatureException, ValidationException
from kms_server.keys.specs import KEY_SPECS
from tests.unit.crypto import test_known_ml_dsa as ml_dsa
from tests.unit.crypto import test_known_ml_kem as ml_kem

ALGORITHM = ml_dsa.ALGORITHM


@ml_dsa.every_set
@pytest.mark.parametrize("length", [0, 1, 32, 63, 65, 128])
def test_mu_has_64_bytes(name: int, length: int) -> None:
    key = ml_dsa.opened(name)
    for call in (
        lambda: key.sign(ALGORITHM, bytes(length), "EXTERNAL_MU"),
        lambda: key.verify(ALGORITHM, bytes(length), "EXTERNAL_MU", b""),
    ):
        with pytest.raises(ValidationException) as refused:
            call()
        assert refused.value.message == f"EXTERNAL_MU must be 64 bytes for algorithm {ALGORITHM}."


@ml_dsa.every_set
def test_there_is_no_digest(name: int) -> None:
    key = ml_dsa.opened(name)
    for call in (
        lambda: key.sign(ALGORITHM, bytes(64), "DIGEST"),
        lambda: key.verify(ALGORITHM, bytes(64), "DIGEST", b""),
    ):
        with pytest.raises(ValidationException) as refused:
            call()
        assert refused.value.message == f"MessageType DIGEST is not valid for algorithm {ALGORITHM}."


@ml_dsa.every_set
@pytest.mark.parametrize("message_type", ["RAW", "EXTERNAL_MU"])
def test_a_signature_that_differs_is_refused(name: int, message_type: str) -> None:
    key, message = ml_dsa.opened(name), bytes(range(64))
    right = key.sign(ALGORITHM, message, message_type)
    key.verify(ALGORITHM, message, message_type, right)
    flipped = [right[:i] + bytes([right[i] ^ 1]) + right[i + 1 :] for i in range(0, len(right), 61)]
    for wrong in (*flipped, b"", right[:-1], right + b"\0", bytes(len(right)), b"\xff" * len(right)):
        with pytest.raises(KMSInvalidSignatureException) as refused:
            key.verify(ALGORITHM, message, message_type, wrong)
        assert refused.value.message == ""
    other_type = {"RAW": "EXTERNAL_MU", "EXTERNAL_MU": "RAW"}[message_type]
    for other_key, other_message, kind in (
        (key, message[::-1], message_type),
        (key, message, other_type),
        (ml_dsa.opened(name, bytes(32)), message, message_type),
    ):
        with pytest.raises(KMSInvalidSignatureException):
            other_key.verify(ALGORITHM, other_message, kind, right)


@settings(max_examples=20)
@given(st.binary(max_size=300))
def test_messages_have_any_length(message: bytes) -> None:
    key = ml_dsa.opened(44)
    key.verify(ALGORITHM, message, "RAW", key.sign(ALGORITHM, message, "RAW"))


@ml_kem.every_set
def test_a_ciphertext_of_another_length_is_refused(name: int) -> None:
    key = ml_kem.opened(name)
    right = key.encapsulate()[1]
    for wrong in (
        b"",
        right[:32],
        right[:-1],
        right + b"\0",
        right * 2,
        bytes(768),
        bytes(2656 - len(right)),
    ):
        with pytest.raises(InvalidCiphertextException) as refused:
            key.decapsulate(wrong)
        assert refused.value.message == ""


@ml_kem.every_set
def test_the_owner_has_the_secret_and_another_key_an_unrelated_one(name: int) -> None:
    key = ml_kem.opened(name)
    secret, ciphertext = key.encapsulate()
    assert key.decapsulate(ciphertext) == secret
    other = ml_kem.opened(name, bytes(64)).decapsulate(ciphertext)
    assert len(other) == 32
    assert other != secret


@pytest.mark.parametrize("name", [name for name in KEY_SPECS if name.startswith("ML_")])
def test_there_is_no_import(name: str) -> None:
    key_type = KEY_SPECS[name].type
    family = name[:6].replace("_", "-")
    for material in (key_type.generate(), b""):
        with pytest.raises(MaterialError, match=f"^{len(material)} bytes: {family} keys cannot be imported$"):
            key_type.checked(material)
