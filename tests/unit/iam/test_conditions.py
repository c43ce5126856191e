"""How conditions are put together; what each operator answers stands in decisions/operators.yaml."""

from collections.abc import Mapping

from kms_server.iam.conditions import compile_conditions, is_operator
from kms_server.iam.context import FixedContext
from tests.unit.iam.policy_values import operator_forms

CONTEXT = FixedContext({"aws:username": ["mira"], "app:Many": ["a"], "APP:many": ["b"], "app:none": []})


def holds(element: Mapping[str, Mapping[str, object]]) -> bool:
    return all(one.holds(CONTEXT) for one in compile_conditions(element, variables=True))


def test_the_operators_of_aws_are_known_and_no_others() -> None:
    assert all(map(is_operator, operator_forms()))
    for name in (
        "NullIfExists", "ForAllValues:NullIfExists", "stringequals", "StringEqualsifexists", "IfExists", "",
        "StringEqualsIfExistsIfExists", "ForAllValues:ForAnyValue:StringEquals", "ForAnyValues:StringEquals",
        "ForAllValues: StringEquals", "StringEquals\n", "BinaryNotEquals", "NotBool",
    ):  # fmt: skip
        assert not is_operator(name), name


def test_all_operators_and_all_keys_must_hold() -> None:
    yes: dict[str, object] = {"aws:UserName": "mira"}
    assert holds({})
    assert holds({"StringEquals": {}})
    assert holds({"StringEquals": yes, "StringLike": yes})
    assert not holds({"StringEquals": yes, "StringNotLike": yes})
    assert holds({"StringEquals": yes | {"app:many": "b"}})
    assert not holds({"StringEquals": yes | {"app:many": "c"}})


def test_values_of_keys_that_differ_in_case_are_values_of_one_key() -> None:
    assert holds({"ForAllValues:StringEquals": {"app:MANY": ["a", "b"]}})
    assert not holds({"ForAllValues:StringEquals": {"app:MANY": ["a"]}})


def test_a_key_without_values_is_missing() -> None:
    assert holds({"Null": {"app:none": "true"}})
    assert not holds({"StringLike": {"app:none": "*"}})


def test_numbers_and_booleans_of_a_document_are_what_json_writes() -> None:
    def compiled(value: object) -> tuple[str, ...]:
        return compile_conditions({"StringEquals": {"k": value}}, variables=True)[0].texts

    assert compiled(True) == ("true",)
    assert compiled([1, 2.5, "x", False]) == ("1", "2.5", "x", "false")
    assert compiled([]) == ()


def test_no_value_in_a_document_matches_nothing() -> None:
    assert not holds({"StringLike": {"aws:username": []}})
    assert holds({"StringNotLike": {"aws:username": []}})
    assert not holds({"Null": {"aws:username": []}})
    assert not holds({"Null": {"aws:username": "no"}})
    assert holds({"Null": {"aws:username": ["true", "false"]}})
    assert holds({"Null": {"app:none": ["true", "false"]}})
