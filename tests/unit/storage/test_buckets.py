"""Buckets: one of each name, changed with a mark, removed when they are empty."""

from functools import partial

import pytest

from kms_server.storage import buckets, objects, uploads
from kms_server.storage.buckets import Bucket, BucketGone
from kms_server.storage.database import Database, changed_since, latest_change
from tests.unit.side_by_side import side_by_side
from tests.unit.storage.object_rows import bucket, marker, stored_bucket, upload, version
from tests.unit.storage.storage_rows import ACCOUNT, OTHER_ACCOUNT


def test_a_bucket_is_found_by_name_and_id(database: Database) -> None:
    made = stored_bucket(database, "photos", versioning="Enabled", policy="{}", tags="Ω")
    other = stored_bucket(database, "photos2")
    with database.read() as connection:
        assert buckets.get(connection, "photos") == made == buckets.by_id(connection, made.bucket_id)
        assert buckets.get(connection, "photos2") == other
        assert buckets.get(connection, "photo") is buckets.by_id(connection, "photos") is None


def test_a_name_is_taken_once_whoever_asks(database: Database) -> None:
    made = stored_bucket(database)
    with database.write() as tx:
        assert not buckets.add(tx, bucket(account=OTHER_ACCOUNT))
    with database.read() as connection:
        assert buckets.get(connection, "photos") == made


def test_a_change_holds_and_is_marked(database: Database) -> None:
    made = stored_bucket(database)
    with database.read() as connection:
        before = latest_change(connection)
    with database.write() as tx:
        buckets.change(tx, made, versioning="Suspended", encryption="{}")
    with database.read() as connection:
        assert changed_since(connection, before) == ["bucket:photos"]
        found = buckets.get(connection, "photos")
        assert found is not None
        assert (found.versioning, found.encryption, found.policy) == ("Suspended", "{}", None)


def test_buckets_of_an_account_come_in_pages(database: Database) -> None:
    for name in ("b", "a-2", "a-1", "a.3", "A"):
        stored_bucket(database, name)
    stored_bucket(database, "a-0", account=OTHER_ACCOUNT)

    def names(prefix: str = "", after: str = "", limit: int = 9) -> list[str]:
        with database.read() as connection:
            return [one.name for one in buckets.of_account(connection, ACCOUNT, prefix, after, limit)]

    assert names() == ["A", "a-1", "a-2", "a.3", "b"]
    assert names("a") == ["a-1", "a-2", "a.3"]
    assert names("a-", "a-1") == ["a-2"]
    assert names(after="a-1", limit=2) == ["a-2", "a.3"]
    assert names("b", "c") == []
    with database.read() as connection:
        assert buckets.count(connection, ACCOUNT) == 5
        assert buckets.count(connection, "555566667777") == 0


def test_a_bucket_goes_when_it_holds_nothing(database: Database) -> None:
    made = stored_bucket(database)
    begun = upload(made)
    with database.index() as connection:
        hidden = objects.add(connection, marker(made), ())
        uploads.add(connection, begun)

    def gone() -> bool:
        with database.write() as tx:
            return buckets.remove(tx, made)

    assert not gone()
    with database.index() as connection:
        assert objects.remove(connection, hidden)
    assert not gone()
    with database.index() as connection:
        uploads.abort(connection, begun)
    assert gone()
    assert not gone()
    with database.read() as connection:
        assert buckets.get(connection, "photos") is None


def test_nothing_comes_into_a_bucket_that_went(database: Database) -> None:
    made = bucket()
    with pytest.raises(BucketGone), database.index() as connection:
        objects.add(connection, version(made), ())
    with pytest.raises(BucketGone), database.index() as connection:
        objects.lock(connection, made.bucket_id, "a")
    with pytest.raises(BucketGone), database.index() as connection:
        uploads.add(connection, upload(made))


def test_a_first_object_and_the_end_of_its_bucket_exclude_each_other(database: Database) -> None:
    for turn in range(20):
        made = stored_bucket(database, f"b{turn}")
        told: dict[str, bool] = {}
        side_by_side(2, partial(put_or_remove, database, made, told))
        assert told["put"] is not told["removed"]


def put_or_remove(database: Database, held: Bucket, told: dict[str, bool], number: int) -> None:
    if number:
        with database.write() as tx:
            told["removed"] = buckets.remove(tx, held)
        return
    try:
        with database.index() as connection:
            objects.add(connection, version(held), ())
        told["put"] = True
    except BucketGone:
        told["put"] = False
