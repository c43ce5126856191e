"""Listings read one range of an index, whatever else the bucket holds."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import Connection, event, insert

from kms_server.storage import objects
from kms_server.storage.buckets import Bucket
from kms_server.storage.database import Database
from kms_server.storage.object_lists import BEHIND, list_current, list_versions
from kms_server.storage.object_tables import object_versions
from kms_server.storage.object_tables import objects as heads
from tests.unit.storage.object_rows import marker, stored_bucket, version


def fill(database: Database, held: Bucket, *keys: str) -> None:
    with database.index() as connection:
        for key in keys:
            objects.add(connection, version(held, key), ())


def test_keys_come_in_the_order_of_their_bytes(database: Database) -> None:
    held, other = stored_bucket(database), stored_bucket(database, "other")
    keys = ["\U0001f600", "\uffee", "a\x00", "a", "A", "a/b", "a/", "b", "%", "a_"]
    fill(database, held, *keys)
    fill(database, other, "a")
    with database.index() as connection:
        objects.add(connection, marker(held, "a_"), ())

    def listed(prefix: str = "", after: bytes | None = None, limit: int = 99) -> list[str]:
        with database.read() as connection:
            found = list_current(connection, held.bucket_id, prefix.encode(), after, limit)
        assert all(one.manifest == b"" for one in found)
        assert all(one.envelope for one in found)
        return [one.key for one in found]

    keys.remove("a_")
    ordered = sorted(keys, key=str.encode)
    assert listed() == ordered
    assert listed(limit=3) == ordered[:3]
    assert listed(after=b"a", limit=2) == ["a\x00", "a/"]
    assert listed("a/") == ["a/", "a/b"]
    assert listed("a", after=b"A") == ["a", "a\x00", "a/", "a/b"]
    assert listed("a", after=b"a/" + BEHIND) == []
    assert listed(after=b"a/" + BEHIND, limit=1) == ["b"]
    assert listed("a", after=b"b") == []


def test_versions_come_newest_first(database: Database) -> None:
    held = stored_bucket(database)
    with database.index() as connection:
        stored = [
            objects.add(connection, version(held, key, f"{key}{n}"), ()) for n in range(3) for key in "ba"
        ]
        stored.append(objects.add(connection, marker(held, "b", "b3"), ()))

    def listed(prefix: bytes, key: bytes | None, number: int | None, limit: int = 99) -> list[str]:
        with database.read() as connection:
            return [
                one.version_id
                for one in list_versions(connection, held.bucket_id, prefix, key, number, limit)
            ]

    assert listed(b"", None, None) == ["a2", "a1", "a0", "b3", "b2", "b1", "b0"]
    assert listed(b"", None, None, 4) == ["a2", "a1", "a0", "b3"]
    assert listed(b"", b"a", None, 2) == ["b3", "b2"]
    assert listed(b"", b"a", stored[3].number) == ["a0", "b3", "b2", "b1", "b0"]
    assert listed(b"", b"a", stored[3].number, 1) == ["a0"]
    assert listed(b"b", b"a", stored[3].number) == ["b3", "b2", "b1", "b0"]
    assert listed(b"a", b"b", 99) == []


def plan(database: Database, query: Callable[[Connection], object]) -> list[str]:
    """What SQLite does for the statements of a query."""
    told: list[str] = []

    def explain(
        connection: Connection, _cursor: object, statement: str, parameters: object, *_: object
    ) -> None:
        raw = connection.connection.driver_connection
        assert raw is not None
        told.extend(row[3] for row in raw.execute("EXPLAIN QUERY PLAN " + statement, parameters))

    with database.read() as connection:
        event.listen(connection, "before_cursor_execute", explain)
        query(connection)
    return told


QUERIES: list[tuple[Callable[[Connection], object], list[str]]] = [
    (
        lambda connection: list_current(connection, "b", b"a", None, 9),
        [
            "SEARCH objects USING INDEX ix_objects_listed (bucket_id=? AND object_key>? AND object_key<?)",
            "SEARCH object_versions USING INTEGER PRIMARY KEY (rowid=?)",
        ],
    ),
    (
        lambda connection: list_versions(connection, "b", b"a", b"ab", 5, 9),
        [
            "SEARCH object_versions USING INDEX ix_object_versions_age (bucket_id=? AND object_key=? AND number<?)",
            "SEARCH object_versions USING INDEX ix_object_versions_age (bucket_id=? AND object_key>? AND object_key<?)",
        ],
    ),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_page_is_a_range_of_an_index_without_sorting(
    database: Database, query: Callable[[Connection], object], expected: list[str]
) -> None:
    assert plan(database, query) == expected


def grow(database: Database, held: Bucket, key: str, count: int) -> None:
    """Give a key many old versions, and hide as many other keys behind delete markers."""
    with database.index() as connection:
        rows = [objects.values_of(version(held, key, uuid4().hex)) for _ in range(count)]
        hidden = [objects.values_of(marker(held, f"{key}-{n:06}", "1")) for n in range(count)]
        for row in rows + hidden:
            del row["number"]
        absent = [
            {"bucket_id": held.bucket_id, "object_key": row["object_key"], "current": 0, "is_marker": True}
            for row in hidden
        ]
        connection.execute(insert(heads), absent)
        connection.execute(insert(object_versions), rows + hidden)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_old_versions_and_deleted_keys_cost_a_listing_nothing(database: Database) -> None:
    held = stored_bucket(database)
    fill(database, held, "a", "b", "c")

    def steps() -> int:
        counted = 0

        def count() -> int:
            nonlocal counted
            counted += 1
            return 0

        with database.read() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.set_progress_handler(count, 1)
            shown = list_current(connection, held.bucket_id, b"", None, 9)
            raw.set_progress_handler(None, 0)
        assert [one.key for one in shown] == ["a", "b", "c"]
        return counted

    before = steps()
    grow(database, held, "a", 10_000)
    with database.index() as connection:
        objects.add(connection, version(held, "a"), ())
    # Pages may have split meanwhile; ten thousand rows would be tens of thousands of steps.
    assert steps() <= before + 100
