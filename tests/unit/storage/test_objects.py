"""Objects: versions of keys, each key's changes one after the other, listings by keyset."""

import dataclasses
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from kms_server.storage import blob_ledger, object_lists, object_upkeep, objects
from kms_server.storage.buckets import Bucket
from kms_server.storage.database import Database, changed_since, latest_change
from kms_server.storage.object_tables import object_versions
from kms_server.storage.object_tables import objects as heads
from kms_server.storage.object_tables import parts as parts_table
from kms_server.storage.objects import NULL, Part, Version
from tests.unit.side_by_side import side_by_side
from tests.unit.storage.object_rows import marker, part, stored_bucket, version


@pytest.fixture
def held(database: Database) -> Bucket:
    return stored_bucket(database)


def put(database: Database, new: Version, *parts: Part) -> Version:
    with database.index() as connection:
        return objects.add(connection, new, parts)


def gone(database: Database) -> set[str]:
    with database.read() as connection:
        return set(blob_ledger.doomed(connection, 99))


def current(database: Database, held: Bucket, key: str = "a") -> Version | None:
    with database.read() as connection:
        return objects.current(connection, held.bucket_id, key)


def test_a_version_comes_back_whole_with_its_parts(database: Database, held: Bucket) -> None:
    key = "Ω/\x00\U0001f600"
    sealed = version(
        held, key, "v1", etag=None, sealed_etag=b"s", storage_class="GLACIER", kind="AES256", key_arn="arn:k",
        material="m", headers='{"a":1}', tags="{}", checksum="SHA256/COMPOSITE", part_count=2, restored_until=9.5,
    )  # fmt: skip
    two = part(2, etag="e", details=b"\x00d")
    one = part(1, inline=b"\x00i")
    stored = put(database, sealed, two, one)
    assert stored == dataclasses.replace(sealed, number=stored.number)
    with database.read() as connection:
        assert objects.current(connection, held.bucket_id, key) == stored
        assert objects.version(connection, held.bucket_id, key, "v1") == stored
        assert objects.version(connection, held.bucket_id, key, "v2") is None
        assert objects.parts(connection, stored.number) == [one, two]
        assert objects.newest(connection, held.bucket_id, key) == stored.number
        assert objects.newest(connection, held.bucket_id, "b") is None


def test_changes_of_objects_are_nobodys_news(database: Database, held: Bucket) -> None:
    with database.read() as connection:
        before = latest_change(connection)
    generation = database.generation.counter[0]
    put(database, version(held))
    with database.read() as connection:
        assert (latest_change(connection), changed_since(connection, before)) == (before, [])
    assert database.generation.counter[0] == generation


def test_a_failed_transaction_leaves_nothing(database: Database, held: Bucket) -> None:
    def fail() -> None:
        with database.index() as connection:
            objects.add(connection, version(held), [part()])
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert current(database, held) is None


def test_a_null_version_takes_the_place_of_the_one_before(database: Database, held: Bucket) -> None:
    blob, inline, kept = part(), part(2, inline=b"i"), part()
    first = put(database, version(held), blob, inline)
    named = put(database, version(held, "a", "v1"), kept)
    second = put(database, version(held))
    assert current(database, held) == second
    assert first.number < named.number < second.number
    with database.read() as connection:
        assert objects.parts(connection, first.number) == []
        assert objects.version(connection, held.bucket_id, "a", NULL) == second
        assert objects.parts(connection, named.number) == [kept]
    assert gone(database) == {blob.blob_id}


def test_the_next_newest_follows_a_version_that_goes(database: Database, held: Bucket) -> None:
    blobs = [part() for _ in range(3)]
    old, middle = (put(database, version(held, "a", f"v{n}"), blobs[n]) for n in range(2))
    hidden = put(database, marker(held, "a", "v2"))
    assert current(database, held) == hidden
    for removed, follows in ((old, hidden), (hidden, middle), (middle, None)):
        with database.index() as connection:
            assert objects.remove(connection, removed)
        assert current(database, held) == follows
        with database.index() as connection:
            assert not objects.remove(connection, removed)
        assert current(database, held) == follows
    assert gone(database) == {blobs[0].blob_id, blobs[1].blob_id}
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(heads)).scalar_one() == 0


def test_a_number_never_comes_twice(database: Database, held: Bucket) -> None:
    first = put(database, version(held))
    with database.index() as connection:
        objects.remove(connection, first)
    assert put(database, version(held)).number > first.number


