"""Wildcards: what they match, and that no pattern makes matching expensive."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.iam.patterns import ANY, ONE, Actions, fits, is_plain, wild


def naive(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(naive(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and naive(pattern[1:], text[1:])


@given(st.text("ab?*", max_size=7), st.text("ab", max_size=9))
def test_wildcards_match_what_the_definition_says(pattern: str, text: str) -> None:
    assert fits(wild(pattern), text) == naive(pattern, text)


@given(st.text("a*?", max_size=6), st.text("a*?", max_size=6))
def test_what_is_not_made_wild_is_itself(pattern: str, text: str) -> None:
    assert fits(pattern, text) == (pattern == text)
    assert is_plain(pattern)


def test_wildcards_and_asterisks_stand_side_by_side() -> None:
    pattern = f"*{ANY}?{ONE}"
    assert fits(pattern, "*anything?x")
    assert not fits(pattern, "xanything?x")
    assert not fits(pattern, "*anythingxx")


def test_regular_expression_characters_stand_for_themselves() -> None:
    assert fits(wild("a.b[c]+|d*"), "a.b[c]+|d\n")
    assert not fits(wild("a.b*"), "axb")


@pytest.mark.parametrize("part", ["0*", "?0*"])
def test_many_stars_are_not_tried_in_every_combination(part: str) -> None:
    # A matcher that backtracks does not come back from this one.
    assert not fits(wild("*" + part * 60 + "z"), "0" * 2_000)


def test_a_long_part_with_question_marks_is_not_compared_at_every_place() -> None:
    # Comparing 4,000 characters at each of 4,000 places takes seconds; following all places at once takes milliseconds.
    began = time.process_time()
    assert not fits(wild("*?" + "a" * 4_000 + "b*"), "a" * 8_000)
    assert fits(wild("*?" + "a" * 4_000 + "b*"), "a" * 8_000 + "b")
    assert time.process_time() - began < 0.5


@given(st.text("ab?", min_size=1, max_size=5), st.text("ab", max_size=9))
def test_a_part_is_found_at_its_leftmost_place(part: str, text: str) -> None:
    assert fits(wild(f"*{part}*"), text) == naive(f"*{part}*", text)
    assert fits(wild(f"*{part}*{part}"), text) == naive(f"*{part}*{part}", text)


@pytest.mark.parametrize("action", ["kms:Encrypt", "KMS:ENCRYPT", "kms:encrypt"])
def test_actions_are_the_same_in_any_case(action: str) -> None:
    for listed in ("kms:Enc*", "KMS:encrypt", "kms:?NCRYPT"):
        assert Actions.compile([listed], inverted=False).match(action)
        assert not Actions.compile(["s3:*", listed], inverted=True).match(action)


def test_a_not_form_covers_the_rest() -> None:
    others = Actions.compile(["kms:Decrypt", "s3:*"], inverted=True)
    assert others.match("kms:Encrypt")
    assert not others.match("s3:GetObject")
    assert not Actions.compile(["*"], inverted=True).match("kms:Encrypt")


def test_no_action_matches_nothing() -> None:
    nothing = Actions.compile([], inverted=False)
    assert not nothing.match("kms:Encrypt")
    assert not nothing.match("")
