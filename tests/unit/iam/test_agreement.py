"""Two evaluators, written apart, agree."""

from kms_server.iam.decision import Reason
from tests.unit.iam.agreement import compare

# `make soak` compares many more.
PAIRS = 5_000


def test_both_evaluators_say_the_same() -> None:
    figures = compare(PAIRS, first=0)
    assert figures.differ == []
    assert figures.lacking() == []
    assert set(figures.reasons) == {reason.name for reason in Reason}
