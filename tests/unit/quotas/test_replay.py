"""What limits would have done to timelines whose answer is known, and that the server's buckets say the same."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.quotas import profiles
from kms_server.quotas.attempts import Attempt
from kms_server.quotas.buckets import Bucket, Buckets
from kms_server.quotas.plans import Count
from kms_server.quotas.profiles import Allowed, Profile
from kms_server.quotas.replay import Load, Replay, Second
from kms_server.quotas.rules import Rules
from kms_server.quotas.subjects import of_quota
from kms_server.storage.limits import SetLimit

START = 1_790_000_000
ACCOUNT, REGION, AWAY = "000000000000", "us-east-1", "eu-west-1"
PLACE = (ACCOUNT, REGION, "CreateKey")
ONE: tuple[Count, ...] = ((*PLACE, 1),)
MILLISECOND = 1_000_000


def flat(rate: float, burst: float) -> Profile:
    """The same limit on everything."""
    return Profile("flat", lambda _quota, _region: Allowed(rate, burst))


def attempt(milliseconds: int, counts: tuple[Count, ...] = ONE, *, exact: bool = True) -> Attempt:
    """A call so long after the start."""
    return Attempt(START * 1_000 + milliseconds, exact, bytes(16), counts)


def replayed(attempts: Iterable[Attempt], profile: Profile, **set_limits: SetLimit) -> list[Load]:
    replay = Replay(Rules({limit.subject: limit for limit in set_limits.values()}, profile))
    for one in attempts:
        replay.add(one)
    return replay.loads()


def only(attempts: Iterable[Attempt], profile: Profile) -> Load:
    [load] = replayed(attempts, profile)
    return load


def throttled(attempts: Iterable[Attempt], profile: Profile) -> tuple[int, int]:
    load = only(attempts, profile)
    return load.least, load.most


def test_more_at_once_than_the_burst() -> None:
    load = only([attempt(10)] * 12, flat(5, 5))
    assert (load.calls, load.least, load.most) == (12, 7, 7)
    assert load.allowed == Allowed(5, 5)
    assert (load.first, load.last) == (START * 1_000 + 10,) * 2
    assert load.peak == load.worst == Second(START, 12, 7)


def test_pace_of_the_limit_passes() -> None:
    assert throttled((attempt(200 * number) for number in range(100)), flat(5, 1)) == (0, 0)
    assert throttled((attempt(199 * number) for number in range(100)), flat(5, 1)) == (50, 50)


def test_times_of_throttled_calls() -> None:
    load = only([attempt(at) for at in (0, 0, 900, 1_100, 1_100, 1_100, 9_000)], flat(1, 1))
    # The second at 0, the one at 900, two of those at 1,100.
    assert (load.first - START * 1_000, load.last - START * 1_000) == (0, 1_100)
    assert (load.most, load.peak) == (4, Second(START, 3, 2))
    assert load.worst == Second(START, 3, 2)


def test_without_limit_there_is_the_load_alone() -> None:
    load = only([attempt(0)] * 50, profiles.find("unlimited"))
    assert (load.allowed, load.calls, load.most, load.peak.tokens) == (None, 50, 0, 50)


def test_burst_follows_from_the_rate() -> None:
    load = only([attempt(0)] * 11, profiles.find("aws"))
    assert load.allowed
    assert (load.allowed.value, load.allowed.at_once, load.most) == (5, 5, 6)


def test_a_limit_that_is_set_holds_over_the_profile() -> None:
    limit = SetLimit(of_quota(*PLACE), 2, 2)
    [load] = replayed([attempt(0)] * 12, flat(5, 5), here=limit)
    assert (load.allowed, load.most) == (Allowed(2, 2), 10)


def test_two_kinds_of_calls_share_a_quota_and_other_regions_do_not() -> None:
    replication = ((ACCOUNT, AWAY, "ReplicateKey", 1), (*PLACE, 2))
    loads = replayed([attempt(0, replication), *[attempt(0)] * 4], flat(5, 5))
    shown = {load.quota_id: (load.calls, load.peak.tokens, load.most) for load in loads}
    assert shown == {"CreateKey": (5, 6, 1), "ReplicateKey": (1, 1, 0)}


def test_a_call_takes_all_tokens_or_none() -> None:
    """What want of one quota's tokens refuses takes none of the other's."""
    rsa = (ACCOUNT, REGION, "CryptographicOperationsRsa", 1)
    both = (rsa, (ACCOUNT, REGION, "CryptographicOperationsSymmetric", 1))
    profile = Profile("p", lambda quota, _: Allowed(1, 1 if quota.id == rsa[2] else 3))
    loads = replayed([*[attempt(0, both)] * 4, *[attempt(0, both[1:])] * 3], profile)
    assert {load.quota_id: load.most for load in loads} == {
        "CryptographicOperationsRsa": 3, "CryptographicOperationsSymmetric": 1,
    }  # fmt: skip


def test_a_quota_counts_a_call_once() -> None:
    assert throttled([attempt(0, ONE * 2)] * 5, flat(5, 5)) == (0, 0)


def test_most_throttled_come_first_then_what_is_nearest_to_its_limit() -> None:
    calls = [
        attempt(0, ((ACCOUNT, REGION, name, 1),))
        for name, number in (("ListKeys", 3), ("CreateAlias", 4), ("CreateKey", 6))
        for _ in range(number)
    ]
    loads = replayed(calls, profiles.find("aws"))
    assert [load.quota_id for load in loads] == ["CreateKey", "CreateAlias", "ListKeys"]


def cut(*calls: int) -> list[Attempt]:
    """So many calls in each of consecutive seconds."""
    return [
        attempt(1_000 * second, exact=False) for second, number in enumerate(calls) for _ in range(number)
    ]


@pytest.mark.parametrize(
    ("calls", "rate", "burst", "expected"),
    [
        ((9,), 5, 5, (0, 4)),  # five at the beginning, then one every 200 ms; or all at once
        ((10,), 5, 5, (1, 5)),
        ((12, 0, 0), 5, 5, (3, 7)),
        ((5, 5), 5, 5, (0, 5)),  # a clump at the end of the first second, one at the beginning of the next
        ((5, 5, 5, 5), 5, 5, (0, 10)),
        ((5, 0, 5, 0, 5), 5, 5, (0, 0)),
        ((3, 3), 100, 2, (0, 4)),
        ((1, 1, 1, 1), 1, 1, (0, 2)),
        ((100, 100), 10, 10, (171, 190)),
    ],
)
def test_whole_seconds_have_a_least_and_a_most(
    calls: tuple[int, ...], rate: float, burst: float, expected: tuple[int, int]
) -> None:
    assert throttled(cut(*calls), flat(rate, burst)) == expected


def test_calls_of_a_whole_second_are_not_behind_those_whose_time_is_known() -> None:
    assert throttled([attempt(0, exact=False), attempt(500)], flat(1, 2)) == (0, 0)


def test_want_of_one_quotas_tokens_leaves_the_others_clump_at_its_seconds_end() -> None:
    rsa, symmetric = ((ACCOUNT, REGION, f"CryptographicOperations{kind}", 1) for kind in ("Rsa", "Symmetric"))
    profile = Profile("p", lambda quota, _: Allowed(1, 1) if quota.id == rsa[2] else Allowed(3, 3))
    calls = [((symmetric,), 1), ((rsa, symmetric), 2), ((symmetric,), 3)]
    attempts = [
        attempt(1_000 * second, counts, exact=False)
        for second, (counts, number) in enumerate(calls)
        for _ in range(number)
    ]
    assert {load.quota_id: load.most for load in replayed(attempts, profile)} == {rsa[2]: 1, symmetric[2]: 1}


class Clock:
    """Nanoseconds since the start."""

    now = 0

    def __call__(self) -> int:
        return self.now


def by_the_server(times: Sequence[int], wanted: Sequence[tuple[Bucket, ...]]) -> int:
    """How many takes the server's buckets refuse; times are in nanoseconds, in order."""
    clock = Clock()
    refused = 0
    with tempfile.TemporaryDirectory() as directory:
        buckets = Buckets(Path(directory) / "limits", 64, clock)
        for clock.now, one in zip(times, wanted, strict=True):
            refused += buckets.take(one) < 0
        buckets.close()
    return refused


