"""Keys and their material: what the schema never lets happen, and what the verbs answer."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from kms_server.keys.key import CURRENT, NON_CURRENT, PENDING_MULTI_REGION, PENDING_ROTATION, KmsKey
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


def refused(database: Database, made: KmsKey, **fields: Any) -> None:
    """The schema refuses the change, by a constraint."""
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.change(tx, made, **fields)


def test_a_key_and_its_material_come_back_as_stored(database: Database) -> None:
    made, first, second = key(), backing(), backing(2)
    with database.write() as tx:
        keys.add(tx, made, [first])
        keys.add_backing_key(tx, made, second)
    with database.read() as connection:
        assert keys.get(connection, made.key_id, REGION) == made
        former, current = keys.get_backing_keys(connection, made)
    assert (former.material_id, former.status, former.wrapped) == (
        first.material_id,
        NON_CURRENT,
        b"\2\0\0\0\1\x00\xff",
    )
    assert current == second


def test_one_version_is_current(database: Database) -> None:
    made = stored_key(database)
    row = {"key_id": made.key_id, "region": REGION, "number": 2, "status": CURRENT, "wrapped": None, "created_at": 1.0,
           "material_id": "m", "rotation_type": "AUTOMATIC", "rotated_at": 1.0}  # fmt: skip
    one_more = insert(tables.backing_keys).values(row)
    with pytest.raises(IntegrityError), database.write() as tx:
        tx.connection.execute(one_more)
    with database.write() as tx:
        tx.connection.execute(one_more.values(status=NON_CURRENT))
        tx.connection.execute(one_more.values(status=NON_CURRENT, number=3, material_id="n"))


def test_one_version_awaits_its_rotation(database: Database) -> None:
    made = stored_key(database)
    waiting = {"status": PENDING_ROTATION, "rotation_type": None, "rotated_at": None}
    with database.write() as tx:
        keys.add_backing_key(tx, made, backing(2, **waiting))
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.add_backing_key(tx, made, backing(3, **waiting | {"status": PENDING_MULTI_REGION}))
    with database.read() as connection:
        first, second = keys.get_backing_keys(connection, made)
    with database.write() as tx:
        keys.promote(tx, made, second.material_id, 7.0, "ON_DEMAND")
    with database.read() as connection:
        former, current = keys.get_backing_keys(connection, made)
    assert (former.material_id, former.status) == (first.material_id, NON_CURRENT)
    assert (current.status, current.rotated_at, current.rotation_type) == (CURRENT, 7.0, "ON_DEMAND")


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 1},  # taken
        {"number": 2, "rotation_type": None, "rotated_at": None},  # only the first has none
        {"number": 2, "rotated_at": None},
        {"number": 1, "rotation_type": "ON_DEMAND", "rotated_at": 1.0},
    ],
)
def test_versions_are_numbered_and_only_the_first_was_not_rotated_in(
    database: Database, wrong: dict[str, Any]
) -> None:
    made = stored_key(database)
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.add_backing_key(tx, made, backing(**wrong))
    with database.read() as connection:
        (kept,) = keys.get_backing_keys(connection, made)
    assert kept.status == CURRENT


def test_material_belongs_to_a_key_and_to_one_only(database: Database) -> None:
    made = stored_key(database)
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.add_backing_key(tx, key(), backing())
    with database.read() as connection:
        (kept,) = keys.get_backing_keys(connection, made)
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.add(tx, key(), [backing(material_id=kept.material_id)])


@pytest.mark.parametrize("account", [ACCOUNT, OTHER_ACCOUNT])
def test_a_key_id_is_unique_across_accounts_and_regions(database: Database, account: str) -> None:
    elsewhere = key(key_id=stored_key(database).key_id, account=account, region="eu-central-1")
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.add(tx, elsewhere, [backing()])
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.add(tx, replace(elsewhere, primary_region=REGION), [backing()])


def test_members_of_a_multi_region_key_share_their_id_within_an_account(database: Database) -> None:
    primary = stored_key(database, key_id=f"mrk-{'0' * 32}", primary_region=REGION)
    replica = replace(primary, region="eu-central-1")
    with database.write() as tx:
        keys.add(tx, replica, [backing()])
    with database.read() as connection:
        assert keys.regions(connection, primary.key_id) == ["eu-central-1", REGION]
        assert keys.members(connection, primary.key_id) == [replica, primary]
    stolen = key(key_id=primary.key_id, account=OTHER_ACCOUNT, region="eu-west-1", primary_region=REGION)
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.add(tx, stolen, [backing()])
    refused(database, primary, primary_region=None)


def test_a_key_is_pending_deletion_exactly_when_it_has_a_date(database: Database) -> None:
    made = stored_key(database)
    refused(database, made, state=KeyState.PENDING_DELETION)
    refused(database, made, deletion_date=9.0)
    with database.write() as tx:
        keys.change(tx, made, state=KeyState.PENDING_DELETION, deletion_date=9.0)
    refused(database, made, state=KeyState.DISABLED)
    refused(database, made, deletion_date=None)


def test_a_key_rotates_by_itself_exactly_when_its_turn_is_known(database: Database) -> None:
    made = stored_key(database)
    refused(database, made, rotation_period_days=365)
    refused(database, made, next_rotation_at=9.0)
    with database.write() as tx:
        keys.change(tx, made, rotation_period_days=365, next_rotation_at=9.0)


def test_a_key_rotates_on_demand_25_times_at_most(database: Database) -> None:
    made = stored_key(database, on_demand_rotations=24)
    with database.write() as tx:
        keys.change(tx, made, on_demand_rotations=tables.keys.c.on_demand_rotations + 1)
    refused(database, made, on_demand_rotations=tables.keys.c.on_demand_rotations + 1)
    refused(database, made, on_demand_rotations=-1)


@pytest.mark.parametrize("column", ["account", "region", "spec", "usage", "origin", "state", "policy"])
def test_a_key_has_all_its_properties(database: Database, column: str) -> None:
    refused(database, stored_key(database), **{column: None})


def test_a_deleted_key_takes_everything_with_it_but_its_id(database: Database) -> None:
    made, other = stored_key(database), stored_key(database)
    with database.write() as tx:
        for number, one in enumerate((made, other)):
            aliases.add(tx, alias(one.key_id, f"alias/{number}"))
            tags.put(tx, one, {"a": "b"})
        keys.remove(tx, made, 7.0)
    with database.read() as connection:
        assert keys.get(connection, made.key_id, REGION) is None
        assert keys.id_was_used(connection, made.key_id)
        assert not keys.id_was_used(connection, key().key_id)
        for table in (tables.keys, tables.backing_keys, tables.aliases, tables.tags):
            assert list(connection.execute(select(table.c.key_id)).scalars()) == [other.key_id]


def test_half_a_key_is_not_stored(database: Database) -> None:
    made = key()
    with pytest.raises(IntegrityError), database.write() as tx:
        keys.add(tx, made, [backing(2, rotation_type=None)])
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
            assert {key_id for key_id, _ in keys.due(connection, when)} == set(ids[:count])
        assert keys.next_due(connection, 100.0) == 10.0
        assert keys.next_due(connection, 9.9) is None
