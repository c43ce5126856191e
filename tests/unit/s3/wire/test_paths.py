"""Paths, hosts and queries."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.s3 import errors as e
from kms_server.s3.wire.paths import Location, locate, parse_query, with_hoisted
from tests.unit.s3.wire.signing import request


@pytest.mark.parametrize(
    ("target", "bucket", "key"),
    [
        ("/", "", ""),
        ("", "", ""),
        ("/b", "b", ""),
        ("/b/", "b", ""),
        ("/b?list-type=2", "b", ""),
        ("/b/k", "b", "k"),
        ("/b//", "b", "/"),
        ("/b/a//b", "b", "a//b"),
        ("/b/../x", "b", "../x"),
        ("/b/a/./b/", "b", "a/./b/"),
        ("/b/a+b%2Bc%20d", "b", "a+b+c d"),
        ("/b/%C3%BC%00", "b", "\u00fc\0"),
    ],
)
def test_path_style(target: str, bucket: str, key: str) -> None:
    assert locate(request("GET", target), None) == Location(bucket, key, is_virtual=False)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("b.s3.test", Location("b", "x/y", is_virtual=True)),
        ("a.b.S3.test:4599", Location("a.b", "x/y", is_virtual=True)),
        ("s3.test:4599", Location("x", "y", is_virtual=False)),
        ("other.test", Location("x", "y", is_virtual=False)),
        (".s3.test", Location("x", "y", is_virtual=False)),
        ("127.0.0.1:4599", Location("x", "y", is_virtual=False)),
    ],
)
def test_virtual_hosts(host: str, found: Location) -> None:
    assert locate(request("GET", "/x/y", {"host": host}), "s3.test") == found


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_any_key(key: str) -> None:
    assert locate(request("GET", f"/b/{quote(key)}"), None).key == key


@pytest.mark.parametrize("target", ["/b/%zz", "/b/%", "/b/%ff", "/b/\xfc", "/%c3"])
def test_refused_paths(target: str) -> None:
    with pytest.raises(e.InvalidURI):
        locate(request("GET", target), None)


def test_long_keys() -> None:
    assert len(locate(request("GET", "/b/" + "a" * 1_024), None).key) == 1_024
    for key in ("a" * 1_025, "%C3%BC" * 513):
        with pytest.raises(e.KeyTooLong):
            locate(request("GET", f"/b/{key}"), None)


def test_queries() -> None:
    assert parse_query("") == {}
    assert parse_query("uploads&a=b%26+c&&d==") == {"uploads": "", "a": "b& c", "d": "="}
    with pytest.raises(e.InvalidArgument):
        parse_query("a=1&%61=2")
    with pytest.raises(e.InvalidURI):
        parse_query("a=%f")
    assert parse_query("prefix=%00") == {"prefix": "\0"}
    for name in ("versionId", "uploadId", "version-id-marker", "upload-id-marker"):
        with pytest.raises(e.InvalidArgument):
            parse_query(f"{name}=a%00")


def test_headers_in_presigned_queries() -> None:
    query = parse_query(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=a&x-amz-acl=private&X-Amz-Storage-Class=X&prefix=a"
    )
    plain = request("PUT", "/b/k", {"x-amz-storage-class": "STANDARD"})
    found = with_hoisted(plain, query).headers
    assert found == {"host": "s3.amazonaws.com", "x-amz-acl": "private", "x-amz-storage-class": "STANDARD"}
    assert with_hoisted(plain, {"x-amz-acl": "private"}) is plain
    old = {"AWSAccessKeyId": "a", "x-amz-meta-a": "ü"}
    assert with_hoisted(plain, old).headers == dict(plain.headers) | {"x-amz-meta-a": "Ã¼"}
    for broken in (
        {"x-amz-meta-a": "a\nb"},
        {"x-amz-meta-a": "a\rb"},
        {"x-amz-meta-a": "\0"},
        {"x-amz-b:c": "d"},
    ):
        with pytest.raises(e.InvalidArgument):
            with_hoisted(plain, old | broken)
