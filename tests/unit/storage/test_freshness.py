"""The generation: one counter that all processes of a host raise and read."""

import fcntl
import stat
import threading
from pathlib import Path

import pytest

from kms_server.storage.database import Database
from kms_server.storage.freshness import Generation
from tests.databases import Place
from tests.unit.storage.test_transactions import line, process


def test_no_announcement_of_any_process_is_lost(database: Database, place: Place) -> None:
    before = database.generation.counter[0]
    others = [process("announce", place, 1_000) for _ in range(3)]
    for _ in range(1_000):
        database.generation.raise_()
    for other in others:
        with other:
            assert other.wait(60) == 0
    assert database.generation.counter[0] == before + 4_000


def test_who_raises_it_waits_for_the_one_who_does(tmp_path: Path) -> None:
    path = tmp_path / "generation"
    generation = Generation(path)
    raising = threading.Thread(target=generation.raise_)
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        raising.start()
        raising.join(0.2)
        assert generation.counter[0] == 0
    raising.join(10)
    assert generation.counter[0] == 1


def test_a_generation_outlives_those_who_raise_it(tmp_path: Path) -> None:
    path = tmp_path / "generation"
    first = Generation(path)
    first.raise_()
    assert Generation(path).counter[0] == first.counter[0] == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_change_is_announced_before_and_after_its_commit(database: Database) -> None:
    before = database.generation.counter[0]
    with database.write():
        assert database.generation.counter[0] == before + 1
    assert database.generation.counter[0] == before + 2


def test_a_change_taken_back_is_announced_all_the_same(database: Database) -> None:
    before = database.generation.counter[0]
    with pytest.raises(LookupError), database.write():
        raise LookupError
    assert database.generation.counter[0] == before + 2


def test_a_change_of_another_process_is_announced(database: Database, place: Place) -> None:
    before = database.generation.counter[0]
    with process("mark", place, 1) as other:
        assert line(other)
        # Committed, and told before the answer: what reads now reads again.
        assert database.generation.counter[0] == before + 2