rates = st.floats(0.5, 20_000)
bursts = st.floats(2, 40)
kinds = st.sampled_from([ONE, ((*PLACE, 2),), ((ACCOUNT, AWAY, "ListKeys", 1), *ONE)])


@given(rates, bursts, st.lists(st.tuples(st.integers(0, 400), kinds), min_size=1, max_size=120))
def test_the_servers_buckets_agree(
    rate: float, burst: float, steps: list[tuple[int, tuple[Count, ...]]]
) -> None:
    now, attempts, wanted = 5_000, [], []
    for pause, counts in steps:
        now += pause
        attempts.append(attempt(now, counts))
        wanted.append(tuple(Bucket.of(of_quota(*one[:3]), rate, burst, one[3]) for one in counts))
    loads = replayed(attempts, flat(rate, burst))
    times = [(one.time - START * 1_000) * MILLISECOND for one in attempts]
    refused = by_the_server(times, wanted)
    # A call that lacks the tokens of two quotas is throttled by both.
    assert [load.least for load in loads] == [load.most for load in loads]
    assert max(load.most for load in loads) <= refused <= sum(load.most for load in loads)


@given(
    st.floats(0.5, 10), st.integers(1, 8),
    st.lists(st.lists(st.integers(0, 999), max_size=8), min_size=1, max_size=6),
)  # fmt: skip
def test_no_arrangement_throttles_less_than_the_least(
    rate: float, burst: int, seconds: list[list[int]]
) -> None:
    times = sorted(1_000 * second + at for second, calls in enumerate(seconds) for at in calls)
    exact = [attempt(at) for at in times]
    coarse = [attempt(at // 1_000 * 1_000, exact=False) for at in times]
    for told, load in zip(
        replayed(exact, flat(rate, burst)), replayed(coarse, flat(rate, burst)), strict=True
    ):
        assert load.least <= told.most
        assert load.least <= load.most
