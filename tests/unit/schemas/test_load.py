"""Loading: AWS's texts for what is wrong, and one meaning whichever way a document takes."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError, fields

from kms_server.errors import SerializationException, ServiceError, ValidationException
from kms_server.operations.registry import OPERATIONS
from kms_server.schemas import base
from kms_server.schemas.base import RequestSchema, load
from kms_server.schemas.data_keys import GenerateDataKeyRequest
from kms_server.schemas.encryption import DecryptRequest, EncryptRequest
from kms_server.schemas.fields import (
    Blob,
    Boolean,
    Choice,
    Integer,
    ListOf,
    MapOf,
    Member,
    Number,
    Structure,
    Text,
)
from kms_server.schemas.tags import TagResourceRequest

KEY = {"KeyId": "alias/a", "Plaintext": "AAAA"}
SCHEMAS = {operation.name: operation.request for operation in OPERATIONS}


def refusal(schema: type[RequestSchema], document: Mapping[str, Any]) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        load(schema, document)
    return refused.value


@pytest.mark.parametrize(
    ("member", "value", "text"),
    [
        ("KeyId", ["a"], "Start of list found where not expected"),
        ("KeyId", {}, "Start of structure or map found where not expected."),
        ("KeyId", True, "class java.lang.Boolean can not be converted to an String"),
        ("KeyId", 1, "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"),
        ("DryRun", "yes", "'yes' can not be converted to an Boolean"),
        ("GrantTokens", "a", "Expected list or null"),
        ("EncryptionContext", "a", "Expected map or null"),
        ("Plaintext", "AAA", "'AAA' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 3"),
        ("Plaintext", "AA*A", "Invalid Base64 character: '*'"),
        ("Plaintext", "AB==", "Invalid last non-pad Base64 character dectected"),
    ],
)  # fmt: skip
def test_wrong_json_types(member: str, value: object, text: str) -> None:
    refused = refusal(EncryptRequest, KEY | {member: value})
    assert isinstance(refused, SerializationException)
    assert refused.message == text


@pytest.mark.parametrize(
    ("schema", "document", "text"),
    [
        (GenerateDataKeyRequest, {"KeyId": "a", "NumberOfBytes": "1"}, "class java.lang.String can not be converted to an Integer"),
        (DecryptRequest, {"CiphertextBlob": "AAAA", "Recipient": 1}, "Expected null"),
    ],
)  # fmt: skip
def test_wrong_json_types_of_other_members(
    schema: type[RequestSchema], document: dict[str, Any], text: str
) -> None:
    refused = refusal(schema, document)
    assert isinstance(refused, SerializationException)
    assert refused.message == text


@pytest.mark.parametrize(
    ("schema", "document", "found"),
    [
        (EncryptRequest, {"Plaintext": "AAAA"}, ["Value null at 'keyId' failed to satisfy constraint: Member must not be null"]),
        (EncryptRequest, {"KeyId": None, "Plaintext": "AAAA"}, ["Value null at 'keyId' failed to satisfy constraint: Member must not be null"]),
        (EncryptRequest, KEY | {"Plaintext": ""}, ["Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1"]),
        (EncryptRequest, KEY | {"KeyId": ""}, ["Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1"]),
        (GenerateDataKeyRequest, {"KeyId": "a", "NumberOfBytes": 0}, ["Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1"]),
        (GenerateDataKeyRequest, {"KeyId": "a", "NumberOfBytes": 1e12}, [f"Value '{2**31 - 1}' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024"]),
        (GenerateDataKeyRequest, {"KeyId": "a", "KeySpec": "AES_512"}, ["Value 'AES_512' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]"]),
        (
            TagResourceRequest, {"KeyId": "a", "Tags": [{"TagKey": "", "TagValue": "b"}]},
            ["Value '' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1"],
        ),
        (
            GenerateDataKeyRequest, {"NumberOfBytes": 0},
            [
                "Value null at 'keyId' failed to satisfy constraint: Member must not be null",
                "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1",
            ],
        ),
    ],
)  # fmt: skip
def test_violated_constraints(
    schema: type[RequestSchema], document: dict[str, Any], found: list[str]
) -> None:
    refused = refusal(schema, document)
    assert isinstance(refused, ValidationException)
    count, _, listed = str(refused.message).partition(" detected: ")
    assert count == f"{len(found)} validation error{'s' if len(found) > 1 else ''}"
    assert sorted(listed.split("; ")) == sorted(found)


def test_what_is_in_order_loads() -> None:
    sent = KEY | {"EncryptionContext": {"a": "b"}, "GrantTokens": None, "Unknown": 1, "DryRun": False}
    assert load(EncryptRequest, sent) == {
        "KeyId": "alias/a", "Plaintext": b"\0\0\0", "EncryptionContext": {"a": "b"}, "DryRun": False,
    }  # fmt: skip
    assert load(GenerateDataKeyRequest, {"KeyId": "a", "NumberOfBytes": 16.9})["NumberOfBytes"] == 16


JSON = st.sampled_from(
    [None, True, 0, -1, 2**53, 1.5, -1e300, "", "a", [], [None], ["a", 1], {}, {"a": 1}, {"a": "b"}]
)


def values(member: fields.Field[Any]) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one for each kind of member
    """Values that a member takes, and some that it nearly takes."""
    if isinstance(member, Choice):
        return st.sampled_from([*member.values, "NONE"])
    if isinstance(member, Text):
        return st.sampled_from(["", "a", "alias/a", "x" * 2_049]) | st.text(max_size=6)
    if isinstance(member, Integer):
        return st.sampled_from([member.low, member.high, member.low - 1, member.high + 1, 2.5])
    if isinstance(member, Number):
        return st.sampled_from([member.low, member.high, member.low - 1, member.high + 1, 2.5, 1e300])
    if isinstance(member, Boolean):
        return st.booleans()
    if isinstance(member, ListOf):
        return st.lists(st.none() | values(member.inner), max_size=3)
    if isinstance(member, MapOf):
        return st.dictionaries(st.text(max_size=3), st.none() | st.text(max_size=3), max_size=2)
    if isinstance(member, Structure):
        return documents(member.schema_class)
    return st.sampled_from(["", "AAAA", "AAA", "AA==", "AB==", "A" * 8_196]) | st.integers(0, 10**10)


def documents(schema: Any) -> st.SearchStrategy[dict[str, Any]]:
    members = {name: values(member) | JSON for name, member in schema().fields.items()}
    return st.fixed_dictionaries({}, optional=members | {"Unknown": JSON})


def result(way: Any, schema: type[RequestSchema], document: dict[str, Any]) -> object:
    try:
        return way(schema, document)
    except ServiceError as error:
        return type(error), error.message


@pytest.mark.parametrize("name", SCHEMAS)
@settings(max_examples=15)
@given(data=st.data())
def test_the_fast_way_and_marshmallows_agree(name: str, data: st.DataObject) -> None:
    document = data.draw(documents(SCHEMAS[name]))
    fast, slow = (result(way, SCHEMAS[name], document) for way in (load, base._load_slowly))
    assert fast == slow


MEMBERS = [Text(2, 4), Text(2), Text(2, 4, "[ab]*"), Choice("ab", "abc"), Blob(2, 4)]
WRONG: list[object] = [None, True, 1, ["ab"], {}, "a\0b", "AB==", "AB", "AAAA*"]


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: type(member).__name__)
def test_one_look_passes_what_the_checks_pass(member: Member) -> None:
    def loaded(way: Callable[[Any], Any], value: object) -> object:
        try:
            return way(value)
        except (ValidationError, SerializationException, KeyError) as error:
            return type(error), getattr(error, "message", str(error))

    lengths = [text * length for text in ("a", "c") for length in range(6)]
    blobs = [base64.b64encode(bytes(length)).decode() for length in range(6)]
    for value in [*lengths, *blobs, *WRONG]:
        assert loaded(member.load, value) == loaded(lambda value: Member.load(member, value), value)
