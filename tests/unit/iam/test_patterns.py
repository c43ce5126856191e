"""Wildcards: what they match, and that no pattern makes matching expensive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.iam.patterns import Patterns


def matches(pattern: str, text: str) -> bool:
    return Patterns.compile([pattern], inverted=False, ignore_case=False).match(text)


def naive(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(naive(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and naive(pattern[1:], text[1:])


@given(st.text("ab?*", max_size=7), st.text("ab", max_size=9))
def test_wildcards_match_what_the_definition_says(pattern: str, text: str) -> None:
    assert matches(pattern, text) == naive(pattern, text)


@pytest.mark.parametrize("text", ["kms:Encrypt", "KMS:ENCRYPT", "kms:encrypt"])
def test_case_counts_only_where_it_is_asked_for(text: str) -> None:
    ignoring = Patterns.compile(["kms:Enc*"], inverted=False, ignore_case=True)
    assert ignoring.match(text)
    assert matches("kms:Enc*", text) == text.startswith("kms:Enc")


def test_regular_expression_characters_stand_for_themselves() -> None:
    assert matches("a.b[c]+|d", "a.b[c]+|d")
    assert not matches("a.b", "axb")


def test_a_not_form_covers_the_rest() -> None:
    others = Patterns.compile(["kms:Decrypt", "s3:*"], inverted=True, ignore_case=True)
    assert others.match("kms:Encrypt")
    assert not others.match("kms:Decrypt")
    assert not others.match("s3:GetObject")


def test_not_everything_is_nothing() -> None:
    assert not Patterns.compile(["*"], inverted=True, ignore_case=True).match("kms:Encrypt")


def test_no_pattern_matches_nothing() -> None:
    nothing = Patterns.compile([], inverted=False, ignore_case=True)
    assert not nothing.match("kms:Encrypt")
    assert not nothing.match("")


@pytest.mark.parametrize("part", ["0*", "?0*"])
def test_many_stars_are_not_tried_in_every_combination(part: str) -> None:
    # A matcher that backtracks does not come back from this one.
    assert not matches("*" + part * 60 + "z", "0" * 2_000)