def test_columns_change_and_envelopes_only_from_what_was_read(database: Database, held: Bucket) -> None:
    stored = put(database, version(held))
    with database.index() as connection:
        assert objects.change(connection, stored, tags="{}", restored_until=5.0)
        assert object_upkeep.replace_envelope(
            connection, stored, envelope=b"new", manifest=b"m2", key_arn="arn:2"
        )
        assert not object_upkeep.replace_envelope(connection, stored, envelope=b"late")
    found = current(database, held)
    assert found == dataclasses.replace(
        stored, tags="{}", restored_until=5.0, envelope=b"new", manifest=b"m2", key_arn="arn:2"
    )
    assert found is not None
    with database.index() as connection:
        objects.remove(connection, found)
        assert not objects.change(connection, found, tags=None)
        assert not object_upkeep.replace_envelope(connection, found, envelope=b"")


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": None},
        {"number": 0},
        {"number": 10_001},
        {"version": 999_999},
        {"upload_id": "u"},
    ],
)
def test_a_part_belongs_to_one_version_or_upload(database: Database, held: Bucket, wrong: Any) -> None:
    stored = put(database, version(held))
    values = objects.values_of(part(1)) | {"version": stored.number} | wrong
    with pytest.raises(IntegrityError), database.index() as connection:
        connection.execute(insert(parts_table).values(values))


def test_ids_come_once(database: Database, held: Bucket) -> None:
    used = part()
    stored = put(database, version(held), used)
    for again, parts in ((version(held, "b", object_id=stored.object_id), ()), (version(held, "b"), (used,))):
        with pytest.raises(IntegrityError), database.index() as connection:
            objects.add(connection, again, parts)
    values = objects.values_of(version(held)) | {"number": stored.number + 1}
    with pytest.raises(IntegrityError), database.index() as connection:
        connection.execute(insert(object_versions).values(values))


@pytest.mark.parametrize("there", [False, True])
def test_of_those_who_make_a_key_only_when_it_is_new_one_does(
    database: Database, held: Bucket, there: bool
) -> None:
    before = put(database, version(held)) if there else None
    made: list[Version] = []

    def make(_: int) -> None:
        for _ in range(5):
            with database.index() as connection:
                seen = objects.lock(connection, held.bucket_id, "a")
                time.sleep(0.002)
                if seen == before:
                    made.append(objects.add(connection, version(held), [part()]))

    side_by_side(6, make)
    assert len(made) == 1
    assert current(database, held) == made[0]


def test_the_lock_of_a_key_that_stays_new_leaves_nothing(database: Database, held: Bucket) -> None:
    with database.index() as connection:
        assert objects.lock(connection, held.bucket_id, "a") is None
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(heads)).scalar_one() == 0


def test_writers_of_one_key_lose_no_blob(database: Database, held: Bucket) -> None:
    written: list[str] = []

    def write(number: int) -> None:
        for turn in range(10):
            blob = part()
            with database.index() as connection:
                if (number + turn) % 4 == 0:
                    found = objects.lock(connection, held.bucket_id, "a")
                    if found:
                        objects.remove(connection, found)
                else:
                    name = NULL if turn % 2 else f"{number}-{turn}"
                    objects.add(connection, version(held, "a", name), [blob])
                    written.append(blob.blob_id)

    side_by_side(6, write)
    with database.read() as connection:
        versions = object_lists.list_versions(connection, held.bucket_id, b"", None, None, 999)
        living = [one.blob_id for version in versions for one in objects.parts(connection, version.number)]
        assert objects.newest(connection, held.bucket_id, "a") == max(one.number for one in versions)
    assert sorted(living + sorted(gone(database))) == sorted(written)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    actions=st.lists(
        st.tuples(st.sampled_from(["put", "mark", "remove"]), st.sampled_from("ab"), st.sampled_from([NULL, "1", "2"])),
        max_size=12,
    )
)  # fmt: skip
def test_versions_are_as_a_plain_model_has_them(
    database: Database, actions: list[tuple[str, str, str]]
) -> None:
    with database.read() as connection:
        count = connection.execute(select(func.count()).select_from(heads)).scalar_one()
    held = stored_bucket(database, f"b{time.monotonic_ns()}-{count}")
    model: dict[str, list[Version]] = {"a": [], "b": []}
    for what, key, name in actions:
        there = next((one for one in model[key] if one.version_id == name), None)
        with database.index() as connection:
            if what == "remove":
                if there:
                    assert objects.remove(connection, there)
            elif there is None or name == NULL:
                made = marker(held, key, name) if what == "mark" else version(held, key, name)
                model[key].append(objects.add(connection, made, ()))
        if there and (what == "remove" or name == NULL):
            model[key].remove(there)
    with database.read() as connection:
        for key, versions in model.items():
            assert objects.current(connection, held.bucket_id, key) == (versions[-1] if versions else None)
        listed = object_lists.list_versions(connection, held.bucket_id, b"", None, None, 99)
        shown = object_lists.list_current(connection, held.bucket_id, b"", None, 99)
    assert [one.number for one in listed] == [one.number for key in "ab" for one in reversed(model[key])]
    newest = [versions[-1] for versions in model.values() if versions]
    assert [one.number for one in shown] == [one.number for one in newest if not one.is_marker]
