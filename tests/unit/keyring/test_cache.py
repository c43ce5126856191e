"""The cache: never older than the last refresh, never more than its capacity, whatever happens meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event

from kms_server.keyring.cache import ScopedCache, WouldBlock
from kms_server.storage import settings as stored
from kms_server.storage.database import Database, latest_change, open_database
from tests.databases import Place, empty, migrated
from tests.unit.storage.test_transactions import line, process

SCOPE = "value"


def write(database: Database, value: str, scope: str = SCOPE) -> None:
    """Change what `scope` names, as every mutation does."""
    with database.write() as tx:
        stored.put(tx, scope, value)
        tx.mark(scope)


def load(connection: Connection, scope: str = SCOPE) -> str | None:
    return stored.get(connection, scope)


def ask(cache: ScopedCache, how: Callable[[Connection], str | None] = load) -> str | None:
    return cache.get(SCOPE, how, may_block=True)


def never(_connection: Connection) -> str | None:
    pytest.fail("it is loaded although it is kept")


@pytest.fixture
def cache(database: Database) -> ScopedCache:
    write(database, "old")
    made = ScopedCache(database, 10)
    made.refresh(may_block=True)
    return made


def test_a_value_is_loaded_once_while_nothing_changes(cache: ScopedCache) -> None:
    assert ask(cache) == "old"
    cache.refresh(may_block=False)
    cache.reread()
    assert ask(cache, never) == "old"
    assert cache.get(SCOPE, never, may_block=False) == "old"


def test_a_change_drops_what_it_names_and_nothing_else(cache: ScopedCache, database: Database) -> None:
    write(database, "other", "other")
    cache.refresh(may_block=True)
    assert (ask(cache), cache.get("other", load, "other", may_block=True)) == ("old", "other")
    write(database, "new")
    cache.refresh(may_block=True)
    assert cache.get("other", never, may_block=False) == "other"
    assert ask(cache) == "new"


def test_who_may_not_block_is_told(cache: ScopedCache, database: Database) -> None:
    with pytest.raises(WouldBlock):
        cache.get(SCOPE, never, may_block=False)
    write(database, "new")
    with pytest.raises(WouldBlock):
        cache.refresh(may_block=False)
    cache.refresh(may_block=True)
    cache.refresh(may_block=False)


def test_what_was_last_read_may_be_good_enough(cache: ScopedCache, database: Database) -> None:
    ask(cache)
    assert not cache.is_stale
    write(database, "new")
    assert cache.is_stale
    with cache.recent():
        cache.refresh(may_block=False)
        assert cache.get(SCOPE, never, may_block=False) == "old"
        # Whoever may wait never makes do with it.
        cache.refresh(may_block=True)
        assert ask(cache) == "new"
    write(database, "newer")
    with pytest.raises(WouldBlock):
        cache.refresh(may_block=False)


def test_nothing_is_kept_before_the_first_refresh(database: Database) -> None:
    write(database, "old")
    cache = ScopedCache(database, 10)
    assert ask(cache) == "old"
    assert cache._entries == {}


def test_a_value_read_before_a_change_that_was_already_applied_is_not_kept(
    cache: ScopedCache, database: Database
) -> None:
    def overtaken(connection: Connection) -> str | None:
        value = load(connection)
        write(database, "new")
        cache.refresh(may_block=True)
        return value

    assert ask(cache, overtaken) == "old"
    assert cache._entries == {}
    assert ask(cache) == "new"


def test_a_change_during_a_load_is_applied_afterwards(cache: ScopedCache, database: Database) -> None:
    def overtaken(connection: Connection) -> str | None:
        value = load(connection)
        write(database, "new")
        return value

    assert ask(cache, overtaken) == "old"
    cache.refresh(may_block=True)
    assert ask(cache) == "new"


def test_a_change_right_behind_the_look_is_seen_by_the_next(
    cache: ScopedCache, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(connection: Connection) -> int:
        found = latest_change(connection)
        write(database, "new")
        return found

    assert ask(cache) == "old"
    with monkeypatch.context() as patch:
        patch.setattr("kms_server.keyring.cache.latest_change", overtaken)
        cache.reread()
    assert ask(cache) == "old"
    cache.refresh(may_block=True)
    assert ask(cache) == "new"


def test_a_look_that_finds_nothing_new_is_one_query(cache: ScopedCache, database: Database) -> None:
    asked: list[str] = []
    cache.reread()
    event.listen(database.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    cache.reread()
    assert sum(one.startswith("SELECT") for one in asked) == 1
    write(database, "new")
    cache.refresh(may_block=True)
    assert ask(cache) == "new"


def test_none_is_not_kept(cache: ScopedCache) -> None:
    loads: list[None] = []
    for _ in range(2):
        assert ask(cache, lambda _connection: loads.append(None)) is None
    assert len(loads) == 2
    assert ask(cache) == "old"


def test_an_empty_value_is_kept(cache: ScopedCache) -> None:
    assert ask(cache, lambda _connection: "") == ""
    assert ask(cache, never) == ""


def test_the_capacity_is_never_passed_and_the_oldest_go(database: Database) -> None:
    cache = ScopedCache(database, 3)
    cache.refresh(may_block=True)
    for number in range(10):
        assert cache.get(str(number), lambda _connection, n=number: n, may_block=True) == number
        assert len(cache._entries) == min(number + 1, 3)
    assert list(cache._entries) == ["7", "8", "9"]


def test_a_change_of_another_process_holds_at_once(
    cache: ScopedCache, database: Database, place: Place
) -> None:
    assert ask(cache) == "old"
    with process("mark", place, 1) as other:
        scope = line(other).split()[1]
        with pytest.raises(WouldBlock):
            cache.refresh(may_block=False)
        cache._entries[scope] = "old"
        cache.refresh(may_block=True)
        assert scope not in cache._entries
        assert ask(cache, never) == "old"


def test_a_change_that_nobody_announced_is_found_by_looking(
    cache: ScopedCache, database: Database, tmp_path: Path, place: Place
) -> None:
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Place(tmp_path / "elsewhere", place.url).open() if place.url else database
    assert ask(cache) == "old"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kms_server.storage.freshness.Generation.raise_", lambda _self: None)
        write(elsewhere, "new")
    cache.refresh(may_block=False)
    assert ask(cache) == "old"
    cache.reread()
    assert ask(cache) == "new"
    elsewhere.close()


def test_one_change_drops_all_that_lies_within_its_scope(cache: ScopedCache, database: Database) -> None:
    for name in ("a", "b"):
        assert cache.get_within(SCOPE, name, load, may_block=True) == "old"
        assert cache.get_within(SCOPE, name, never, may_block=False) == "old"
    write(database, "other", "other")
    cache.refresh(may_block=True)
    assert cache.get_within(SCOPE, "a", never, may_block=False) == "old"
    write(database, "new")
    cache.refresh(may_block=True)
    with pytest.raises(WouldBlock):
        cache.get_within(SCOPE, "a", never, may_block=False)
    for name in ("a", "b"):
        assert cache.get_within(SCOPE, name, load, may_block=True) == "new"
    with pytest.raises(WouldBlock):
        cache.get_within(SCOPE, "c", never, may_block=False)
    assert cache.get_within(SCOPE, "c", lambda _connection: None, may_block=True) is None
    assert cache.get_within(SCOPE, "c", load, may_block=True) == "new"


def test_what_was_read_before_a_change_goes_with_what_the_change_drops(
    cache: ScopedCache, database: Database
) -> None:
    def overtaken(connection: Connection) -> str | None:
        value = load(connection)
        write(database, "new")
        cache.refresh(may_block=True)
        assert cache.get_within(SCOPE, "b", load, may_block=True) == "new"
        return value

    assert cache.get_within(SCOPE, "b", load, may_block=True) == "old"
    assert cache.get_within(SCOPE, "a", overtaken, may_block=True) == "old"
    assert cache.get_within(SCOPE, "a", load, may_block=True) == "new"


def test_what_lies_within_a_scope_is_bounded(cache: ScopedCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kms_server.keyring.cache._MOST_WITHIN", 3)
    for number in range(10):
        cache.get_within(SCOPE, str(number), load, may_block=True)
        assert len(cache._entries[SCOPE]) <= 3  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = migrated(empty(tmp_path_factory.mktemp("embedded"), None))
    yield made
    made.close()


STEPS = st.lists(st.sampled_from(["write", "refresh", "ask", "early", "late", "both"]), max_size=12)


@given(STEPS, st.booleans())
@settings(max_examples=120)
def test_no_order_of_events_leaves_a_value_older_than_the_last_refresh(
    embedded: Database, steps: list[str], within: bool
) -> None:
    cache, now = ScopedCache(embedded, 10), 0
    get = partial(cache.get_within, SCOPE, "name") if within else partial(cache.get, SCOPE)
    write(embedded, "0")

    def change() -> None:
        nonlocal now
        now += 1
        write(embedded, str(now))

    def overtaken(connection: Connection, step: str) -> str | None:
        """What `connection` sees, before or after which something happens."""
        if step in {"early", "both"}:
            change()
            cache.refresh(may_block=True)
        value = load(connection)
        if step in {"late", "both"}:
            change()
        return value

    for step in [*steps, "ask"]:
        if step == "write":
            change()
        elif step == "refresh":
            cache.refresh(may_block=True)
        else:
            cache.refresh(may_block=True)
            floor = now
            assert int(get(overtaken, step, may_block=True) or "-1") >= floor
            cache.refresh(may_block=True)
            assert get(load, may_block=True) == str(now)


def test_readers_in_many_threads_see_what_was_committed_before_they_began(
    cache: ScopedCache, database: Database
) -> None:
    committed, failures = [0], list[str]()
    write(database, "0")
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            floor = committed[0]
            cache.refresh(may_block=True)
            value = int(ask(cache) or "-1")
            if value < floor:
                failures.append(f"{value} after {floor}")

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(1, 60):
        write(database, str(number))
        committed[0] = number
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []


def test_findings_end_with_what_they_came_from(cache: ScopedCache, database: Database) -> None:
    cache.findings.keep(("a",), 1)
    write(database, "elsewhere", "other")
    assert cache.findings[("a",)] == 1  # nobody has looked yet
    early = cache.findings
    cache.refresh(may_block=True)
    assert not cache.findings
    # Who took them before the change adds to what nobody sees any more.
    early.keep(("b",), 2)
    assert not cache.findings


def test_findings_stay_where_nothing_changes(cache: ScopedCache) -> None:
    cache.findings.keep(("a",), 1)
    cache.reread()
    cache.refresh(may_block=False)
    assert cache.findings[("a",)] == 1


def test_findings_are_bounded(cache: ScopedCache) -> None:
    for number in range(25):
        cache.findings.keep((number,), number)
        assert len(cache.findings) <= 10
    assert cache.findings[(24,)] == 24


def test_whatever_watches_looks_before_anybody_is_served_what_is_new(database: Database) -> None:
    seen: list[str | None] = []
    cache = ScopedCache(database, 10, lambda connection: seen.append(load(connection)))
    write(database, "one")
    cache.refresh(may_block=True)
    cache.refresh(may_block=True)
    write(database, "two")
    cache.refresh(may_block=True)
    assert seen == ["one", "two"]


def test_who_may_wait_asks_a_database_that_hosts_share(
    cache: ScopedCache, database: Database, place: Place, tmp_path: Path
) -> None:
    shared = place.url is not None
    assert ask(cache) == "old"
    # Another host: what it commits raises no generation here.
    elsewhere = open_database(place.url, place.directory, tmp_path)
    write(elsewhere, "new")
    elsewhere.close()
    decided_on = cache.refresh(may_block=False)
    assert decided_on == (1 if shared else None)
    assert ask(cache, never) == "old"
    assert cache.refresh(may_block=True) is None
    assert ask(cache) == ("new" if shared else "old")
    assert cache.refresh(may_block=False) == (2 if shared else None)


def test_looks_that_are_asked_for_together_are_one(cache: ScopedCache, database: Database) -> None:
    looks: list[int] = []
    begun, go_on = threading.Semaphore(0), threading.Event()

    def watched(_connection: Connection) -> None:
        looks.append(len(looks))
        begun.release()
        assert go_on.wait(20)

    cache._watched = watched
    write(database, "new")
    first = threading.Thread(target=cache.reread)
    first.start()
    assert begun.acquire(timeout=20)
    # They come after the look began, so it is too old for them, and the next is for all of them.
    write(database, "newer")
    others = [threading.Thread(target=cache.reread) for _ in range(5)]
    for other in others:
        other.start()
    deadline = time.monotonic() + 20
    while len(database.waits._since) <= len(others):
        assert time.monotonic() < deadline, "they do not wait"
        time.sleep(0.01)
    go_on.set()
    for thread in (first, *others):
        thread.join()
    assert len(looks) == 2
    assert ask(cache) == "newer"
