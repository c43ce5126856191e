"""Buckets under a virtual clock: exactness, all or none, bounded size, damaged files."""

import fcntl
import itertools
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.quotas.buckets import Bucket, Buckets

SECOND = 1_000_000_000
ONE_SET = 32


class Clock:
    """Nanoseconds that move when told."""

    def __init__(self) -> None:
        self.now = 5 * SECOND

    def __call__(self) -> int:
        return self.now


@contextmanager
def fresh(clock: Clock, slots: int = ONE_SET) -> Iterator[Buckets]:
    with tempfile.TemporaryDirectory() as directory:
        buckets = Buckets(Path(directory) / "limits", slots, clock)
        yield buckets
        buckets.close()


def drained(buckets: Buckets, *wanted: Bucket) -> int:
    """How many takes pass before one is refused."""
    count = 0
    while buckets.take(wanted) > 0:
        count += 1
    return count


rates = st.integers(1, 126_000)
bursts = st.integers(1, 50)


@given(rates, bursts, st.lists(st.integers(0, 3), min_size=1, max_size=200), st.integers(0, SECOND))
def test_arrivals_that_conform_are_never_refused(
    rate: int, burst: int, pauses: list[int], offset: int
) -> None:
    """Each call comes as early as an exact token bucket allows, or a few intervals later."""
    clock = Clock()
    start = clock.now + offset
    bucket = Bucket.of("a", rate, burst)
    with fresh(clock) as buckets:
        full_at = start * rate  # exact: in nanoseconds times the rate
        for pause in pauses:
            earliest = full_at - (burst - 1) * SECOND
            clock.now = max(clock.now, start, -(-earliest // rate)) + pause * SECOND // rate
            assert buckets.take([bucket]) > 0
            full_at = max(full_at, clock.now * rate) + SECOND


@given(rates, bursts, st.lists(st.integers(0, 40_000_000), min_size=50, max_size=400))
def test_no_window_holds_more_than_rate_and_burst(rate: int, burst: int, steps: list[int]) -> None:
    clock = Clock()
    bucket = Bucket.of("a", rate, burst)
    admitted: list[int] = []
    with fresh(clock) as buckets:
        for step in steps:
            clock.now += step
            while len(admitted) < 3_000 and buckets.take([bucket]) > 0:
                admitted.append(clock.now)
    for first in range(0, len(admitted), 7):
        window = [moment for moment in admitted[first:] if moment - admitted[first] < SECOND]
        assert len(window) <= rate + burst


def test_the_exact_rate_conforms_for_ever() -> None:
    """Every call at its time, to the nanosecond, with ten nanoseconds of tolerance for that rounding."""
    clock, rate = Clock(), 9_973
    bucket = Bucket.of("a", rate, 1.0001)
    start = clock.now
    with fresh(clock) as buckets:
        for call in range(20_000):
            clock.now = start - (-call * SECOND // rate)
            assert buckets.take([bucket]) > 0


def test_a_second_of_greed_gets_rate_and_burst_to_the_token() -> None:
    clock, rate, burst = Clock(), 70_001, 200
    bucket = Bucket.of("a", rate, burst)
    start, count = clock.now, 0
    with fresh(clock) as buckets:
        for millisecond in range(1_000):
            clock.now = start + millisecond * (SECOND // 1_000)
            count += drained(buckets, bucket)
        clock.now = start + SECOND - 1
        count += drained(buckets, bucket)
    assert rate + burst - 1 <= count <= rate + burst


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_all_or_none(tokens: list[int]) -> None:
    wanted = [Bucket.of(f"b{index}", 1, count) for index, count in enumerate(tokens)]
    with fresh(Clock()) as buckets:
        assert drained(buckets, *wanted) == min(tokens)
        for bucket, count in zip(wanted, tokens, strict=True):
            assert drained(buckets, bucket) == count - min(tokens)


def test_a_bucket_wanted_twice_gives_two_tokens_or_none() -> None:
    bucket = Bucket.of("a", 1, 5)
    with fresh(Clock()) as buckets:
        empty = Bucket.of("b", 1, 1)
        assert buckets.take([empty]) > 0
        assert buckets.take([bucket, bucket, empty]) < 0
        assert drained(buckets, bucket, bucket) == 2
        assert drained(buckets, bucket) == 1


def test_idle_slots_are_used_again() -> None:
    clock = Clock()
    with fresh(clock) as buckets:
        for round_ in range(5):
            crowd = [Bucket.of(f"{round_}-{number}", 1, 3) for number in range(ONE_SET)]
            assert all(drained(buckets, bucket) == 3 for bucket in crowd)
            late = Bucket.of(f"{round_}-late", 1, 3)
            assert buckets.take([late]) < 0
            assert buckets.take([crowd[0], late]) < 0
            clock.now += 3 * SECOND
            assert drained(buckets, late) == 3
            clock.now += 3 * SECOND


def test_a_slot_that_went_to_another_is_found_anew() -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "limits"
        here, there = Buckets(path, ONE_SET, clock), Buckets(path, ONE_SET, clock)
        mine = Bucket.of("mine", 1, 3)
        assert here.take([mine]) > 0
        clock.now += 10 * SECOND
        assert all(there.take([Bucket.of(f"{number}", 1, 3)]) > 0 for number in range(ONE_SET - 1))
        assert drained(there, mine) == 3
        assert here.take([mine]) < 0
        clock.now += 10 * SECOND
        assert all(there.take([Bucket.of(f"new {number}", 1, 3)]) > 0 for number in range(ONE_SET - 1))
        assert drained(here, mine) == 3
        assert there.take([mine]) < 0
        here.close()
        there.close()


def test_state_outlives_the_process_that_made_it(tmp_path: Path) -> None:
    clock, bucket = Clock(), Bucket.of("a", 1, 5)
    first = Buckets(tmp_path / "limits", ONE_SET, clock)
    assert drained(first, bucket) == 5
    first.close()
    second = Buckets(tmp_path / "limits", ONE_SET, clock)
    assert drained(second, bucket) == 0
    second.close()
    assert (tmp_path / "limits").stat().st_mode & 0o777 == 0o600


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: overwrite(path, 0, b"\xff"),
        lambda path: overwrite(path, 8, b"00000000-0000-0000-0000-000000000000"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"nonsense" * 3),
        lambda path: path.write_bytes(path.read_bytes() + b"more"),
    ],
    ids=["format", "another boot", "empty", "nonsense", "too long"],
)
def test_a_file_of_another_kind_is_begun_anew(tmp_path: Path, damage: object) -> None:
    clock, bucket, path = Clock(), Bucket.of("a", 1, 5), tmp_path / "limits"
    before = Buckets(path, ONE_SET, clock)
    assert drained(before, bucket) == 5
    before.close()
    assert callable(damage)
    damage(path)
    after = Buckets(path, ONE_SET, clock)
    assert drained(after, bucket) == 5
    after.close()


def test_damaged_slots_refuse_for_an_interval_at_most() -> None:
    clock = Clock()
    noise = random.Random(7)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "limits"
        buckets = Buckets(path, ONE_SET, clock)
        crowd = [Bucket.of(f"{number}", 10, 5) for number in range(20)]
        for _ in range(50):
            overwrite(path, 64, noise.randbytes(ONE_SET * 16))
            for bucket in crowd:
                buckets.take([bucket])
            clock.now += SECOND // 10
            for bucket in crowd[:8]:
                assert buckets.take([bucket]) > 0
            clock.now += SECOND
        buckets.close()


def test_levels_tell_how_much_of_the_burst_is_used() -> None:
    clock, bucket, other = Clock(), Bucket.of("a", 10, 4), Bucket.of("b", 10, 4)
    with fresh(clock) as buckets:
        assert buckets.levels([bucket, other]) == [0, 0]
        for taken in range(1, 5):
            assert buckets.take([bucket]) > 0
            assert buckets.levels([bucket, other]) == [taken / 4, 0]
        assert buckets.take([bucket]) < 0
        clock.now += SECOND // 5
        assert buckets.levels([bucket]) == [0.5]
        clock.now += SECOND
        assert buckets.levels([bucket]) == [0]


def test_levels_take_neither_tokens_nor_slots() -> None:
    clock = Clock()
    with fresh(clock) as buckets:
        crowd = [Bucket.of(str(number), 1, 3) for number in range(10 * ONE_SET)]
        assert set(buckets.levels(crowd)) == {0}
        assert all(drained(buckets, bucket) == 3 for bucket in crowd[:ONE_SET])
        assert set(buckets.levels(crowd[:ONE_SET])) == {1}
        assert set(buckets.levels(crowd[ONE_SET:])) == {0}


def test_levels_need_no_lock(tmp_path: Path) -> None:
    buckets, bucket = Buckets(tmp_path / "limits", ONE_SET, Clock()), Bucket.of("a", 1, 2)
    assert buckets.take([bucket]) > 0
    with (tmp_path / "limits").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert buckets.levels([bucket]) == [0.5]
    buckets.close()


def test_nobody_can_fill_the_set_of_anothers_bucket() -> None:
    victim, sets = Bucket.of("victim", 1, 1), 64
    numbered = (Bucket.of(f"{number}", 0.01, 1) for number in itertools.count())
    alike = (one for one in numbered if one.tag % sets == victim.tag % sets)
    with fresh(Clock(), sets * ONE_SET) as buckets:
        assert all(buckets.take([one]) > 0 for one in itertools.islice(alike, 2 * ONE_SET))
        assert buckets.take([victim]) > 0
