"""Admission by several limits at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_server.errors import ThrottlingException
from kms_server.quotas.buckets import Buckets
from kms_server.quotas.limiter import Limiter
from kms_server.storage.limits import SetLimit as Limit

SECOND = 1_000_000_000


class Bench:
    """A limiter under a clock that stands still unless moved."""

    def __init__(self, path: Path) -> None:
        self.now = SECOND
        self.buckets = Buckets(path, slots=64, clock=lambda: self.now)
        self.limiter = Limiter(self.buckets, "aws")

    def admit(self, *wanted: Limit) -> None:
        """One call that needs these limits."""
        self.limiter.admit(
            {limit.subject: limit for limit in wanted}, tuple(limit.subject for limit in wanted)
        )

    def admitted(self, *wanted: Limit) -> int:
        """How many calls pass before one is throttled."""
        for count in range(1_000):
            try:
                self.admit(*wanted)
            except ThrottlingException:
                return count
        raise AssertionError("never throttled")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "limits")
    yield made
    made.buckets.close()


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
    wide, narrow = Limit("quota:a", 1, 8), Limit("key:a", 1, 3)
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
    assert bench.admitted(raised) == 0
    bench.now += SECOND // 100
    assert bench.admitted(raised) == 1
    bench.now += SECOND
    assert bench.admitted(raised) == 10


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
