"""Forms: names become a tree, and whatever has two readings is refused."""

from typing import Any

import pytest

from kms_server.errors import SerializationException, UnknownOperationException
from kms_server.protocol import query_reader
from kms_server.protocol.message import Request

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def posted(body: bytes, target: str = "/") -> Request:
    return Request("POST", target, FORM, body, "127.0.0.1")


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        (b"", {}),
        (b"a=1&b=", {"a": "1", "b": ""}),
        (b"a", {"a": ""}),
        (b"&&a=1&", {"a": "1"}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=x+y%2B%20%C3%BC", {"a": "x y+ \u00fc"}),
        (b"T.member.1.Key=k&T.member.2.Key=l", {"T": {"member": {"1": {"Key": "k"}, "2": {"Key": "l"}}}}),
        (b"a%2Eb=1", {"a": {"b": "1"}}),
        (b"a..b=1", {"a": {"": {"b": "1"}}}),
    ],
)
def test_trees(body: bytes, tree: dict[str, Any]) -> None:
    assert query_reader.read_form(posted(body)) == tree


@pytest.mark.parametrize(
    "body",
    [
        b"a=1&a=1", b"a=1&%61=2", b"a=1&a.b=2", b"a.b=2&a=1", b"a.b=1&a.b.c=2", b"=1&=2", b"a=%", b"a=%4", b"a=%zz",
        b"%=1", b"a=\xff", b"a=%ff", b"a=%ed%a0%80", b"a.b.c.d.e.f.g.h.i.j.k.l.m=1",
        b"&".join(b"a%d=1" % number for number in range(2_001)), b"&" * 2_000,
    ],
    ids=lambda body: body[:20],
)  # fmt: skip
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(SerializationException):
        query_reader.read_form(posted(body))


def test_as_many_and_as_deep_as_can_be() -> None:
    body = b"&".join(b"a%d=1" % number for number in range(2_000))
    assert len(query_reader.read_form(posted(body))) == 2_000
    query_reader.read_form(posted(b"a.b.c.d.e.f.g.h.i.j.k.l=1"))


def test_query_string_and_body_are_one_form() -> None:
    assert query_reader.read_form(posted(b"b=2", "/?a=1")) == {"a": "1", "b": "2"}
    with pytest.raises(SerializationException):
        query_reader.read_form(posted(b"a=1", "/?a=1"))


@pytest.mark.parametrize(
    ("method", "target", "content_type", "expected"),
    [
        ("POST", "/", "application/x-www-form-urlencoded", True),
        ("POST", "/", " Application/X-WWW-Form-URLEncoded ;charset=utf-8", True),
        ("POST", "/", "application/x-amz-json-1.1", False),
        ("POST", "/", "", False),
        ("POST", "/?Action=a", "", True),
        ("POST", "/bucket?Action=a", "", False),
        ("GET", "/?Action=a", "", True),
        ("GET", "/bucket?Action=a", "", False),
        ("GET", "/", "application/x-www-form-urlencoded", False),
        ("PUT", "/?Action=a", "application/x-www-form-urlencoded", False),
    ],
)
def test_what_is_a_query(method: str, target: str, content_type: str, *, expected: bool) -> None:
    request = Request(method, target, {"content-type": content_type}, b"", "127.0.0.1")
    assert query_reader.is_query(request) is expected


@pytest.mark.parametrize(
    ("method", "tree", "expected"),
    [
        ("POST", {"Action": "A", "Version": "2011-06-15"}, ("sts", "A")),
        ("POST", {"Action": "A", "Version": "2010-05-08"}, ("iam", "A")),
        ("GET", {"Action": "A", "Version": "2011-06-15"}, ("sts", "A")),
        ("GET", {"Action": "A", "Version": "2010-05-08"}, None),
        ("POST", {"Action": "A"}, None),
        ("POST", {"Version": "2011-06-15"}, None),
        ("POST", {"Action": "A", "Version": "2014-11-01"}, None),
        ("POST", {"Action": {"b": "c"}, "Version": "2011-06-15"}, None),
        ("POST", {"Action": "A", "Version": {"2011-06-15": ""}}, None),
    ],
)
def test_targets(method: str, tree: dict[str, Any], expected: tuple[str, str] | None) -> None:
    request = Request(method, "/", FORM, b"", "127.0.0.1")
    if expected is not None:
        assert query_reader.target(request, tree) == expected
        return
    with pytest.raises(UnknownOperationException, match=r"^Could not find operation .* for version "):
        query_reader.target(request, tree)
