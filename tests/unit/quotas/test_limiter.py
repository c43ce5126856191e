"""Admission by several limits at once."""

import pytest

from kms_server.errors import ThrottlingException
from kms_server.storage.limits import SetLimit as Limit
from tests.unit.quotas.limited import SECOND, Bench, Used


def test_a_burst_passes_then_one_call_per_interval(bench: Bench) -> None:
    limit = Limit("key:a", rate=10, burst=5)
    assert bench.admitted(limit) == 5
    bench.now += SECOND // 10
    assert bench.admitted(limit) == 1
    bench.now += SECOND
    assert bench.admitted(limit) == 5


def test_the_refusal_is_awss(bench: Bench) -> None:
    bench.admit(Limit("key:a", 1, 1))
    with pytest.raises(ThrottlingException) as refused:
        bench.admit(Limit("key:a", 1, 1))
    assert str(refused.value) == (
        "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
    )


def test_a_refused_call_takes_nothing(bench: Bench) -> None:
    wide, narrow = Limit("quota:000000000000:us-east-1:CreateKey", 1, 8), Limit("key:a", 1, 3)
    assert bench.admitted(wide, narrow) == 3
    assert bench.admitted(narrow, wide) == 0
    assert bench.admitted(wide) == 5


def test_a_call_without_limits_always_passes(bench: Bench) -> None:
    for _ in range(100):
        bench.admit()


def test_subjects_do_not_share(bench: Bench) -> None:
    assert bench.admitted(Limit("key:a", 1, 5)) == 5
    assert bench.admitted(Limit("key:b", 1, 5)) == 5


def test_a_raised_limit_holds_at_once(bench: Bench) -> None:
    assert bench.admitted(Limit("key:a", rate=0.001, burst=5)) == 5
    raised = Limit("key:a", rate=100, burst=10)
    assert bench.admitted(raised) == 10
    bench.now += SECOND // 100
    assert bench.admitted(raised) == 1


def test_a_lowered_limit_holds_at_once(bench: Bench) -> None:
    for _ in range(50):
        bench.admit(Limit("key:a", rate=1_000, burst=100))
    lowered = Limit("key:a", rate=10, burst=5)
    assert bench.admitted(lowered) <= 5
    bench.now += SECOND // 10
    assert bench.admitted(lowered) == 1


@pytest.mark.parametrize(("rate", "burst"), [(1e-12, 5), (1e18, 1e18), (float("inf"), float("inf"))])
def test_absurd_figures_are_no_failure(bench: Bench, rate: float, burst: float) -> None:
    bench.admit(Limit("key:a", rate, burst))


@pytest.mark.parametrize("pattern", ["*", "arn:aws:*::111122223333:*", "arn:aws:iam::*:role/app"])
def test_a_role_pays_for_all_its_sessions(bench: Bench, pattern: str) -> None:
    set_limits = {f"principal:{pattern}": Limit(f"principal:{pattern}", 1, 3)}
    for number in range(3):
        session = f"arn:aws:sts::111122223333:assumed-role/app/{number}"
        bench.limiter.take(
            bench.limiter.plan(set_limits, (), (), (session, "arn:aws:iam::111122223333:role/app"))
        )
    with pytest.raises(ThrottlingException):
        bench.limiter.take(
            bench.limiter.plan(
                set_limits,
                (),
                (),
                ("arn:aws:sts::111122223333:assumed-role/app/3", "arn:aws:iam::111122223333:role/app"),
            )
        )


@pytest.mark.parametrize(
    "wrong",
    [
        Limit("anything", 1, 1), Limit("quota:000000000000:us-east-1", 1, 1), Limit("tag:", 1, 1), Limit("pie:a:b:c", 1, 1),
        Limit("key:a", float("nan"), None), Limit("key:a", 1, float("nan")), Limit("key:a", "NaN", 1),  # type: ignore[arg-type]  # SQLite has it so
    ],
)  # fmt: skip
def test_a_limit_of_another_version_limits_nothing_else(bench: Bench, wrong: Limit) -> None:
    limit = Limit("key:b", 1, 5)
    set_limits = {wrong.subject: wrong, limit.subject: limit}
    for _ in range(5):
        bench.limiter.take(bench.limiter.plan(set_limits, (), (Used("a"), Used("b"))))
    with pytest.raises(ThrottlingException):
        bench.limiter.take(bench.limiter.plan(set_limits, (), (Used("a"), Used("b"))))
