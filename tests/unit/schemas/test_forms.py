"""Schemas in the query protocol: what botocore sends is what is loaded, what is answered is what botocore reads."""

from typing import Any

import pytest
from botocore.model import ServiceModel
from hypothesis import given
from hypothesis import strategies as st

from kms_server.errors import SerializationException, ValidationException
from kms_server.protocol import query_reader
from kms_server.protocol.message import Request
from kms_server.schemas.base import RequestSchema, Shape, from_form, load, to_xml
from kms_server.schemas.fields import Blob, Boolean, Integer, ListOf, MapOf, Structure, Text, Timestamp
from tests.query_wire import FORM, form_of


class Inner(Shape):
    """A structure in a list."""

    Key = Text(1, 128, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", required=True)
    Names = ListOf(Text())


class Everything(RequestSchema):
    """A member of every kind."""

    Name = Text()
    Count = Integer(-5, 100)
    Flag = Boolean()
    When = Timestamp()
    Data = Blob(0, 100)
    Tags = ListOf(Structure(Inner))
    Map = MapOf()
    One = Structure(Inner)


def _list(shape: str) -> dict[str, Any]:
    return {"type": "list", "member": {"shape": shape}}


def _structure(**members: str) -> dict[str, Any]:
    return {"type": "structure", "members": {name: {"shape": shape} for name, shape in members.items()}}


MODEL = ServiceModel({
    "metadata": {"protocol": "query", "apiVersion": "1", "serviceId": "none"},
    "operations": {"Ask": {"name": "Ask", "http": {"method": "POST", "requestUri": "/"}, "input": {"shape": "Everything"}}},
    "shapes": {
        "Everything": _structure(Name="S", Count="I", Flag="B", When="T", Data="D", Tags="L", Map="M", One="Inner"),
        "Inner": _structure(Key="S", Names="Names"), "Names": _list("S"), "L": _list("Inner"),
        "M": {"type": "map", "key": {"shape": "S"}, "value": {"shape": "S"}},
        "S": {"type": "string"}, "I": {"type": "integer"}, "B": {"type": "boolean"}, "T": {"type": "timestamp"},
        "D": {"type": "blob"},
    },
})  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
KEYS = st.text("abz09 _.:/=+-@\u00e9\u4e2d\u0663", min_size=1, max_size=10)
# An empty list inside a structure is sent; an empty map or structure is not.
INNER = st.fixed_dictionaries({"Key": KEYS}, optional={"Names": st.lists(TEXTS, max_size=3)})
DOCUMENTS = st.fixed_dictionaries({}, optional={
    "Name": TEXTS, "Count": st.integers(-5, 100), "Flag": st.booleans(),
    "When": st.integers(0, 4_000_000_000).map(float), "Data": st.binary(max_size=100),
    "Tags": st.lists(INNER, max_size=12), "Map": st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=12), "One": INNER,
})  # fmt: skip


def loaded(body: bytes) -> dict[str, Any]:
    request = Request("POST", "/", {"content-type": FORM}, body, "127.0.0.1")
    return load(Everything, from_form(Everything, query_reader.read_form(request)))


@given(DOCUMENTS)
def test_what_botocore_sends_is_what_is_loaded(document: dict[str, Any]) -> None:
    assert loaded(form_of(MODEL.operation_model("Ask"), document)) == document


@given(st.binary(max_size=200) | st.lists(st.sampled_from([
    b"Tags", b"One", b"Map", b"Count", b"When", b"Flag", b"Data", b".", b"member", b"entry", b"Key", b"key", b"value", b"=",
    b"&", b"1", b"2", b"01", b"-", b"%41", b"%", b"9" * 20, b"true", b"2026-01-01", b"\xff",
]), max_size=25).map(b"".join))  # fmt: skip
def test_no_bytes_are_our_fault(body: bytes) -> None:
    try:
        loaded(body)
    except (SerializationException, ValidationException):
        return


@pytest.mark.parametrize(
    "body",
    [
        b"Count=1.0", b"Count=01", b"Count=+1", b"Count=", b"Count=1e3", b"Count=-0", b"Count= 1", b"Count=\xd9\xa1",
        b"Count.a=1", b"Flag=True", b"Flag=1", b"Flag=", b"When=", b"When=yesterday", b"When=2026-13-01", b"Name.a=1",
        b"When=0001-01-01T00:00:00Z", b"Tags=1", b"Tags.1.Key=a", b"Tags.member=1", b"Tags.member.0.Key=a", b"Tags.member.2.Key=a",
        b"Tags.member.01.Key=a", b"Tags.member.1=a", b"Tags.member.1.Key=a&Tags.x=1", b"One=a", b"Map.entry.1.key=a",
        b"Map.entry.1.key=a&Map.entry.1.value=1&Map.entry.2.key=a&Map.entry.2.value=2", b"Data=AAA",
    ],
)  # fmt: skip
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(SerializationException):
        loaded(body)


def test_unknown_members_are_ignored() -> None:
    assert loaded(b"Action=x&Nonsense.member.7=1&Name=n&One.Key=k&One.Other=1") == {
        "Name": "n",
        "One": {"Key": "k"},
    }


@pytest.mark.parametrize("sent", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "20260102T030405Z"])
def test_times_without_a_zone_are_in_utc(sent: str) -> None:
    assert loaded(f"When={sent}".encode()) == {"When": 1767323045.0}


@pytest.mark.parametrize("key", ["a;b", "\u20ac", "a\tb", "*"])
def test_constraints_are_told_as_in_json(key: str) -> None:
    with pytest.raises(
        ValidationException, match=r"at 'tags\.1\.member\.key' failed to satisfy constraint: Member must"
    ):
        loaded(form_of(MODEL.operation_model("Ask"), {"Tags": [{"Key": key}]}))


def test_answers_in_the_order_of_the_schema() -> None:
    answer = {"One": {"Names": ["x", "<"], "Key": "k"}, "Map": {"a&": "b"}, "Data": b"\xff", "When": 0.9, "Flag": False,
              "Count": 3, "Name": "\x01\r", "Tags": []}  # fmt: skip
    assert to_xml(Everything, answer) == (
        "<Name>\ufffd&#xD;</Name><Count>3</Count><Flag>false</Flag><When>1970-01-01T00:00:00Z</When><Data>/w==</Data>"
        "<Tags></Tags><Map><entry><key>a&amp;</key><value>b</value></entry></Map>"
        "<One><Key>k</Key><Names><member>x</member><member>&lt;</member></Names></One>"
    )
