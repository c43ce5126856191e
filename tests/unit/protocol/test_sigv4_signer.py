"""What the signer signs, the verifier takes; and botocore signs the same."""

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from msgspec import structs

from kms_server import errors as e
from kms_server.protocol import sigv4
from kms_server.protocol.message import Request
from kms_server.protocol.signed import signing_key
from kms_server.protocol.sigv4_signer import Credentials, sign

NOW = 1_790_000_000.0
HEADERS = {"host": "kms.example:4599", "content-type": "application/x-amz-json-1.1", "x-amz-target": "T.O"}
REQUEST = Request("POST", "/", HEADERS, b'{"a":1}', "")


def verify(request: Request, secret: str = "secret") -> None:
    signed = sigv4.parse(request)
    sigv4.check_scope(signed.claim.credential, "kms")
    key = signing_key(secret, signed.claim.credential.date, "eu-west-1", "kms")
    sigv4.verify(request, signed, key, now=NOW, window=300, presigned_lifetime=300)


@pytest.mark.parametrize("token", [None, "token"])
def test_a_signed_request_verifies(token: str | None) -> None:
    signed = sign(REQUEST, Credentials("AKIA", "secret", token), region="eu-west-1", service="kms", now=NOW)
    verify(signed)
    assert signed.headers.get("x-amz-security-token") == token
    with pytest.raises(e.InvalidSignatureException):
        verify(signed, "other")
    with pytest.raises(e.InvalidSignatureException):
        verify(structs.replace(signed, body=b"{}"))


def test_botocore_signs_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = sign(REQUEST, Credentials("AKIA", "secret", "t"), region="eu-west-1", service="kms", now=NOW)
    theirs = AWSRequest("POST", f"http://{HEADERS['host']}/", headers=dict(HEADERS), data=REQUEST.body)
    signer = SigV4Auth(BotoCredentials("AKIA", "secret", "t"), "kms", "eu-west-1")
    monkeypatch.setattr("botocore.auth.get_current_datetime", _now)
    signer.add_auth(theirs)
    assert theirs.headers["Authorization"] == mine.headers["authorization"]


def _now() -> datetime:
    return datetime.fromtimestamp(NOW, UTC)


def test_credentials_do_not_show_their_secret() -> None:
    assert "secret" not in repr(Credentials("AKIA", "secret", "token"))
    assert "token" not in repr(Credentials("AKIA", "secret", "token"))
