"""SigV4 against AWS's published examples and botocore's signer."""

import json
import re
import time
from datetime import UTC, datetime
from itertools import chain, permutations
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from kms_server import errors as e
from kms_server.protocol import sigv4
from kms_server.protocol.canonical import SignedHeaders, canonical_headers
from kms_server.protocol.message import Request
from kms_server.protocol.signed import Claim, Credential, header_parts, read_header, signing_key

ACCESS_KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "sigv4.json").read_text())


def verify(request: Request, now: float, secret: str = SECRET) -> None:
    signed = sigv4.parse(request)
    credential = signed.claim.credential
    key = signing_key(secret, credential.date, credential.region, credential.service)
    sigv4.verify(request, signed, key, now=now, window=300, presigned_lifetime=300)


def test_there_are_vectors() -> None:
    assert len(VECTORS) >= 10


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_published_examples(vector: dict[str, Any]) -> None:
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={vector['signed_headers']}, Signature={vector['signature']}"
    )
    request = Request(
        vector["method"],
        vector["target"],
        headers | {"authorization": authorization},
        vector["body"].encode(),
        "",
    )
    verify(request, datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp())


def signed_request(body: bytes = b"{}", target: str = "/", target_header: str = "x") -> Request:
    aws = AWSRequest(
        "POST", f"http://localhost:4599{target}", headers={"X-Amz-Target": target_header}, data=body
    )
    SigV4Auth(Credentials(ACCESS_KEY, SECRET), "kms", "us-east-1").add_auth(aws)
    lower = {name.lower(): value for name, value in aws.headers.items()}
    return Request("POST", target, lower | {"host": "localhost:4599"}, body, "")


NOW = time.time
SAFE = st.text(st.sampled_from("abcXYZ019-._~"), min_size=1, max_size=8)


@given(st.binary(max_size=200), st.lists(st.tuples(SAFE, SAFE), max_size=3), SAFE)
def test_what_botocore_signs_verifies(body: bytes, query: list[tuple[str, str]], header: str) -> None:
    target = "/" + ("?" + "&".join(f"{name}={value}" for name, value in query) if query else "")
    verify(signed_request(body, target, target_header=header), NOW())


@pytest.mark.parametrize(
    "change",
    [
        {"body": b"{ }"},
        {"target": "/x"},
        {"target": "/?a=b"},
        {"method": "PUT"},
        {"headers": {"x-amz-target": "other"}},
        {"headers": {"host": "other"}},
        {"headers": {"x-amz-extra": "unsigned"}},
    ],
)
def test_any_change_is_refused(change: dict[str, Any]) -> None:
    request = signed_request(target_header="TrentService.ListKeys")
    headers = {**request.headers, **change.get("headers", {})}
    changed = Request(
        change.get("method", "POST"), change.get("target", "/"), headers, change.get("body", request.body), ""
    )
    with pytest.raises(e.InvalidSignatureException):
        verify(changed, NOW())


def test_wrong_secret_and_clock() -> None:
    request = signed_request()
    with pytest.raises(e.InvalidSignatureException, match="we calculated does not match"):
        verify(request, NOW(), secret="other")
    with pytest.raises(e.InvalidSignatureException, match=r"Signature expired: .* \(\d+T\d+Z - 5 min\.\)"):
        verify(request, NOW() + 400)
    with pytest.raises(e.InvalidSignatureException, match=r"not yet current: .* \+ 5 min\.\)"):
        verify(request, NOW() - 400)


def test_presigned_requests_live_five_minutes() -> None:
    aws = AWSRequest("GET", "http://localhost/?Action=x")
    SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET), "kms", "us-east-1", expires=3600).add_auth(aws)
    request = Request("GET", str(aws.url).removeprefix("http://localhost"), {"host": "localhost"}, b"", "")
    verify(request, NOW())
    with pytest.raises(e.InvalidSignatureException, match="Signature expired"):
        verify(request, NOW() + 400)
    with pytest.raises(e.InvalidSignatureException, match="Found both"):
        verify(Request("GET", request.target, {"host": "localhost", "authorization": "x"}, b"", ""), NOW())


