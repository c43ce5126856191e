"""What counts tokens on one host and what counts them for several give the same answers on the same timeline."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kms_server.quotas import token_store
from kms_server.quotas.buckets import Bucket, Buckets
from kms_server.quotas.token_store import TokenStore
from tests.redis_server import RedisServer, running

SECOND = 1_000_000_000


class OnHost:
    """Buckets in shared memory."""

    def __init__(self, path: Path) -> None:
        self.now = 10 * SECOND
        self.buckets = Buckets(path, slots=1_024, clock=lambda: self.now)

    def take(self, wanted: Sequence[Bucket]) -> bool:
        at = self.buckets.take(wanted)
        assert abs(at) == self.now
        return at > 0


class InStore(TokenStore):
    """Buckets in Redis, whose script is told the time."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "host", 5.0)
        script = token_store._TAKE.replace("redis.call('TIME')", "{tonumber(ARGV[2]), tonumber(ARGV[3])}")
        assert script != token_store._TAKE
        script = script.replace("'PX', math.ceil(ahead[index] / 1000) + 1", "'PX', 600000")  # of real time
        told = self._redis.register_script(script)
        self.now = 1_790_000_000 * SECOND
        self._take = lambda keys, args: told(keys, [*args, *self._time()])  # type: ignore[assignment]  # asked the same way
        self._redis.flushall()
        self._redis.set("{kms-server}:since", 0)

    def _time(self) -> tuple[int, int]:
        return self.now // SECOND, self.now % SECOND // 1_000

    def one(self, wanted: Sequence[Bucket]) -> bool:
        (at,) = self.take([wanted])
        assert abs(at) == self.now // 1_000 * 1_000
        return at > 0


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running() as server:
        yield server


class Calls:
    """A counter, asked one call at a time."""

    def __init__(self, place: Path, redis: RedisServer | None) -> None:
        self.counter: OnHost | InStore = InStore(redis.url) if redis else OnHost(place / "limits")

    def take(self, *wanted: Bucket) -> bool:
        counter = self.counter
        return counter.one(wanted) if isinstance(counter, InStore) else counter.take(wanted)

    def pass_by(self, nanoseconds: int) -> None:
        self.counter.now += nanoseconds

    def close(self) -> None:
        if isinstance(self.counter, InStore):
            self.counter.close()
        else:
            self.counter.buckets.close()


@pytest.fixture(params=["host", "store"])
def calls(request: pytest.FixtureRequest, tmp_path: Path, redis: RedisServer) -> Iterator[Calls]:
    made = Calls(tmp_path, redis if request.param == "store" else None)
    yield made
    made.close()


def passed(calls: Calls, *wanted: Bucket) -> int:
    """How many calls pass before one is refused."""
    count = 0
    while calls.take(*wanted):
        count += 1
    return count


def test_a_burst_then_one_call_an_interval(calls: Calls) -> None:
    bucket = Bucket.of("a", 10, 5)
    assert passed(calls, bucket) == 5
    calls.pass_by(SECOND // 10)
    assert passed(calls, bucket) == 1
    calls.pass_by(SECOND)
    assert passed(calls, bucket) == 5


def test_all_or_none(calls: Calls) -> None:
    wide, narrow = Bucket.of("wide", 1, 8), Bucket.of("narrow", 1, 3)
    assert passed(calls, wide, narrow) == 3
    assert passed(calls, narrow, wide) == 0
    assert passed(calls, wide) == 5


def test_a_bucket_wanted_twice_gives_two_tokens_or_none(calls: Calls) -> None:
    bucket = Bucket.of("a", 1, 5)
    assert passed(calls, bucket, bucket) == 2
    assert passed(calls, bucket) == 1


def test_several_tokens_at_once(calls: Calls) -> None:
    pair, single = Bucket.of("a", 10, 5, tokens=2), Bucket.of("a", 10, 5)
    assert passed(calls, pair) == 2
    assert passed(calls, single) == 1
    calls.pass_by(SECOND // 10)
    assert not calls.take(pair)
    calls.pass_by(SECOND // 10)
    assert passed(calls, pair) == 1


def test_more_tokens_than_the_burst_pass_when_the_bucket_is_full(calls: Calls) -> None:
    greedy = Bucket.of("a", 1, 1, tokens=2)
    assert passed(calls, greedy) == 1
    calls.pass_by(2 * SECOND - 1_000)
    assert not calls.take(greedy)
    calls.pass_by(1_000)
    assert passed(calls, greedy) == 1


def test_a_raised_limit_holds_at_once(calls: Calls) -> None:
    assert passed(calls, Bucket.of("a", 0.001, 5)) == 5
    raised = Bucket.of("a", 100, 10)
    assert passed(calls, raised) == 10
    calls.pass_by(SECOND // 100)
    assert passed(calls, raised) == 1


def test_a_clock_that_falls_back_stops_nobody_for_long(redis: RedisServer, tmp_path: Path) -> None:
    calls = Calls(tmp_path, redis)
    bucket = Bucket.of("a", 10, 5)
    assert passed(calls, bucket) == 5
    calls.pass_by(-3_600 * SECOND)
    assert not calls.take(bucket)
    calls.pass_by(SECOND)
    assert calls.take(bucket)
    calls.close()


@pytest.mark.parametrize("rate", [3, 7, 10, 333, 9_973, 30_000])
def test_an_evenly_paced_client_at_95_percent_is_never_throttled(calls: Calls, rate: int) -> None:
    """Also with no burst at all."""
    bucket = Bucket.of("a", rate, 1)
    start = calls.counter.now
    for call in range(500):
        calls.counter.now = start + round(call * SECOND / (0.95 * rate))
        assert calls.take(bucket)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 20_000), st.integers(1, 20), st.integers(1, 5_000), st.integers(1, 8),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_both_admit_the_same_calls(
    redis: RedisServer, tmp_path: Path, rate: int, burst: int, other_rate: int, other_burst: int, chance: random.Random
) -> None:  # fmt: skip
    one, other = Bucket.of("one", rate, burst), Bucket.of("other", other_rate, other_burst)
    pair = Bucket.of("one", rate, burst, tokens=2)
    (tmp_path / "limits").unlink(missing_ok=True)
    both = Calls(tmp_path, None), Calls(tmp_path, redis)
    for _ in range(60):
        # Whole microseconds, and never a tie that rounding could break.
        pause = chance.randrange(0, 2 * SECOND // rate) // 1_000 * 1_000 + 1_000
        wanted = chance.choice([(one,), (other,), (one, other), (pair,), (pair, other)])
        answers = []
        for calls in both:
            calls.pass_by(pause)
            answers.append(calls.take(*wanted))
        assert answers[0] == answers[1]
    for calls in both:
        calls.close()
