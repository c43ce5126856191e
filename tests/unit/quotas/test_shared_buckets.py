"""Buckets that hosts share: one decision for many, and a host by itself."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from kms_server.errors import OperatorError
from kms_server.quotas.buckets import Bucket, Buckets
from kms_server.quotas.shared_buckets import Decision, SharedBuckets
from kms_server.quotas.token_store import HOST_SECONDS, TokenStore, place_of
from tests.redis_server import RedisServer

SECOND = 1_000_000_000


@pytest.fixture
def host(redis: RedisServer, tmp_path: Path) -> Iterator[Callable[[str], SharedBuckets]]:
    """Makes hosts by their names."""
    made: list[tuple[SharedBuckets, Buckets]] = []

    def make(name: str) -> SharedBuckets:
        local = Buckets(tmp_path / f"{name}-limits", slots=64)
        shared = SharedBuckets(TokenStore(redis.url, name, 0.5), local, tmp_path / f"{name}-hosts")
        made.append((shared, local))
        return shared

    yield make
    for shared, local in made:
        shared.close()
        local.close()


def taken(shared: SharedBuckets, wanted: Sequence[Bucket]) -> bool:
    answer = shared.ask(wanted)
    if isinstance(answer, Decision):
        assert answer.wait(10)
        return answer.at > 0
    return answer > 0


def passed(shared: SharedBuckets, *wanted: Bucket) -> int:
    count = 0
    while taken(shared, wanted):
        count += 1
    return count


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_hosts_share_tokens(host: Callable[[str], SharedBuckets]) -> None:
    one, other, bucket = host("one"), host("other"), Bucket.of("a", 0.01, 20)
    taken(one, [Bucket.of("another", 1, 1)])
    time.sleep(1.1)  # a new store lets no burst pass at first
    assert taken(one, [bucket])
    assert taken(other, [bucket])
    assert passed(one, bucket) == 18
    assert passed(other, bucket) == 0


def test_a_new_store_lets_no_burst_pass(host: Callable[[str], SharedBuckets]) -> None:
    assert passed(host("one"), Bucket.of("a", 0.01, 20)) == 1


def test_hosts_know_of_each_other(host: Callable[[str], SharedBuckets], tmp_path: Path) -> None:
    one, other = host("one"), host("other")
    known = tmp_path / "one-hosts"
    wait_for(lambda: one.hosts == other.hosts == 2 and known.exists())
    assert known.read_text() == "2"
    assert known.stat().st_mode & 0o777 == 0o600
    assert host("one").hosts == 2


def test_hosts_are_forgotten_late(
    host: Callable[[str], SharedBuckets], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one-hosts").write_text("3")
    one, other = host("one"), host("other")
    wait_for(lambda: other.hosts == 2)
    assert one.hosts == 3
    monkeypatch.setattr(one, "_found_at", one._found_at - HOST_SECONDS)
    wait_for(lambda: one.hosts == 2)


def test_a_host_by_itself_has_its_share_and_no_burst_at_first(
    host: Callable[[str], SharedBuckets], redis: RedisServer
) -> None:
    one, other = host("one"), host("other")
    wait_for(lambda: one.hosts == other.hosts == 2)
    assert one.warning() is None
    redis.kill()
    bucket = Bucket.of("a", 0.01, 20)
    assert passed(one, bucket) == 1
    warning = one.warning()
    assert warning is not None
    assert "1/2 of each limit" in warning
    time.sleep(1.1)
    assert passed(one, Bucket.of("b", 0.01, 20)) == 10
    redis.start()
    wait_for(lambda: one.warning() is None)
    assert passed(one, Bucket.of("c", 0.01, 20)) == 1


def test_levels_are_those_of_all_hosts_or_of_one_by_itself(
    host: Callable[[str], SharedBuckets], redis: RedisServer
) -> None:
    one, other = host("one"), host("other")
    used, unused = Bucket.of("a", 0.01, 10), Bucket.of("b", 0.01, 10)
    assert one.levels([used, unused]) == [0, 0]
    assert passed(one, used) == 1
    for shared in (one, other):
        assert shared.levels([unused, used]) == pytest.approx([0, 1], abs=0.1)
        assert shared.levels([]) == []
    redis.kill()
    assert one.levels([used, unused]) == [0, 0]
    assert passed(one, unused) == 1
    assert one.levels([used, unused]) == pytest.approx([0, 1], abs=0.1)


def test_calls_that_come_together_are_one_batch(host: Callable[[str], SharedBuckets]) -> None:
    one, bucket = host("one"), Bucket.of("a", 1e6, 1e6)
    assert taken(one, [bucket])
    held: list[Callable[[], None]] = []
    one.soon = held.append
    decisions = [one.ask([bucket]) for _ in range(100)]
    assert len(held) == 1
    held[0]()
    times = set()
    for decision in decisions:
        assert isinstance(decision, Decision)
        assert decision.wait(10)
        times.add(decision.at)
    assert len(times) == 1


def test_no_key_stays_when_its_bucket_is_full(host: Callable[[str], SharedBuckets]) -> None:
    one = host("one")
    for number in range(200):
        taken(one, [Bucket.of(f"{number}", 100, 1)])
    client = one._store._redis
    wait_for(lambda: client.dbsize() <= 2)


def test_a_host_that_cannot_write_goes_on(
    host: Callable[[str], SharedBuckets], redis: RedisServer, tmp_path: Path
) -> None:
    local = Buckets(tmp_path / "limits", slots=64)
    shared = SharedBuckets(TokenStore(redis.url, "two", 0.5), local, tmp_path / "nowhere" / "hosts")
    host("one")
    wait_for(lambda: shared.hosts == 2)
    assert taken(shared, [Bucket.of("a", 10, 5)])
    shared.close()
    local.close()


def test_a_name_that_cannot_be_looked_up_is_a_lost_store(tmp_path: Path) -> None:
    local = Buckets(tmp_path / "limits", slots=64)
    shared = SharedBuckets(TokenStore("redis://a..b:6379", "one", 0.5), local, tmp_path / "hosts")
    assert taken(shared, [Bucket.of("a", 10, 5)])
    assert shared.warning() is not None
    shared.close()
    local.close()


def test_a_store_that_hangs_holds_up_a_call_for_its_patience_once(
    host: Callable[[str], SharedBuckets], redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, bucket = host("one"), Bucket.of("a", 10, 5)
    assert taken(one, [bucket])
    monkeypatch.setattr(one, "_next_beat", 0.0)
    redis.freeze()
    began = time.monotonic()
    taken(one, [bucket])
    assert 0.5 <= time.monotonic() - began < 0.9
    redis.thaw()


def test_a_store_may_come_back_while_a_call_asks(
    host: Callable[[str], SharedBuckets], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = host("one")
    told = iter([1])
    monkeypatch.setattr(SharedBuckets, "_lost_at", property(lambda _: next(told, None)), raising=False)
    assert one.ask([Bucket.of("a", 10, 5)]) != 0


@pytest.mark.parametrize(
    "url",
    [
        "", "localhost:6379", "http://localhost", "redis://", "redis://host:port", "unix://", "redis://host/name",
        "redis://user:12/secret@host/0", "redis://user:12?secret@host/0", "redis://host/0?decode_responses=1",
        "redis://host/0?nothing=1", "rediss://host/0?ssl_nothing=1", "unix:///socket?db=x",
    ],
)  # fmt: skip
def test_what_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(OperatorError, match="--quota-url must be"):
        place_of(url)


def test_a_password_is_not_shown() -> None:
    assert place_of("rediss://user:secret@example.test:6380/2") == "rediss://example.test:6380/2"
    assert place_of("unix:///run/redis?db=2&password=secret") == "unix:///run/redis"


@pytest.mark.parametrize(
    "url", ["redis://[::1]:6379/0", "redis://host", "redis://host/", "rediss://host?ssl_cert_reqs=none"]
)
def test_what_is_a_store_is_told_by_its_place(url: str) -> None:
    assert place_of(url) == url.partition("?")[0]
