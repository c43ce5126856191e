"""S3's SigV4 against AWS's published examples and botocore's signers."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from kms_server.errors import ServiceError
from kms_server.protocol.message import Request
from kms_server.protocol.signed import signing_key, string_to_sign
from kms_server.s3 import errors as e
from kms_server.s3.wire import signature, verification
from tests.unit.s3.wire.signing import ACCESS_KEY, KEY, SCOPE, SECRET, STAMP, request

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
AT = 1_369_353_600.0
HOST = "examplebucket.s3.amazonaws.com"


def verify(given_request: Request, now: float) -> None:
    signed = signature.parse(given_request)
    assert signed is not None
    signature.check_scope(signed)
    credential = signed.claim.credential
    key = signing_key(SECRET, credential.date, credential.region, credential.service)
    verification.verify(given_request, signed, key, now=now)


def authorization(signed_headers: str, value: str, scope: str = SCOPE) -> str:
    return (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope},SignedHeaders={signed_headers},Signature={value}"
    )


# AWS "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk", "... in Multiple
# Chunks", "... including trailing headers".
PUBLISHED = [
    (
        "GET", "/test.txt", HOST, {"range": "bytes=0-9", "x-amz-content-sha256": EMPTY},
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    (
        "PUT", "/test%24file.text", HOST,
        {
            "date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY",
            "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        },
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    (
        "GET", "/?lifecycle", HOST, {"x-amz-content-sha256": EMPTY}, "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    (
        "GET", "/?max-keys=2&prefix=J", HOST, {"x-amz-content-sha256": EMPTY}, "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
    (
        "PUT", "/examplebucket/chunkObject.txt", "s3.amazonaws.com",
        {
            "content-encoding": "aws-chunked", "content-length": "66824", "x-amz-decoded-content-length": "66560",
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x-amz-storage-class": "REDUCED_REDUNDANCY",
        },
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    ),
    (
        "PUT", "/examplebucket/chunkObject.txt", "s3.amazonaws.com",
        {
            "content-encoding": "aws-chunked", "x-amz-decoded-content-length": "66560", "x-amz-trailer": "x-amz-checksum-crc32c",
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "x-amz-storage-class": "REDUCED_REDUNDANCY",
        },
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("method", "target", "host", "headers", "names", "value"), PUBLISHED)
def test_published_examples(
    method: str, target: str, host: str, headers: Mapping[str, str], names: str, value: str
) -> None:
    all_headers = {
        **headers, "host": host, "x-amz-date": STAMP, "authorization": authorization(names, value)
    }  # fmt: skip
    verify(request(method, target, all_headers), AT)
    with pytest.raises(e.SignatureDoesNotMatch):
        verify(request(method, target + "x", all_headers), AT)


def test_published_presigned_example() -> None:
    """AWS "Authenticating Requests: Using Query Parameters"."""
    target = (
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3"
        "%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    verify(request("GET", target, {"host": HOST}), AT + 86_000)
    with pytest.raises(e.AccessDenied, match="Request has expired") as caught:
        verify(request("GET", target, {"host": HOST}), AT + 86_401)
    assert caught.value.details == {
        "X-Amz-Expires": "86400", "Expires": "2013-05-25T00:00:00Z", "ServerTime": "2013-05-25T00:00:01Z"
    }  # fmt: skip
    with pytest.raises(e.AccessDenied, match="not valid yet"):
        verify(request("GET", target, {"host": HOST}), AT - 1_000)


PATHS = ["/", "/a//b", "/a/../b", "/a/./b/", "//", "/b/ü", "/b/a b+c~$&'()*,;=:@!", "/b/%25", "/b/😀\n"]
QUERIES = [{}, {"uploads": ""}, {"prefix": "a b/+=&ü", "x": ""}, {"b": "2", "a": "1"}]


def aws_request(method: str, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> AWSRequest:
    encoded = quote(path.encode(), safe="/~%") if "%" in path else quote(path.encode(), safe="/~")
    query = f"?{urlencode(params, quote_via=quote)}" if params else ""
    return AWSRequest(method, f"http://localhost:4599{encoded}{query}", headers=dict(headers), data=b"hello")


def received(aws: AWSRequest) -> Request:
    parts = urlsplit(str(aws.url))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lower = {name.lower(): str(value) for name, value in aws.headers.items()}
    return Request(str(aws.method), target, lower | {"host": "localhost:4599"}, b"", "")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("params", QUERIES)
def test_botocore_signs_headers(path: str, params: Mapping[str, str]) -> None:
    aws = aws_request("PUT", path, params, {"x-amz-meta-a": "  a   b ", "content-type": "text/plain"})
    S3SigV4Auth(Credentials(ACCESS_KEY, SECRET, "token"), "s3", "us-east-1").add_auth(aws)
    verify(received(aws), time.time())


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("params", QUERIES)
def test_botocore_presigns(path: str, params: Mapping[str, str]) -> None:
    aws = aws_request("GET", path, params, {"x-amz-acl": "private"})
    aws.data = None
    S3SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET, "token"), "s3", "us-east-1", expires=604_800).add_auth(
        aws
    )
    found = received(aws)
    verify(found, time.time() + 604_000)
    signed = signature.parse(found)
    assert signed is not None
    assert signed.session_token == "token"
    with pytest.raises(e.AccessDenied, match="not signed"):
        verify(structs.replace(found, headers=dict(found.headers) | {"x-amz-extra": "a"}), time.time())


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_botocore_signs_any_key(key: str, value: str) -> None:
    aws = AWSRequest("GET", f"http://localhost:4599/b/{quote(key, safe='/~')}", params={"prefix": value})
    S3SigV4Auth(Credentials(ACCESS_KEY, SECRET), "s3", "us-east-1").add_auth(aws)
    target = f"/b/{quote(key, safe='/~')}?prefix={quote(value, safe='')}"
    verify(structs.replace(received(aws), target=target), time.time())


def signed_with(headers: Mapping[str, str], names: str, target: str = "/b/k") -> Request:
    """A request as a client signs it that does not look at what it signs."""
    base = {"x-amz-date": STAMP, "x-amz-content-sha256": EMPTY} | dict(headers)
    unsigned = request("GET", target, base | {"authorization": authorization(names, "0" * 64)})
    signed = signature.parse(unsigned)
    assert signed is not None
    text = string_to_sign(signed, verification.canonical_request(unsigned, signed).encode("latin-1"))
    value = KEY.digest(text.encode("latin-1")).hex()
    return request("GET", target, base | {"authorization": authorization(names, value)})


def test_header_bytes_are_signed_as_they_came() -> None:
    """UTF-8 in metadata, whose bytes may look like white space."""
    value = "à\u0085 é".encode().decode("latin-1")
    found = signed_with({"x-amz-meta-a": value}, "host;x-amz-content-sha256;x-amz-date;x-amz-meta-a")
    verify(found, AT)
    signed = signature.parse(found)
    assert signed is not None
    assert f"x-amz-meta-a:{value}\n" in verification.canonical_request(found, signed)


NAMES = "host;x-amz-content-sha256;x-amz-date"
REFUSED: list[tuple[dict[str, str], str, type[ServiceError], str]] = [
    ({"authorization": "AWS AKID:abc="}, "/", e.InvalidRequest, "Please use AWS4-HMAC-SHA256"),
    ({"authorization": "Bearer x"}, "/", e.InvalidArgument, "Unsupported Authorization Type"),
    ({"authorization": authorization(NAMES, "0")}, "/", e.AccessDenied, "valid Date"),
    ({"authorization": authorization(NAMES, "0"), "x-amz-date": "x"}, "/", e.AccessDenied, "valid Date"),
    ({"authorization": "AWS4-HMAC-SHA256 x", "x-amz-date": STAMP}, "/", e.AuthorizationHeaderMalformed, "three components"),
    (
        {"authorization": authorization(NAMES, "0", "a/b"), "x-amz-date": STAMP}, "/",
        e.AuthorizationHeaderMalformed, "the Credential is mal-formed",
    ),
    ({"authorization": "x"}, "/?X-Amz-Algorithm=AWS4-HMAC-SHA256", e.InvalidArgument, "Only one auth mechanism"),
    ({}, "/?X-Amz-Algorithm=AWS4-HMAC-SHA256", e.AuthorizationQueryParametersError, "requires the X-Amz-Algorithm"),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "target", "error", "text"), REFUSED)
def test_malformed(headers: dict[str, str], target: str, error: type[ServiceError], text: str) -> None:
    with pytest.raises(error, match=text):
        signature.parse(request("GET", target, headers))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("Algorithm", "AWS4-ECDSA-P256-SHA256", "only supports"),
        ("Date", "2013", "ISO8601 Long Format"),
        ("Credential", "a", "the Credential is mal-formed"),
        ("Expires", "0", "at least 1"),
        ("Expires", "-1", "non-negative"),
        ("Expires", "x", "should be a number"),
        ("Expires", "604801", "less than a week"),
        ("Expires", "9" * 5_000, "less than a week"),
        ("Signature", "", "requires the"),
    ],
)
def test_malformed_presigned(name: str, value: str, text: str) -> None:
    parts = {
        "Algorithm": "AWS4-HMAC-SHA256", "Credential": f"{ACCESS_KEY}/{SCOPE}", "Date": STAMP, "Expires": "60",
        "SignedHeaders": "host", "Signature": "0" * 64,
    } | {name: value}  # fmt: skip
    target = "/?" + "&".join(f"X-Amz-{key}={text}" for key, text in parts.items())
    with pytest.raises(e.AuthorizationQueryParametersError, match=text):
        signature.parse(request("GET", target))


@pytest.mark.parametrize(
    ("scope", "text", "details"),
    [
        ("20130525/us-east-1/s3/aws4_request", "Invalid credential date", {}),
        (f"{STAMP[:8]}/us-east-1/kms/aws4_request", 'incorrect service "kms"', {}),
        (f"{STAMP[:8]}/us-east-1/s3/aws4", 'incorrect terminal "aws4"', {}),
        (
            f"{STAMP[:8]}/moon/s3/aws4_request",
            "the region 'moon' is wrong; expecting",
            {"Region": "us-east-1"},
        ),
    ],
)
def test_scope(scope: str, text: str, details: dict[str, Any]) -> None:
    signed = signature.parse(
        request(headers={"authorization": authorization(NAMES, "0", scope), "x-amz-date": STAMP})
    )
    assert signed is not None
    with pytest.raises(
        e.AuthorizationHeaderMalformed, match=f"The authorization header is malformed; {text}"
    ) as caught:
        signature.check_scope(signed)
    assert caught.value.details == details


def test_region() -> None:
    signature.check_region("eu-west-1", "eu-west-1", presigned=False)
    with pytest.raises(e.AuthorizationHeaderMalformed) as caught:
        signature.check_region("us-east-1", "eu-west-1", presigned=False)
    assert caught.value.message == (
        "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'"
    )
    assert caught.value.details == {"Region": "eu-west-1"}
    with pytest.raises(e.AuthorizationQueryParametersError):
        signature.check_region("us-east-1", "eu-west-1", presigned=True)


def test_clock_headers_and_payload() -> None:
    good = signed_with({}, NAMES)
    verify(good, AT + 899)
    for now in (AT + 901, AT - 901):
        with pytest.raises(e.RequestTimeTooSkewed) as caught:
            verify(good, now)
    assert caught.value.details["RequestTime"] == STAMP
    with pytest.raises(e.AccessDenied) as denied:
        verify(structs.replace(good, headers=dict(good.headers) | {"x-amz-acl": "private"}), AT)
    assert denied.value.details == {"HeadersNotSigned": "x-amz-acl"}
    with pytest.raises(e.AccessDenied) as denied:
        verify(signed_with({}, "x-amz-content-sha256;x-amz-date"), AT)
    assert denied.value.details == {"HeadersNotSigned": "host"}
    without = {name: value for name, value in good.headers.items() if name != "x-amz-content-sha256"}
    with pytest.raises(
        e.InvalidRequest, match="Missing required header for this request: x-amz-content-sha256"
    ):
        verify(structs.replace(good, headers=without), AT)
    with pytest.raises(e.InvalidArgument, match="must be UNSIGNED-PAYLOAD"):
        verify(structs.replace(good, headers=without | {"x-amz-content-sha256": "abc"}), AT)


def test_anonymous() -> None:
    assert signature.parse(request("GET", "/b/k?prefix=X-Amz-Algorithm")) is None
