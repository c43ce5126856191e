"""Policy variables: where they stand in a text, and what they stand for."""

import time

import pytest

from kms_server.iam.context import FixedContext
from kms_server.iam.patterns import ANY, ONE, fits, wild
from kms_server.iam.variables import Template, as_written, fill, parse

CONTEXT = FixedContext({
    "aws:username": ["mira"], "app:star": ["*"], "app:variable": ["${aws:username}"], "app:empty": [""],
    "app:many": ["one", "two"],
})  # fmt: skip


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("home/${aws:username}/x", "home/mira/x"),
        ("${AWS:UserName}${aws:username}", "miramira"),
        ("a${app:empty}b", "ab"),
        ("${app:empty}", ""),
        # what a variable stands for is not read again
        ("${app:variable}", "${aws:username}"),
        ("${$}{aws:username}", "${aws:username}"),
        ("${*}${?}${$}", "*?$"),
        ("${none}", None),
        ("a${none}b${aws:username}", None),
        ("${app:many}", None),
        ("${}", None),
        ("${none, 'else'}", "else"),
        ("${none,'else'}", "else"),
        ("${none,   'a, 'b''}", "a, 'b'"),
        ("${none, ''}", ""),
        ("${none, else}", None),
        ("${aws:username, 'else'}", "mira"),
        ("${app:many, 'else'}", "else"),
        ("${none, '*'}", "*"),
        # a variable ends at the first brace, and one that does not end is text
        ("${none, 'a}b'}", None),
        ("${open", "${open"),
        ("$ {aws:username}", "$ {aws:username}"),
        ("$${aws:username}", "$mira"),
    ],
)
def test_variables_stand_for_values(text: str, filled: str | None) -> None:
    assert fill(parse(text, as_written, variables=True), CONTEXT) == filled
    assert parse(text, as_written, variables=False) == text


def test_only_what_the_policy_wrote_is_wild() -> None:
    def matches(text: str, value: str) -> bool:
        pattern = fill(parse(text, wild, variables=True), CONTEXT)
        return pattern is not None and fits(pattern, value)

    assert matches("*${app:star}", "anything*")
    assert not matches("*${app:star}", "anything")
    assert not matches("${app:star}", "anything")
    assert not matches("${none, '*'}", "anything")
    assert not matches("a${*}", "ab")
    assert matches("a${*}?", "a*b")


@pytest.mark.parametrize("wildcard", [ANY, ONE])
def test_no_value_is_a_wildcard_whatever_its_characters(wildcard: str) -> None:
    context = FixedContext({"app:token": [f"a{wildcard}"]})
    for text, variables in (("${app:token}", True), ("x${app:token, 'y'}*", True)):
        pattern = fill(parse(text, wild, variables=variables), context)
        assert pattern is None


def test_variables_that_do_not_end_cost_no_time() -> None:
    began = time.process_time()
    assert parse("${" * 16_000, as_written, variables=True) == "${" * 16_000
    assert isinstance(parse("${" * 8_000 + "}" + "${" * 8_000, as_written, variables=True), Template)
    assert time.process_time() - began < 0.5


def test_a_text_of_literals_alone_needs_no_request() -> None:
    assert parse("a${*}b", as_written, variables=True) == "a*b"
    assert isinstance(parse("${aws:username}", as_written, variables=True), Template)
