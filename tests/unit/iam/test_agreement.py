"""Two evaluators, written apart, agree."""

from collections import Counter
from random import Random

import pytest

from kms_server.iam.decision import Reason
from tests.unit.iam.agreement import VERDICTS, compare
from tests.unit.iam.bucket_cases import asked_of
from tests.unit.iam.compiled import Compiled, verdict_of
from tests.unit.iam.naive import decide
from tests.unit.iam.policy_values import HOME

# `make soak` compares many more.
PAIRS = 2_500
BUCKETS = 3_000


def test_both_evaluators_say_the_same() -> None:
    figures = compare(PAIRS, first=0)
    assert figures.differ == []
    assert figures.lacking() == []
    assert set(figures.reasons) == {reason.name for reason in Reason}


@pytest.mark.soak
def test_both_evaluators_say_the_same_of_buckets() -> None:
    verdicts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for seed in range(BUCKETS):
        requests = asked_of(Random(seed))
        compiled = Compiled(requests[0])
        for asked in requests:
            decision = compiled.decision_of(asked)
            assert verdict_of(decision) == decide(asked), (seed, asked, decision)
            kind = (
                "nobody" if not asked.caller.account else "away" if asked.caller.account != HOME else "home"
            )
            verdicts[f"{kind} {verdict_of(decision)}"] += 1
            reasons[decision.reason.name] += 1
    assert {f"{kind} {verdict}" for kind in ("nobody", "away", "home") for verdict in VERDICTS} == set(
        verdicts
    )
    assert min(verdicts.values()) * 100 > BUCKETS
    assert set(reasons) == {reason.name for reason in Reason} - {"GRANT"}