@pytest.mark.parametrize(
    ("authorization", "error", "text"),
    [
        (None, e.MissingAuthenticationTokenException, "Missing Authentication Token"),
        ("Bearer x", e.MissingAuthenticationTokenException, "Missing Authentication Token"),
        ("AWS4-HMAC-SHA256 ", e.IncompleteSignatureException, "requires 'Credential' parameter"),
        (
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=x",
            e.IncompleteSignatureException,
            "must have exactly 5 slash-delimited elements",
        ),
    ],
)
def test_malformed(authorization: str | None, error: type[e.ServiceError], text: str) -> None:
    headers = {"host": "x", "x-amz-date": "20150830T123600Z"}
    if authorization is not None:
        headers["authorization"] = authorization
    with pytest.raises(error, match=text):
        sigv4.parse(Request("POST", "/", headers, b"", ""))


@pytest.mark.parametrize(
    "stamp", ["", "2015", "20151330T000000Z", "20150830t123600Z", "2015083\u0660T123600Z"]
)
def test_dates_are_strict(stamp: str) -> None:
    request = signed_request()
    with pytest.raises(e.ServiceError):
        verify(Request("POST", "/", {**request.headers, "x-amz-date": stamp}, b"{}", ""), NOW())


def test_scope() -> None:
    with pytest.raises(e.InvalidSignatureException) as refused:
        sigv4.check_scope(Credential("a", "20150830", "nowhere", "s3", "aws5"), "kms")
    assert refused.value.message == (
        "Credential should be scoped to a valid region. Credential should be scoped to correct service: 'kms'. "
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'."
    )


NAMES = st.sampled_from(["host", "x-amz-date", "a%b", "%s", "a b", ""])


@given(
    st.dictionaries(NAMES, st.text(st.sampled_from("a%s \t\u00a0"), max_size=5)),
    st.lists(NAMES, min_size=1, max_size=4),
)
def test_values_are_trimmed_and_what_is_missing_is_empty(headers: dict[str, str], names: list[str]) -> None:
    trimmed = [(name, re.sub("[ \t]+", " ", headers.get(name, "")).strip(" ")) for name in names]
    request = Request("POST", "/", headers, b"", "")
    lines = "".join(f"{name}:{value}\n" for name, value in trimmed)
    assert canonical_headers(request, SignedHeaders(";".join(names))) == lines


PARTS = (
    "Credential=a/b/c/d/e", "SignedHeaders=host", "Signature=x", "Signature= y", "Signature=Signature=z", "ASignature=b",
    "A=Signature=", "",
)  # fmt: skip


@pytest.mark.parametrize("between", [",", ", ", " ,\t"])
@pytest.mark.parametrize("end", ["", " ", ","])
def test_the_signature_is_found_wherever_it_stands(between: str, end: str) -> None:
    for parts in chain.from_iterable(permutations(PARTS, size) for size in range(5)):
        text = between.join(parts) + end
        said = header_parts(text)
        claim, signature = read_header(text)
        assert signature == said.get("Signature", ""), text
        assert (claim is None) == ("Credential" not in said or "SignedHeaders" not in said)


def test_a_client_has_one_claim_and_long_ones_are_not_remembered() -> None:
    def claim(names: str, signature: str) -> Claim | None:
        return read_header(f"Credential=a/b/c/d/e, SignedHeaders={names}, Signature={signature}")[0]

    assert claim("host", "x") is claim("host", "y")
    long = "host;" + "x" * 800
    first, second = claim(long, "x"), claim(long, "x")
    assert first is not None
    assert second is not None
    assert first is not second
    assert first.names == second.names == ("host", "x" * 800)
