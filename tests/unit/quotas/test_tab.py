"""Turns of an event loop whose calls take their tokens together."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.errors import ThrottlingException
from kms_server.quotas import meters, profiles
from kms_server.quotas.buckets import Bucket
from kms_server.quotas.decision_log import DecisionLog
from kms_server.quotas.limiter import Limiter
from kms_server.quotas.plans import Plan
from kms_server.storage.limits import SetLimit as Limit
from tests.unit.quotas.limited import SECOND, Bench

ACCOUNT, REGION = "000000000000", "us-east-1"
SUBJECT = f"quota:{ACCOUNT}:{REGION}:CreateKey"
BURST = 2_000


class Worker:
    """A limiter of a worker, and one limit that all its calls need."""

    def __init__(self, bench: Bench, rate: float = 1e-3, burst: float = BURST) -> None:
        self._bench = bench
        self.limiter = Limiter(bench.buckets, profiles.find("unlimited"), bench.meters)
        self.bucket = Bucket.of(SUBJECT, rate, burst)
        self.plan = self.planned(Limit(SUBJECT, rate, burst))

    def planned(self, limit: Limit) -> Plan:
        return self.limiter.plan({limit.subject: limit}, ((ACCOUNT, REGION, "CreateKey", 1),))

    def call(self, *, in_turn: bool = True) -> bool:
        try:
            self.limiter.take(self.plan, in_turn=in_turn)
        except ThrottlingException:
            return False
        return True

    def calls(self, number: int) -> int:
        """How many of so many calls pass."""
        return sum(self.call() for _ in range(number))

    @property
    def used(self) -> float:
        """How many tokens are taken."""
        return self._bench.buckets.levels([self.bucket])[0] * BURST


@contextmanager
def fresh() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory) / "limits")
        yield bench
        bench.buckets.close()
        bench.meters.close()


def test_calls_of_a_turn_pay_when_it_ends(bench: Bench) -> None:
    worker = Worker(bench)
    with worker.limiter.turn:
        assert worker.calls(10) == 10
        assert worker.used == pytest.approx(3)
    assert worker.used == pytest.approx(10)


def test_a_turn_owes_no_more_than_a_small_part_of_the_burst(bench: Bench) -> None:
    worker = Worker(bench)
    with worker.limiter.turn:
        for made in range(1, 201):
            assert worker.call()
            assert worker.used >= made - BURST / 128
    assert worker.used == pytest.approx(200)


def test_calls_take_their_own_tokens_when_half_of_the_burst_is_used(bench: Bench) -> None:
    worker = Worker(bench)
    bench.buckets.charge([worker.bucket], BURST // 2 + 1)
    with worker.limiter.turn:
        assert worker.calls(50) == 50
        assert worker.used == pytest.approx(BURST // 2 + 51)


@pytest.mark.parametrize("burst", [1, 50, 1_023])
def test_small_limits_are_taken_from_at_once(bench: Bench, burst: int) -> None:
    worker = Worker(bench, burst=burst)
    with worker.limiter.turn:
        assert worker.calls(burst + 5) == burst


def test_other_threads_take_their_own_tokens_meanwhile(bench: Bench) -> None:
    worker = Worker(bench)
    with worker.limiter.turn:
        worker.calls(10)
        other = Thread(target=worker.call, kwargs={"in_turn": False})
        other.start()
        other.join()
        assert worker.used == pytest.approx(4)
    assert worker.used == pytest.approx(11)


def test_outside_of_turns_calls_take_their_own_tokens(bench: Bench) -> None:
    worker = Worker(bench)
    with worker.limiter.turn:
        worker.calls(10)
    assert worker.calls(10) == 10
    assert worker.used == pytest.approx(20)


def test_a_turn_that_fails_pays_as_well(bench: Bench) -> None:
    worker = Worker(bench)

    def turn() -> None:
        with worker.limiter.turn:
            worker.calls(10)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        turn()
    assert worker.used == pytest.approx(10)


def test_calls_that_need_other_limits_have_accounts_of_their_own(bench: Bench) -> None:
    worker = Worker(bench)
    wide, narrow = worker.plan, worker.planned(Limit(SUBJECT, 1e-3, 20))
    passed = []
    with worker.limiter.turn:
        for plan, calls in ((narrow, 3), (wide, 100), (narrow, 30)):
            worker.plan = plan
            passed.append(worker.calls(calls))
    assert passed == [3, 100, 17]


def test_all_calls_are_counted(bench: Bench, tmp_path: Path) -> None:
    worker = Worker(bench)
    with worker.limiter.turn:
        worker.calls(100)
    worker.calls(5)
    bench.buckets.charge([worker.bucket], BURST)
    with worker.limiter.turn:
        assert worker.calls(7) == 0
    assert meters.read(tmp_path / "usage")[SUBJECT] == (105, 7)


def test_each_decision_is_in_the_log(bench: Bench, tmp_path: Path) -> None:
    worker = Worker(bench)
    worker.limiter = Limiter(
        bench.buckets, profiles.find("unlimited"), bench.meters, log=DecisionLog(tmp_path / "decisions")
    )
    with worker.limiter.turn:
        worker.calls(50)
    assert len((tmp_path / "decisions").read_bytes().splitlines()) == 50


def overlapping(bench: Bench, turns: list[tuple[int, int]]) -> int:
    """How many calls pass in turns of three workers (worker, calls), each of which lasts until that worker's next one."""
    workers = [Worker(bench) for _ in range(3)]
    ends = [ExitStack() for _ in workers]
    passed = 0
    for number, calls in turns:
        ends[number].close()
        ends[number].enter_context(workers[number].limiter.turn)
        passed += workers[number].calls(calls)
    for end in ends:
        end.close()
    return passed


@given(st.lists(st.integers(1, 150), min_size=20, max_size=60))
def test_workers_do_not_exceed_a_burst_together(turns: list[int]) -> None:
    with fresh() as bench:
        passed = overlapping(bench, [(number % 3, calls) for number, calls in enumerate(turns)])
        assert passed == min(BURST, sum(turns))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 600)), min_size=15, max_size=40))
def test_what_a_turn_may_owe_is_all_that_a_burst_is_exceeded_by(turns: list[tuple[int, int]]) -> None:
    """Others take all that is left before it ends."""
    with fresh() as bench:
        wanted = sum(calls for _, calls in turns)
        assert min(BURST, wanted) <= overlapping(bench, turns) <= BURST + 2 * (BURST // 128)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 50_000_000)), max_size=80))
def test_time_gives_as_much_back_as_without_turns(turns: list[tuple[int, int]]) -> None:
    with fresh() as bench, fresh() as other:
        together, alone = Worker(bench, rate=5_000), Worker(other, rate=5_000)
        for calls, pause in turns:
            with together.limiter.turn:
                passed = together.calls(calls)
            assert passed == sum(alone.call(in_turn=False) for _ in range(calls))
            assert together.used == pytest.approx(alone.used)
            bench.now += pause
            other.now += pause


def test_a_bucket_that_has_lost_its_slot_is_full_again(bench: Bench) -> None:
    worker = Worker(bench, rate=5_000)
    with worker.limiter.turn:
        worker.calls(10)
        bench.now += SECOND
        taken = [bench.buckets.take([Bucket.of(f"{number}", 1e-3, 10)]) > 0 for number in range(200)]
    assert sum(taken) == 64
    assert worker.used == 0
