"""S3's SigV2 against AWS's published example and botocore's signers."""

import time
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

import pytest
from botocore.auth import HmacV1PostAuth, HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from kms_server.errors import ServiceError
from kms_server.protocol.message import Request
from kms_server.s3 import errors as e
from kms_server.s3.operations import table
from kms_server.s3.wire import signature, signature_v2
from kms_server.s3.wire.signature_v2 import SIGNED_PARAMETERS, SignedV2
from tests.unit.s3.wire.signing import ACCESS_KEY, SECRET, request

HOST = "localhost:4599"
BY = Credentials(ACCESS_KEY, SECRET)
SESSION = Credentials(ACCESS_KEY, SECRET, "to/ke+n=")


def presigned(
    url: str, headers: Mapping[str, str] | None = None, *, method: str = "GET", by: Credentials = BY,
    auth_path: str | None = None, expires: int = 60,
) -> Request:  # fmt: skip
    """A URL as botocore makes it; of the headers only those are sent that it does not put into the query."""
    aws = AWSRequest(method, url, headers=dict(headers or {}), auth_path=auth_path)
    HmacV1QueryAuth(by, expires=expires).add_auth(aws)
    parts = urlsplit(str(aws.url))
    sent = {name.lower(): value for name, value in (headers or {}).items() if name.lower()[:6] != "x-amz-"}
    return Request(method, f"{parts.path}?{parts.query}", sent | {"host": parts.netloc}, b"", "")


def parsed(made: Request, domain: str | None = None) -> SignedV2:
    signed = signature_v2.parse(made, domain)
    assert signed is not None
    return signed


def verify(made: Request, domain: str | None = None, *, now: float | None = None) -> None:
    signature_v2.verify(parsed(made, domain), SECRET, now=time.time() if now is None else now)


def test_the_published_example() -> None:
    """AWS "Query string request authentication alternative"."""
    target = "/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
    made = request("GET", target, {"host": "johnsmith.s3.amazonaws.com"})
    verify(made, "s3.amazonaws.com", now=1_175_139_620)
    with pytest.raises(e.SignatureDoesNotMatch):
        verify(made, None, now=1_175_139_620)
    with pytest.raises(e.AccessDenied, match="Request has expired") as caught:
        verify(made, "s3.amazonaws.com", now=1_175_139_621)
    assert caught.value.details == {"Expires": "2007-03-29T03:40:20Z", "ServerTime": "2007-03-29T03:40:21Z"}


@pytest.mark.parametrize("path", ["/b", "/b/", "/b/k", "/b/a//../b", "/b/%C3%BC%20%2B+", "/b/%3Fx~", "/"])
@pytest.mark.parametrize(
    "query",
    ["", "?uploads", "?uploadId=a&partNumber=2", "?list-type=2&prefix=a%2Fb", "?versionId=1&response-content-type=a%2Fb%20%C3%BC"],
)  # fmt: skip
@pytest.mark.parametrize("by", [BY, SESSION], ids=["key", "session"])
def test_botocore_presigns(path: str, query: str, by: Credentials) -> None:
    # botocore itself tells the signer of the slash behind a bucket.
    auth_path = "/b/" if path == "/b" else None
    made = presigned(f"http://{HOST}{path}{query}", by=by, auth_path=auth_path)
    verify(made)
    assert parsed(made).session_token == by.token
    for other in (
        structs.replace(made, method="PUT"),
        structs.replace(made, target=made.target.replace("?", "x?", 1)),
    ):
        with pytest.raises(e.SignatureDoesNotMatch):
            verify(other)


def test_headers() -> None:
    headers = {
        "content-type": "text/plain", "content-md5": "XrY7u+Ae7tCTyyK7j1rNww==", "x-amz-acl": "private",
        "x-amz-meta-a": "ü x",
    }  # fmt: skip
    made = presigned(f"http://{HOST}/b/k", headers, method="PUT", by=SESSION)
    verify(made)
    # A client may send them as well.
    verify(structs.replace(made, headers=dict(made.headers) | {"x-amz-acl": " private "}))
    for changed in (
        {"content-type": "text/html"}, {"content-md5": ""}, {"x-amz-acl": "public-read"}, {"x-amz-extra": "1"},
    ):  # fmt: skip
        with pytest.raises(e.SignatureDoesNotMatch):
            verify(structs.replace(made, headers=dict(made.headers) | changed))
    with pytest.raises(e.SignatureDoesNotMatch):
        verify(structs.replace(made, target=made.target.replace("private", "public-read")))


def test_virtual_hosts() -> None:
    made = presigned("http://pics.s3.test/a%20b?versionId=null", auth_path="/pics/a%20b")
    verify(made, "s3.test")
    with pytest.raises(e.SignatureDoesNotMatch):
        verify(structs.replace(made, headers={"host": "other.s3.test"}), "s3.test")


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80),
    st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: "&" not in text),
)
def test_botocore_presigns_any_key(key: str, value: str) -> None:
    query = urlencode({"response-content-disposition": value}, quote_via=quote)
    made = presigned(f"http://{HOST}/b/{quote(key, safe='/~')}?{query}")
    # botocore signs an equals sign where there is no value.
    if value:
        verify(made)


