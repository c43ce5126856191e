"""Keys and their material: what the schema never lets happen, and what the verbs answer."""

from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from kms_server.keys.states import KeyState
from kms_server.storage import aliases, keys, tables, tags
from kms_server.storage.database import Database
from tests.unit.storage.storage_rows import (
    ACCOUNT,
    OTHER_ACCOUNT,
    REGION,
    alias,
    backing,
    key,
    stored_key,
)


def refused(database: Database, key_id: str, **fields: Any) -> None:
    """The schema refuses the change, by a constraint."""
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.change(tx, key_id, **fields)


def test_a_key_and_its_material_come_back_as_stored(database: Database) -> None:
    made, first, second = key(), backing(), backing(2)
    with database.write() as tx:
        keys.add(tx, made, first)
        keys.add_backing_key(tx, made.key_id, second)
    with database.read() as connection:
        assert keys.get(connection, made.key_id) == made
        former, current = keys.get_backing_keys(connection, made.key_id)
    assert (former.material_id, former.is_current, former.wrapped) == (first.material_id, False, b"\x00\xff")
    assert current == second


def test_one_version_is_current(database: Database) -> None:
    key_id = stored_key(database).key_id
    row = {"key_id": key_id, "number": 2, "is_current": True, "wrapped": b"", "created_at": 1.0}
    one_more = insert(tables.backing_keys).values(row | {"material_id": "m", "rotation_type": "AUTOMATIC"})
    with pytest.raises(IntegrityError), database.write() as tx:
        tx.connection.execute(one_more)
    with database.write() as tx:
        tx.connection.execute(one_more.values(is_current=False))
        tx.connection.execute(one_more.values(is_current=False, number=3, material_id="n"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 1},  # taken
        {"number": 2, "rotation_type": None},  # only the first has none
        {"number": 1, "rotation_type": "ON_DEMAND"},
    ],
)
def test_versions_are_numbered_and_only_the_first_was_not_rotated_in(
    database: Database, wrong: dict[str, Any]
) -> None:
    key_id = stored_key(database).key_id
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.add_backing_key(tx, key_id, backing(**wrong))
    with database.read() as connection:
        (kept,) = keys.get_backing_keys(connection, key_id)
    assert kept.is_current


def test_material_belongs_to_a_key_and_to_one_only(database: Database) -> None:
    key_id = stored_key(database).key_id
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.add_backing_key(tx, "none", backing())
    with database.read() as connection:
        (kept,) = keys.get_backing_keys(connection, key_id)
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.add(tx, key(), backing(material_id=kept.material_id))


def test_a_key_id_is_unique_across_accounts_and_regions(database: Database) -> None:
    key_id = stored_key(database).key_id
    elsewhere = key(key_id=key_id, account=OTHER_ACCOUNT, region="eu-central-1")
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.add(tx, elsewhere, backing())


def test_a_key_is_pending_deletion_exactly_when_it_has_a_date(database: Database) -> None:
    key_id = stored_key(database).key_id
    refused(database, key_id, state=KeyState.PENDING_DELETION)
    refused(database, key_id, deletion_date=9.0)
    with database.write() as tx:
        keys.change(tx, key_id, state=KeyState.PENDING_DELETION, deletion_date=9.0)
    refused(database, key_id, state=KeyState.DISABLED)
    refused(database, key_id, deletion_date=None)


def test_a_key_rotates_by_itself_exactly_when_its_turn_is_known(database: Database) -> None:
    key_id = stored_key(database).key_id
    refused(database, key_id, rotation_period_days=365)
    refused(database, key_id, next_rotation_at=9.0)
    with database.write() as tx:
        keys.change(tx, key_id, rotation_period_days=365, next_rotation_at=9.0)


def test_a_key_rotates_on_demand_25_times_at_most(database: Database) -> None:
    key_id = stored_key(database, on_demand_rotations=24).key_id
    with database.write() as tx:
        keys.change(tx, key_id, on_demand_rotations=tables.keys.c.on_demand_rotations + 1)
    refused(database, key_id, on_demand_rotations=tables.keys.c.on_demand_rotations + 1)
    refused(database, key_id, on_demand_rotations=-1)


@pytest.mark.parametrize("column", ["account", "region", "spec", "usage", "origin", "state", "policy"])
def test_a_key_has_all_its_properties(database: Database, column: str) -> None:
    refused(database, stored_key(database).key_id, **{column: None})


def test_a_deleted_key_takes_everything_with_it_but_its_id(database: Database) -> None:
    made, other = stored_key(database), stored_key(database)
    with database.write() as tx:
        for number, one in enumerate((made, other)):
            aliases.add(tx, alias(one.key_id, f"alias/{number}"))
            tags.put(tx, one.key_id, {"a": "b"})
        keys.remove(tx, made.key_id, 7.0)
    with database.read() as connection:
        assert keys.get(connection, made.key_id) is None
        assert keys.was_deleted(connection, made.key_id)
        assert not keys.was_deleted(connection, other.key_id)
        for table in (tables.keys, tables.backing_keys, tables.aliases, tables.tags):
            assert list(connection.execute(select(table.c.key_id)).scalars()) == [other.key_id]


def test_a_key_is_deleted_once(database: Database) -> None:
    key_id = stored_key(database).key_id
    with database.write() as tx:
        keys.remove(tx, key_id, 7.0)
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.remove(tx, key_id, 8.0)


def test_half_a_key_is_not_stored(database: Database) -> None:
    made = key()
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.add(tx, made, backing(2, rotation_type=None))
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(tables.keys)).scalar() == 0


def test_pages_go_through_the_keys_of_one_account_and_region(database: Database) -> None:
    mine = sorted(stored_key(database).key_id for _ in range(3))
    stored_key(database, account=OTHER_ACCOUNT)
    stored_key(database, region="eu-central-1")
    with database.read() as connection:
        assert keys.page(connection, ACCOUNT, REGION, "", 2) == mine[:2]
        assert keys.page(connection, ACCOUNT, REGION, mine[1], 2) == mine[2:]
        assert keys.count_customer_keys(connection, ACCOUNT, REGION) == 3


def test_keys_of_services_do_not_count_against_the_quota(database: Database) -> None:
    stored_key(database, manager="AWS")
    with database.read() as connection:
        assert keys.count_customer_keys(connection, ACCOUNT, REGION) == 0


def test_what_is_due_is_found_at_its_time(database: Database) -> None:
    pending = {"state": KeyState.PENDING_DELETION, "deletion_date": 10.0}
    rotating = {"rotation_period_days": 90, "next_rotation_at": 20.0}
    ids = [
        stored_key(database, **fields).key_id
        for fields in (pending, rotating, {"scheduled_rotation_at": 30.0})
    ]
    stored_key(database)
    stored_key(database, **rotating, state=KeyState.DISABLED)
    with database.read() as connection:
        for when, count in ((9.9, 0), (10.0, 1), (20.0, 2), (30.0, 3)):
            assert {one.key_id for one in keys.due(connection, when)} == set(ids[:count])
        assert keys.next_due(connection, 100.0) == 10.0
        assert keys.next_due(connection, 9.9) is None
