"""AWS's texts for each kind of member, and for what stands in lists and maps; nothing sensitive in any of them."""

import base64
from typing import Any

import pytest

from kms_server.errors import SerializationException, ServiceError, ValidationException
from kms_server.schemas.base import Shape, load
from kms_server.schemas.fields import (
    Blob,
    Boolean,
    Choice,
    Integer,
    ListOf,
    MapOf,
    Member,
    Structure,
    Text,
    Timestamp,
)
from tests.unit.schemas.test_load import SCHEMAS

LIST = "Start of list found where not expected"
STRUCTURE = "Start of structure or map found where not expected."
NUMBER = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an "
TRUE = "class java.lang.Boolean can not be converted to an "
STRING = "class java.lang.String can not be converted to an "
AT_LEAST = "Member must have length greater than or equal to "
AT_MOST = "Member must have length less than or equal to "
PATTERN = "Member must satisfy regular expression pattern: "


class Inner(Shape):
    Name = Text(1, 3, required=True)


class Everything(Shape):
    AText = Text(2, 4, r"[a-z]+")
    AWord = Text(0, 9, r"[\w]+")
    AChoice = Choice("B", "A")
    ABlob = Blob(2, 3)
    ASecret = Text(3, 4, "[a-z]+", sensitive=True)
    AnInteger = Integer(-1, 5)
    ABoolean = Boolean()
    ATime = Timestamp()
    Texts = ListOf(Text(1, 3, "[a-z]*"), 0, 2)
    Choices = ListOf(Choice("B", "A"))
    Secrets = ListOf(Text(3, 4, sensitive=True), 1, 2)
    Structures = ListOf(Structure(Inner))
    AMap = MapOf()
    AStructure = Structure(Inner)


def text(error: type[ServiceError], **members: Any) -> str:
    with pytest.raises(error) as refused:
        load(Everything, members)
    return str(refused.value.message)


def violations(**members: Any) -> list[str]:
    count, _, listed = text(ValidationException, **members).partition(" detected: ")
    found = listed.split("; ")
    assert count == f"{len(found)} validation error{'s' * (len(found) > 1)}"
    return found


@pytest.mark.parametrize(
    ("members", "value", "expected"),
    [
        (["AText", "AChoice", "ABlob", "AnInteger", "ABoolean", "ATime", "ASecret"], [], LIST),
        (["AText", "AChoice", "ABlob", "AnInteger", "ABoolean", "ATime", "ASecret"], {}, STRUCTURE),
        (["AText", "AChoice", "ABlob", "ASecret"], 1, NUMBER + "String"),
        (["AText", "AChoice", "ABlob", "ASecret"], 1.5, NUMBER + "String"),
        (["AText", "AChoice", "ABlob", "ASecret"], True, TRUE + "String"),
        (["AnInteger"], "1", STRING + "Integer"),
        (["AnInteger"], True, TRUE + "Integer"),
        (["ABoolean"], "no", "'no' can not be converted to an Boolean"),
        (["ABoolean"], 1, NUMBER + "Boolean"),
        (["ATime"], "2026-01-01", STRING + "Date"),
        (["ATime"], False, TRUE + "Date"),
        (["Texts", "Choices", "Structures"], "a", "Expected list or null"),
        (["Texts", "Choices", "Structures"], True, "Expected list or null"),
        (["Texts", "Choices", "Structures"], {}, "Expected list or null"),
        (["AMap"], 1, "Expected map or null"),
        (["AMap"], [], "Expected map or null"),
        (["AStructure"], "a", "Expected null"),
        (["AStructure"], [], "Expected null"),
    ],
    ids=range(18),
)  # fmt: skip
def test_each_kind_names_the_type_it_does_not_take(members: list[str], value: object, expected: str) -> None:
    assert {text(SerializationException, **{member: value}) for member in members} == {expected}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("A", "'A' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 1"),
        ("AA-_", "Invalid Base64 character: '-'"),
        ("A===", "Invalid Base64 character: '='"),
        ("AA=A", "Invalid Base64 character: '='"),
        ("AAA\n", "Invalid Base64 character: '\n'"),
        ("AAB=", "Invalid last non-pad Base64 character dectected"),
    ],
)  # fmt: skip
def test_base64_that_is_not_canonical(value: str, expected: str) -> None:
    assert text(SerializationException, ABlob=value) == expected


