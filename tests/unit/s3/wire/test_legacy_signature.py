"""Presigned URLs of signature version 2, made by botocore."""

import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
from botocore.auth import HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from kms_server.protocol.message import Request
from kms_server.s3 import errors as e
from kms_server.s3.operations.table import SUBRESOURCES
from kms_server.s3.wire import legacy_signature
from tests.unit.s3.wire.signing import ACCESS_KEY, SECRET, request

HOST = "bucket.s3.test"


def url(
    target: str, method: str = "GET", headers: Mapping[str, str] | None = None, token: str | None = None,
    bucket: str | None = None,
) -> str:  # fmt: skip
    """Path and query; botocore names the bucket of a virtual host apart."""
    path = target.partition("?")[0]
    aws = AWSRequest(
        method, f"http://{HOST}{target}", headers=dict(headers or {}), auth_path=bucket and f"/{bucket}{path}"
    )
    HmacV1QueryAuth(Credentials(ACCESS_KEY, SECRET, token), expires=60).add_auth(aws)
    parts = urlsplit(str(aws.url))
    return f"{parts.path}?{parts.query}"


def verify(asked: Request, *, secret: str = SECRET, bucket: str | None = None, later: float = 0) -> None:
    signed = legacy_signature.parse(asked)
    assert signed is not None
    legacy_signature.verify(
        asked, signed, secret, bucket=bucket, subresources=SUBRESOURCES, now=time.time() + later
    )


@pytest.mark.parametrize(
    "target",
    [
        "/b/k", "/b/a%20b%2Bc/%C3%BC//x", "/b?acl", "/b/k?versionId=v&response-content-type=text%2Fplain",
        "/b/k?partNumber=2&uploadId=abc", "/b?prefix=not-signed", "/",
    ],
)  # fmt: skip
def test_what_botocore_signs(target: str) -> None:
    verify(request("GET", url(target)))
    verify(request("HEAD", url(target, "HEAD", token="session")))


def test_headers_that_a_url_carries() -> None:
    told = {"x-amz-meta-a": "é", "x-amz-acl": "private", "Content-Type": "text/plain"}
    address = url("/b/k", "PUT", told)
    verify(request("PUT", address))
    verify(request("PUT", address, {"content-type": "text/plain"}))
    for changed in ({"content-type": "text/html"}, {"x-amz-acl": "public-read"}, {"x-amz-meta-b": "c"}):
        with pytest.raises(e.SignatureDoesNotMatch):
            verify(request("PUT", address, changed))


def test_a_bucket_in_the_host_name() -> None:
    address = url("/k", bucket="bucket")
    verify(request("GET", address), bucket="bucket")
    for other in ("other", None):
        with pytest.raises(e.SignatureDoesNotMatch):
            verify(request("GET", address), bucket=other)


@pytest.mark.parametrize("more", ["&acl", "&encryption", "&attributes", "&versionId=v", "&x-amz-acl=private"])
def test_nothing_can_be_added(more: str) -> None:
    with pytest.raises(e.SignatureDoesNotMatch):
        verify(request("GET", url("/b/k") + more))


def test_what_was_signed_is_what_is_asked_for() -> None:
    address = url("/b/k")
    for method, target in (("PUT", address), ("GET", address.replace("/k", "/l"))):
        with pytest.raises(e.SignatureDoesNotMatch):
            verify(request(method, target))
    with pytest.raises(e.SignatureDoesNotMatch):
        verify(request("GET", address), secret="other")
    with pytest.raises(e.SignatureDoesNotMatch):
        verify(request("GET", address.replace("Expires=", "Expires=9")))
    with pytest.raises(e.AccessDenied, match="Request has expired"):
        verify(request("GET", address), later=61)


@pytest.mark.parametrize(
    "query",
    [
        "AWSAccessKeyId=a", "AWSAccessKeyId=a&Signature=b", "AWSAccessKeyId=&Signature=b&Expires=1",
        "AWSAccessKeyId=a&Signature=b&Expires=-1", "AWSAccessKeyId=a&Signature=b&Expires=x",
        "AWSAccessKeyId=a&Signature=b&Expires=" + "9" * 13, "AWSAccessKeyId=a&Signature=b&Expires=%D9%A1",
    ],
)  # fmt: skip
def test_malformed(query: str) -> None:
    with pytest.raises(e.AccessDenied):
        legacy_signature.parse(request("GET", f"/b/k?{query}"))
    with pytest.raises(e.InvalidArgument):
        legacy_signature.parse(request("GET", f"/b/k?{query}&a=1&a=2"))


def test_others_are_not_meant() -> None:
    for asked in (request("GET", "/b/k?a=b"), request("GET", url("/b/k"), {"authorization": "x"})):
        assert legacy_signature.parse(asked) is None
        assert not legacy_signature.is_legacy(asked)
