"""Forms of POST uploads and their policies."""

import base64
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.errors import ServiceError
from kms_server.s3 import errors as e
from kms_server.s3.wire.post_form import read_form
from kms_server.s3.wire.post_policy import PostPolicy, read_policy
from tests.unit.s3.wire.signing import Pieces

TYPE = "multipart/form-data; boundary=xyz"
END = b"\r\n--xyz--\r\n"


def part(name: str, value: bytes, extra: str = "") -> bytes:
    return f'--xyz\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + value


def form(file: bytes, *fields: tuple[str, str], behind: bytes = END) -> bytes:
    parts = b"".join(part(name, value.encode()) + b"\r\n" for name, value in fields)
    return parts + part("file", file, '; filename="a.txt"\r\nContent-Type: text/plain') + behind


def read(pieces: list[bytes], most: int = 65_536) -> tuple[dict[str, str], bytes]:
    found = read_form(Pieces(pieces), TYPE)
    data = b""
    while piece := found.file.read(most):
        assert len(piece) <= most
        data += piece
    return found.fields, data


@given(
    st.one_of(st.binary(max_size=200), st.lists(st.sampled_from([b"\r\n--xyz"[:n] for n in range(1, 7)])).map(b"".join)),
    st.lists(st.integers(0, 500), max_size=8),
    st.integers(16, 200),
)  # fmt: skip
def test_any_file_in_any_split(file: bytes, cuts: list[int], most: int) -> None:
    wire = form(file, ("key", "k"), ("Content-Type", "text/plain"))
    places = sorted({0, *(min(cut, len(wire)) for cut in cuts), len(wire)})
    pieces = [wire[a:b] for a, b in pairwise(places)]
    assert read(pieces, most) == ({"key": "k", "content-type": "text/plain"}, file)


def test_the_name_of_the_file() -> None:
    assert read([form(b"x", ("KEY", "u/${filename}"))])[0] == {"key": "u/a.txt"}
    wire = (
        b"\r\n" + part("key", b"${filename}\r\n") + part("file", b"x", '; filename="C:\\\\a\\\\b.txt"') + END
    )
    assert read([wire])[0] == {"key": "b.txt"}


def test_what_stands_behind_the_file_is_passed_over() -> None:
    behind = b"\r\n" + part("submit", b"Upload") + END
    assert read([form(b"x", ("key", "k"), behind=behind)]) == ({"key": "k"}, b"x")


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        (b"", e.MalformedPOSTRequest),
        (b"x" + form(b"", ("key", "k")), e.MalformedPOSTRequest),
        (form(b"x"), e.UserKeyMustBeSpecified),
        (part("key", b"k") + END, e.IncorrectNumberOfFiles),
        (form(b"x", ("key", "k"), ("Key", "k")), e.MalformedPOSTRequest),
        (form(b"x", ("key", "k"), ("a", "x" * 20_480)), e.MaxPostPreDataLengthExceeded),
        (form(b"x", ("key", "k"), behind=b""), e.MalformedPOSTRequest),
        (form(b"x", ("key", "k"), behind=b"\r\n--xyzab"), e.MalformedPOSTRequest),
        (form(b"x", ("key", "k"), behind=END + b"x" * 30_000), e.MalformedPOSTRequest),
        (b"--xyz\r\nContent-Type: a\r\n\r\nx" + END, e.MalformedPOSTRequest),
        (part("key", b"\xff") + b"\r\n" + part("file", b"") + END, e.MalformedPOSTRequest),
        (b"--xyzz\r\n", e.MalformedPOSTRequest),
    ],
)
def test_malformed(wire: bytes, error: type[ServiceError]) -> None:
    with pytest.raises(error):
        read([wire])


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "multipart/form-data", "multipart/form-data; boundary="]
)
def test_other_types(content_type: str) -> None:
    with pytest.raises(e.PreconditionFailed):
        read_form(Pieces([form(b"x", ("key", "k"))]), content_type)


def policy(*conditions: Any, expiration: Any = "2030-01-01T00:00:00.000Z") -> PostPolicy:
    return read_policy(encoded({"expiration": expiration, "conditions": list(conditions)}))


def encoded(document: Any) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


FIELDS = {
    "key": "user/eric/a.jpg", "bucket": "b", "acl": "public-read", "content-type": "image/png", "policy": "x",
    "x-amz-signature": "0", "awsaccesskeyid": "a", "signature": "0", "x-ignore-this": "1",
}  # fmt: skip
CONDITIONS: tuple[Any, ...] = (
    {"bucket": "b"}, ["starts-with", "$KEY", "user/eric/"], {"acl": "public-read"}, ["starts-with", "$Content-Type", "image/"],
)  # fmt: skip


def test_a_policy_that_holds() -> None:
    found = policy(*CONDITIONS, ["content-length-range", 1, "10"])
    found.check(FIELDS, 1_000_000_000)
    found.check(FIELDS | {"content-type": "image/png,image/jpeg"}, 1_000_000_000)
    assert found.length_range == (1, 10)
    assert policy(*CONDITIONS).length_range is None


@pytest.mark.parametrize(
    ("change", "now", "text"),
    [
        ({}, 2e9, "Invalid according to Policy: Policy expired."),
        ({"bucket": "c"}, 1e9, 'Invalid according to Policy: Policy Condition failed: ["eq", "$bucket", "b"]'),
        ({"key": "user"}, 1e9, 'Invalid according to Policy: Policy Condition failed: ["starts-with", "$KEY", "user/eric/"]'),
        ({"content-type": "image/a,text/b"}, 1e9, 'Policy Condition failed: ["starts-with", "$Content-Type", "image/"]'),
        ({"x-amz-meta-a": "1", "tag": ""}, 1e9, "Invalid according to Policy: Extra input fields: x-amz-meta-a, tag"),
    ],
)  # fmt: skip
def test_a_policy_that_does_not_hold(change: dict[str, str], now: float, text: str) -> None:
    with pytest.raises(e.AccessDenied) as caught:
        policy(*CONDITIONS).check(FIELDS | change, now)
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("%", "Invalid Policy: Invalid JSON."),
        (base64.b64encode(b"[]").decode(), "Invalid Policy: Invalid JSON."),
        (encoded({"conditions": []}), "Invalid Policy: Policy missing expiration."),
        (encoded({"expiration": "2030-01-01T00:00:00Z"}), "Invalid Policy: Policy missing conditions."),
        (encoded({"expiration": "2030-01-01T00:00:00Z", "conditions": {}}), "must be a List"),
        (encoded({"expiration": "2030-01-01", "conditions": []}), "Invalid 'expiration' value: '2030-01-01'"),
        (encoded({"expiration": 5, "conditions": []}), "Invalid 'expiration' value: '5'"),
    ],
)
def test_malformed_policies(text: str, message: str) -> None:
    with pytest.raises(e.InvalidPolicyDocument, match=message):
        read_policy(text)


@pytest.mark.parametrize(
    "condition",
    [
        {"a": "b", "c": "d"}, {}, {"a": 1}, "a", ["eq", "$a"], ["ne", "$a", "b"], ["eq", "a", "b"], [1, "$a", "b"],
        ["content-length-range", -1, 0], ["content-length-range", 2, 1], ["content-length-range", "a", "b"],
        ["content-length-range", None, 1e400], ["starts-with", "$a", None],
    ],
)  # fmt: skip
def test_malformed_conditions(condition: Any) -> None:
    with pytest.raises(e.InvalidPolicyDocument):
        policy(condition)