@pytest.mark.parametrize(
    ("member", "value", "constraint"),
    [
        ("aText", "a", "Member must have length greater than or equal to 2"),
        ("aText", "abcde", "Member must have length less than or equal to 4"),
        ("aText", "ab\n", "Member must satisfy regular expression pattern: [a-z]+"),
        ("aWord", "\u00e9", r"Member must satisfy regular expression pattern: [\w]+"),
        ("aWord", "\u0661", r"Member must satisfy regular expression pattern: [\w]+"),
        ("aChoice", "b", "Member must satisfy enum value set: [B, A]"),
        ("anInteger", -2, "Member must have value greater than or equal to -1"),
        ("anInteger", 6, "Member must have value less than or equal to 5"),
    ],
)
def test_each_constraint_has_its_text(member: str, value: object, constraint: str) -> None:
    name = member[0].upper() + member[1:]
    assert violations(**{name: value}) == [f"Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "shown"), [(6.9, 6), (1e300, 2**31 - 1), (-1e300, -(2**31)), (2**63, 2**31 - 1)]
)
def test_a_number_is_shown_as_it_was_taken(sent: float, shown: int) -> None:
    (found,) = violations(AnInteger=sent)
    assert found.startswith(f"Value '{shown}' at 'anInteger'")


@pytest.mark.parametrize(
    ("members", "place", "constraint"),
    [
        ({"Texts": ["a", "b", "c"]}, "Value '[a, b, c]' at 'texts'", "Member must have length less than or equal to 2"),
        (
            {"Texts": ["a", "B"]}, "Value '[a, B]' at 'texts'",
            f"Member must satisfy constraint: [{AT_MOST}3, {AT_LEAST}1, {PATTERN}[a-z]*]",
        ),
        (
            {"Choices": ["C", "A", "D"]}, "Value '[C, A, D]' at 'choices'",
            "Member must satisfy constraint: [Member must satisfy enum value set: [B, A]]",
        ),
        (
            {"Choices": [None]}, "Value '[null]' at 'choices'",
            "Member must satisfy constraint: [Member must satisfy enum value set: [B, A], Member must not be null]",
        ),
        ({"Structures": [None]}, "Value '[null]' at 'structures'", "Member must satisfy constraint: [Member must not be null]"),
        ({"Structures": [{"Name": "a"}, {}]}, "Value null at 'structures.2.member.name'", "Member must not be null"),
        (
            {"Structures": [{"Name": "abcd"}]}, "Value 'abcd' at 'structures.1.member.name'",
            "Member must have length less than or equal to 3",
        ),
        ({"AStructure": {"Name": None}}, "Value null at 'aStructure.name'", "Member must not be null"),
        (
            {"AMap": {"a": "b", "c": None}}, "Value '{a=b, c=null}' at 'aMap'",
            "Map value must satisfy constraint: [Member must not be null]",
        ),
        ({"ABlob": "AA=="}, "Value at 'aBlob'", "Member must have length greater than or equal to 2"),
        (
            {"Secrets": ["geheim"]}, "Value at 'secrets'",
            f"Member must satisfy constraint: [{AT_MOST}4, {AT_LEAST}3]",
        ),
    ],
    ids=range(11),
)  # fmt: skip
def test_what_stands_in_lists_maps_and_structures(
    members: dict[str, Any], place: str, constraint: str
) -> None:
    assert violations(**members) == [f"{place} failed to satisfy constraint: {constraint}"]


def test_a_value_of_a_wrong_type_in_a_list_or_a_map_is_no_violation() -> None:
    assert text(SerializationException, Texts=[1]) == NUMBER + "String"
    assert text(SerializationException, AMap={"a": True}) == TRUE + "String"
    assert text(SerializationException, Structures=["a"]) == "Expected null"


def test_ten_violations_are_listed_and_no_more() -> None:
    assert len(violations(Structures=[{}] * 10)) == 10
    assert violations(Structures=[{}] * 11) == violations(Structures=[{}] * 10)


def secret_members(schema: type[Shape]) -> dict[str, Member]:
    return {
        name: member
        for name, member in schema().fields.items()
        if isinstance(member, Member) and member.sensitive
    }


@pytest.mark.parametrize(
    "schema", [one for one in SCHEMAS.values() if secret_members(one)], ids=lambda schema: schema.__name__
)
def test_no_sensitive_value_is_in_a_violation(schema: type[Shape]) -> None:
    sent = base64.b64encode(b"secret" * 3_000).decode()
    secrets = secret_members(schema).items()
    listed = {name: [sent] if isinstance(member, ListOf) else sent for name, member in secrets}
    with pytest.raises(ValidationException) as refused:
        load(schema, listed | {"KeyId": ""})
    assert "Value at '" in str(refused.value.message)
    assert sent[:8] not in str(refused.value.message)
