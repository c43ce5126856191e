"""What comes of answers that are none."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest

from kms_server.connections import Answer, Connections, Endpoint
from kms_server.protocol.sigv4_signer import Credentials
from kms_server.s3 import errors as e
from kms_server.s3.kms.callers import TheLayers
from kms_server.s3.kms.remote import RemoteKms
from tests.unit.operations.service import Service
from tests.unit.s3.kms.asking import CONTEXT, asked, use

KEY = "arn:aws:kms:us-east-1:000000000000:key/1"
GOOD = {"KeyId": KEY, "Plaintext": "cA==", "CiphertextBlob": "Yw=="}


class _Canned(Connections):
    """Gives one answer, or fails."""

    def __init__(self, status: int, body: bytes, error: Exception | None = None) -> None:
        super().__init__(Endpoint(secure=True, host="kms", port=443), None)
        self.answer = Answer(status, body)
        self.error = error
        self.sent: list[tuple[Mapping[str, str], Any]] = []

    def post(self, headers: Callable[[], Mapping[str, str]], body: bytes) -> Answer:
        self.sent.append((headers(), orjson.loads(body)))
        if self.error is not None:
            raise self.error
        return self.answer


def remote(canned: _Canned) -> RemoteKms:
    return RemoteKms(canned, TheLayers(Credentials("AKIA", "secret", "token")))


def test_what_is_sent(service: Service) -> None:
    canned = _Canned(200, orjson.dumps(GOOD))
    made = remote(canned).generate_data_key(asked(service), use("alias/a"))
    assert made == (KEY, b"p", b"c")
    ((headers, document),) = canned.sent
    assert document == {"KeyId": "alias/a", "KeySpec": "AES_256", "EncryptionContext": CONTEXT}
    assert headers["x-amz-target"] == "TrentService.GenerateDataKey"
    assert headers["x-amz-security-token"] == "token"
    assert "/us-east-1/kms/" in headers["authorization"]


ANSWERS: list[tuple[int, bytes, type[e.S3Error]]] = [
    (200, b"", e.ServiceUnavailable),
    (200, b"[]", e.ServiceUnavailable),
    (200, b"<html>", e.ServiceUnavailable),
    (200, b"{}", e.ServiceUnavailable),
    (200, orjson.dumps(GOOD | {"Plaintext": 1}), e.ServiceUnavailable),
    (200, orjson.dumps(GOOD | {"Plaintext": "?"}), e.ServiceUnavailable),
    (502, b"<html>", e.ServiceUnavailable),
    (400, b"{}", e.InternalError),
    (400, b'{"__type":"DisabledException","message":"k is disabled."}', e.KmsDisabled),
    (400, b'{"__type":"com.amazonaws.kms#NotFoundException","Message":"m"}', e.KmsNotFound),
    (400, b'{"__type":"ThrottlingException"}', e.SlowDown),
    (400, b'{"__type":"ExpiredTokenException"}', e.InternalError),
]


@pytest.mark.parametrize(("status", "body", "error"), ANSWERS, ids=range(len(ANSWERS)))
def test_answers(service: Service, status: int, body: bytes, error: type[e.S3Error]) -> None:
    with pytest.raises(error):
        remote(_Canned(status, body)).generate_data_key(asked(service), use(KEY))


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionRefusedError(), OSError()], ids=range(3))
def test_no_answer(service: Service, error: Exception) -> None:
    with pytest.raises(e.ServiceUnavailable):
        remote(_Canned(0, b"", error)).decrypt(asked(service), use(KEY), b"c")
