"""An answer must fit its schema as it goes over the wire."""

from typing import Any

import pytest
from marshmallow import ValidationError

from kms_server.errors import SerializationException
from kms_server.schemas.base import validate_response
from kms_server.schemas.data_keys import GenerateDataKeyResponse
from kms_server.schemas.encryption import EncryptResponse

ENCRYPTED = {"CiphertextBlob": b"abc", "KeyId": "a", "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}


@pytest.mark.parametrize("answer", [ENCRYPTED, {}, {"KeyId": "a" * 2048}])
def test_an_answer_that_fits(answer: dict[str, Any]) -> None:
    validate_response(EncryptResponse, answer)


@pytest.mark.parametrize(
    "different",
    [
        {"CiphertextBlob": b""},
        {"CiphertextBlob": bytes(6_145)},
        {"KeyId": ""},
        {"EncryptionAlgorithm": "AES"},
        {"Plaintext": b"abc"},
    ],
)
def test_an_answer_that_does_not_fit(different: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        validate_response(EncryptResponse, ENCRYPTED | different)


def test_an_answer_of_another_type() -> None:
    with pytest.raises(SerializationException):
        validate_response(EncryptResponse, ENCRYPTED | {"KeyId": 1})


@pytest.mark.parametrize("material_id", ["a" * 63, "a" * 65, "A" * 64, "g" * 64])
def test_a_material_id_has_64_digits(material_id: str) -> None:
    validate_response(GenerateDataKeyResponse, {"KeyMaterialId": "0123456789abcdef" * 4})
    with pytest.raises(ValidationError):
        validate_response(GenerateDataKeyResponse, {"KeyMaterialId": material_id})