def test_what_chooses_an_operation_is_signed() -> None:
    assert SIGNED_PARAMETERS >= table._SUBRESOURCES
    made = presigned(f"http://{HOST}/b/k", method="PUT")
    for name in table._SUBRESOURCES:
        with pytest.raises(e.SignatureDoesNotMatch):
            verify(structs.replace(made, target=f"{made.target}&{name}"))


def test_two_readings_of_one_text_are_refused() -> None:
    made = presigned(f"http://{HOST}/b/k?response-content-type=a&versionId=1")
    folded = made.target.replace("a&versionId=1", "a%26versionId%3D1")
    assert folded != made.target
    with pytest.raises(e.InvalidArgument):
        parsed(structs.replace(made, target=folded))
    made = presigned(f"http://{HOST}/b/k", {"x-amz-acl": "private", "x-amz-meta-a": "1"}, method="PUT")
    for old, new in (
        ("x-amz-acl=private&x-amz-meta-a=1", "x-amz-acl=private%0Ax-amz-meta-a%3A1"),
        ("x-amz-acl=private&x-amz-meta-a=1", "x-amz-acl%3Aprivate%0Ax-amz-meta-a=1"),
    ):
        assert old in made.target
        with pytest.raises((e.InvalidArgument, e.SignatureDoesNotMatch)):
            verify(structs.replace(made, target=made.target.replace(old, new)))


REFUSED: list[tuple[str, dict[str, str], type[ServiceError], str]] = [
    ("AWSAccessKeyId=a&Signature=b", {}, e.AccessDenied, "requires the Signature, Expires and AWSAccessKeyId"),
    ("AWSAccessKeyId=a&Expires=1", {}, e.AccessDenied, "requires the Signature"),
    ("Signature=a&Expires=1", {}, e.AccessDenied, "requires the Signature"),
    ("AWSAccessKeyId=a&Signature=b&Expires=x", {}, e.AccessDenied, "Invalid date .should be seconds since epoch.: x"),
    ("AWSAccessKeyId=a&Signature=b&Expires=-1", {}, e.AccessDenied, "Invalid date"),
    ("AWSAccessKeyId=a&Signature=b&Expires=1549876543210", {}, e.AccessDenied, "Invalid date"),
    ("AWSAccessKeyId=a&Signature=b&Expires=1", {"authorization": "x"}, e.InvalidArgument, "Only one auth"),
    ("AWSAccessKeyId=a&Signature=b&Expires=1&X-Amz-Algorithm=x", {}, e.InvalidArgument, "Only one auth"),
    ("AWSAccessKeyId=a&AWSAccessKeyId=a&Signature=b&Expires=1", {}, e.InvalidArgument, "twice"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "headers", "error", "text"), REFUSED)
def test_malformed(query: str, headers: dict[str, str], error: type[ServiceError], text: str) -> None:
    with pytest.raises(error, match=text):
        signature_v2.parse(request("GET", f"/b/k?{query}", headers), None)


def test_the_error_tells_what_was_signed() -> None:
    made = request("GET", "/b/k?AWSAccessKeyId=a&Signature=b%C3%BC&Expires=9999999999&acl")
    with pytest.raises(e.SignatureDoesNotMatch) as caught:
        verify(made)
    assert caught.value.details == {
        "AWSAccessKeyId": "a", "StringToSign": "GET\n\n\n9999999999\n/b/k?acl", "SignatureProvided": "bü"
    }  # fmt: skip


def test_other_requests_are_not_of_this_version() -> None:
    for target in ("/b/k", "/b/k?Expires=1", "/b/k?X-Amz-Signature=a&prefix=Signature"):
        assert signature_v2.parse(request("GET", target), None) is None
    with pytest.raises(e.InvalidRequest, match="Please use AWS4-HMAC-SHA256"):
        signature.parse(request("GET", "/", {"authorization": "AWS AKID:abc="}))


def fields_of(by: Credentials) -> dict[str, str]:
    aws = AWSRequest("POST", f"http://{HOST}/b")
    aws.context["s3-presign-post-fields"] = {"key": "k"}
    aws.context["s3-presign-post-policy"] = {"expiration": "2030-01-01T00:00:00Z", "conditions": []}
    HmacV1PostAuth(by).add_auth(aws)
    return {name.lower(): str(value) for name, value in aws.context["s3-presign-post-fields"].items()}


@pytest.mark.parametrize("by", [BY, SESSION], ids=["key", "session"])
def test_forms(by: Credentials) -> None:
    fields = fields_of(by)
    signed = signature_v2.parse_form(fields)
    assert signed is not None
    assert (signed.access_key_id, signed.session_token) == (ACCESS_KEY, by.token)
    signature_v2.verify(signed, SECRET, now=0)
    changed = signature_v2.parse_form(fields | {"policy": "e30="})
    assert changed is not None
    with pytest.raises(e.SignatureDoesNotMatch):
        signature_v2.verify(changed, SECRET, now=0)
    with pytest.raises(e.InvalidArgument, match="a field named 'Signature'"):
        signature_v2.parse_form(fields | {"signature": ""})
    for others in ({"key": "k"}, {"policy": "e30="}, fields | {"x-amz-algorithm": "AWS4-HMAC-SHA256"}):
        assert signature_v2.parse_form(others) is None
