"""Walks over all versions, and over those under old backing keys."""

from threading import Event, Thread

import pytest

from kms_server.storage import object_upkeep, objects, uploads
from kms_server.storage.buckets import Bucket
from kms_server.storage.database import Database
from kms_server.storage.object_upkeep import BEGINNING, Position, Scope, Total
from kms_server.storage.objects import Version
from tests.unit.storage.object_rows import stored_bucket, upload, version


@pytest.fixture
def held(database: Database) -> Bucket:
    return stored_bucket(database)


def put(database: Database, new: Version) -> Version:
    with database.index() as connection:
        return objects.add(connection, new, [])


def test_what_stands_under_old_masters_is_found(database: Database, held: Bucket) -> None:
    stored = [
        put(database, version(held, f"k{n}", material=material))
        for n, material in enumerate(["m1", "m2", "m1", None, "m3", "m4"])
    ]

    def found(limit: int, *current: str, after: Position = BEGINNING) -> list[Version]:
        with database.read() as connection:
            return object_upkeep.under_old_master(connection, current, limit, after)

    assert found(9, "m3", "m2") == [stored[0], stored[2], stored[5]]
    assert found(1, "m3", "m2") == [stored[0]]
    assert found(9, "m3", "m2", after=Position("m1", stored[0].number)) == [stored[2], stored[5]]
    assert found(9, "m3", "m2", after=Position("m1", stored[2].number)) == [stored[5]]
    assert found(9, "m3", "m2", after=Position("m4", stored[5].number)) == []
    assert found(9, "m1", "m2", "m3", "m4") == []
    with database.read() as connection:
        assert object_upkeep.count_under_old_master(connection, ["m3", "m2"]) == 3


def test_uploads_are_walked_over_in_batches(database: Database, held: Bucket) -> None:
    with database.index() as connection:
        for material in ("m1", "m2", "m1", "m3"):
            uploads.add(connection, upload(held, material=material))
    after, walked = ("", ""), []
    while True:
        with database.read() as connection:
            batch = uploads.under_old_master(connection, ["m2"], 1, after)
        if not batch:
            break
        walked.append(batch[0].material)
        after = batch[0].material or "", batch[0].upload_id
    assert walked == ["m1", "m1", "m3"]


def test_all_versions_come_by_number(database: Database, held: Bucket) -> None:
    other = stored_bucket(database, "papers")
    stored = [put(database, version(bucket, key)) for bucket in (held, other) for key in ("ca", "cb", "a")]
    with database.read() as connection:
        assert object_upkeep.each(connection, 0, 2) == stored[:2]
        assert object_upkeep.each(connection, stored[1].number, 9) == stored[2:]
        assert object_upkeep.each(connection, 0, 9, Scope(other.bucket_id)) == stored[3:]
        assert object_upkeep.each(connection, 0, 9, Scope(held.bucket_id, "c")) == stored[:2]
        assert object_upkeep.total(connection, 0) == Total(6, 30)
        assert object_upkeep.total(connection, stored[0].number, Scope(held.bucket_id, "c")) == Total(1, 5)
        assert object_upkeep.total(connection, stored[-1].number) == Total(0, 0)
        assert object_upkeep.get(connection, stored[4].number) == stored[4]
        assert object_upkeep.get(connection, stored[-1].number + 1) is None


def test_who_rewraps_waits_for_nobody(database: Database, held: Bucket) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time")
    stored = [put(database, version(held, key)) for key in "ab"]
    locked, done = Event(), Event()

    def remove() -> None:
        with database.index() as connection:
            objects.remove(connection, stored[0])
            locked.set()
            done.wait(10)

    thread = Thread(target=remove)
    thread.start()
    locked.wait(10)
    with database.index() as connection:
        assert object_upkeep.free(connection, [one.number for one in stored]) == {stored[1].number}
    done.set()
    thread.join()
