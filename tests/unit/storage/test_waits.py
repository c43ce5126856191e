"""Who is late in the storage; transactions that are late leave nothing."""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from kms_server.errors import KMSInternalException
from kms_server.storage import settings
from kms_server.storage.database import Database
from kms_server.storage.waits import Waits
from tests.databases import lent
from tests.postgres_server import Postgres

ME = threading.get_ident()


@dataclass
class Stay:
    """Keeps somebody in a transaction."""

    begun: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)


def put(database: Database, value: str, *, stay: Stay | None = None) -> None:
    with database.write() as tx:
        settings.put(tx, settings.MODE, value)
        if stay is not None:
            stay.begun.set()
            stay.go_on.wait(20)


def put_around(database: Database, meanwhile: Callable[[], None]) -> None:
    with database.write() as tx:
        settings.put(tx, settings.MODE, "begun")
        meanwhile()
        settings.put(tx, settings.MODE, "ended")


def put_late(database: Database, stay: Stay) -> None:
    with pytest.raises(KMSInternalException):
        put(database, "late", stay=stay)


def mode(database: Database) -> str | None:
    with database.read() as connection:
        return settings.get(connection, settings.MODE)


def late(waits: Waits, patience: float) -> None:
    """Wait until somebody is."""
    while waits.longest() <= patience:
        time.sleep(0.01)


def test_whoever_is_there_too_long_is_late() -> None:
    waits = Waits()
    assert not waits.is_late(ME)
    assert waits.longest() == 0
    with waits.noted():
        assert not waits.is_late(ME)
        waits.patience = 0.01
        late(waits, waits.patience)
        with waits.noted():
            assert waits.is_late(ME)
        assert waits.is_late(ME)
        assert not waits.is_late(0)
    assert not waits.is_late(ME)
    assert waits.longest() == 0


def test_what_takes_long_by_itself_has_an_allowance() -> None:
    waits = Waits()
    waits.patience = 0
    with waits.noted(60):
        assert not waits.is_late(ME)
        assert waits.longest() == 0


def test_a_wait_ends_with_a_failure() -> None:
    waits = Waits()
    with pytest.raises(ZeroDivisionError), waits.noted():
        raise ZeroDivisionError
    assert waits.longest() == 0


def test_a_change_that_is_late_is_undone(database: Database) -> None:
    put(database, "before")
    database.waits.patience = 0
    with pytest.raises(KMSInternalException):
        put(database, "late")
    with pytest.raises(KMSInternalException), database.index():
        pass
    database.waits.patience = 20
    assert mode(database) == "before"


def test_no_change_is_begun_while_another_is_stuck(database: Database) -> None:
    stay = Stay()
    stuck = threading.Thread(target=put_late, args=(database, stay))
    stuck.start()
    assert stay.begun.wait(20)
    database.waits.patience = 0.05
    late(database.writers, database.waits.patience)
    for change in (database.write, database.index):
        with pytest.raises(KMSInternalException), change():
            raise AssertionError("it was begun")
    stay.go_on.set()
    stuck.join()
    database.waits.patience = 20
    put(database, "after")
    assert mode(database) == "after"


def test_whoever_had_to_wait_too_long_loses_the_turn(database: Database) -> None:
    stay = Stay()
    first = threading.Thread(target=put, args=(database, "first"), kwargs={"stay": stay})
    first.start()
    assert stay.begun.wait(20)
    failed: list[KMSInternalException] = []

    def wait() -> None:
        try:
            put(database, "second")
        except KMSInternalException as error:
            failed.append(error)

    second = threading.Thread(target=wait)
    second.start()
    assert second.ident is not None
    while second.ident not in database.waits._since:
        time.sleep(0.01)
    database.waits.patience = 0.05
    while not database.waits.is_late(second.ident):
        time.sleep(0.01)
    # The first came in time: only the second is late.
    assert first.ident is not None
    database.waits._since[first.ident] += 60
    stay.go_on.set()
    first.join()
    second.join()
    assert len(failed) == 1
    database.waits.patience = 20
    assert mode(database) == "first"


def test_a_host_that_hangs_loses_its_turn(postgres: Postgres, tmp_path: Path) -> None:
    with (
        lent(tmp_path / "one", postgres) as place,
        closing(place.open()) as hanging,
        closing(place.open()) as other,
    ):
        hanging.waits.patience = 0.4
        with pytest.raises(DBAPIError, match="idle-in-transaction"):
            put_around(hanging, lambda: put(other, "other"))
        assert mode(other) == "other"
        hanging.waits.patience = 20
        put(hanging, "again")
        assert mode(other) == "again"
