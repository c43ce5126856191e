"""Decisions, one by one: the tables beside this file against the evaluator."""

from collections import Counter

import pytest

from tests.unit.iam.decisions.tables import Case, all_cases

CASES = all_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_request_gets_the_decision_of_the_table(case: Case) -> None:
    assert case.outcome()[: len(case.expect)] == case.expect
    # All that decided is named; the text of a refusal may be left out.
    assert len(case.outcome()) == len(case.expect) or case.expect[0] == "refused"


def test_no_two_cases_have_the_same_name() -> None:
    assert [name for name, times in Counter(case.name for case in CASES).items() if times > 1] == []
