"""Aliases, tags, limits, settings and events: the rules that the schema keeps, and the answers."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from kms_server.audit.record import columns_of
from kms_server.storage import aliases, audit_tables, keys, limits, settings, tags
from kms_server.storage.database import Database
from kms_server.storage.limits import SetLimit
from tests.unit.audit.audit_rows import put, row
from tests.unit.storage.storage_rows import (
    ACCOUNT,
    OTHER_ACCOUNT,
    REGION,
    alias,
    backing,
    key,
    stored_key,
)

LONGEST_ALIAS = "alias/" + "x" * 250
LONGEST_REGION = "us-" + "x" * 26 + "-10"


def test_an_alias_is_unique_in_its_account_and_region(database: Database) -> None:
    one, other = stored_key(database).key_id, stored_key(database).key_id
    with database.write() as tx:
        aliases.add(tx, alias(one))
    with pytest.raises(IntegrityError), database.write() as tx:
        aliases.add(tx, alias(other))
    elsewhere = [
        alias(other, account=OTHER_ACCOUNT),
        alias(other, "alias/A"),
    ]
    with database.write() as tx:
        for another in elsewhere:
            aliases.add(tx, another)
    with database.read() as connection:
        assert aliases.get(connection, ACCOUNT, REGION, "alias/a") == alias(one)
        assert aliases.count_of_key(connection, other, REGION) == 2


def test_an_alias_names_a_key_that_exists(database: Database) -> None:
    made = alias(stored_key(database).key_id)
    with pytest.raises(IntegrityError), database.write() as tx:
        aliases.add(tx, alias("none"))
    with database.write() as tx:
        aliases.add(tx, made)
    with pytest.raises(IntegrityError), database.write() as tx:
        aliases.point(tx, made, "none", 2.0)


def test_an_alias_is_pointed_elsewhere_and_removed(database: Database) -> None:
    one, other = stored_key(database).key_id, stored_key(database).key_id
    with database.write() as tx:
        aliases.add(tx, alias(one))
        aliases.add(tx, alias(one, "alias/b"))
        aliases.point(tx, alias(one), other, 2.0)
        aliases.remove(tx, alias(one, "alias/b"))
    with database.read() as connection:
        assert aliases.of_key(connection, one, REGION) == []
        assert aliases.of_key(connection, other, REGION) == [alias(other, updated_at=2.0)]


def test_the_longest_alias_has_room_in_every_region(database: Database) -> None:
    made = stored_key(database, region=LONGEST_REGION)
    longest = alias(made.key_id, LONGEST_ALIAS, region=LONGEST_REGION)
    assert (len(longest.name), len(longest.region)) == (256, 32)
    with database.write() as tx:
        aliases.add(tx, longest)
        put(tx.connection, row(region=LONGEST_REGION, resource_1=longest.arn, resource_2=made.arn))
    with database.read() as connection:
        assert aliases.get(connection, ACCOUNT, LONGEST_REGION, LONGEST_ALIAS) == longest


def test_pages_of_aliases_are_in_order_of_names(database: Database) -> None:
    one, other = stored_key(database).key_id, stored_key(database).key_id
    names = ["alias/1", "alias/B", "alias/_", "alias/a"]
    with database.write() as tx:
        for name in reversed(names):
            aliases.add(tx, alias(other if name == "alias/B" else one, name))
    with database.read() as connection:
        everything = aliases.page(connection, ACCOUNT, REGION, "", 9)
        assert [found.name for found in everything] == names
        assert aliases.page(connection, ACCOUNT, REGION, "alias/B", 1) == [alias(one, "alias/_")]
        assert len(aliases.page_of_key(connection, one, REGION, "", 9)) == 3


def test_tags_replace_those_of_the_same_key(database: Database) -> None:
    one, other = stored_key(database), stored_key(database)
    with database.write() as tx:
        tags.put(tx, one, {"b": "1", "a": ""})
        tags.put(tx, other, {"b": "other"})
        tags.put(tx, one, {"b": "x" * 256, "x" * 128: "2"})
        tags.remove(tx, one, ["a", "absent"])
        tags.put(tx, one, {})
    with database.read() as connection:
        assert tags.of_key(connection, one) == {"b": "x" * 256, "x" * 128: "2"}
        assert tags.of_key(connection, other) == {"b": "other"}
    with pytest.raises(IntegrityError), database.write() as tx:
        tags.put(tx, key(), {"a": "b"})


def test_a_limit_is_positive_and_set_once_for_a_subject(database: Database) -> None:
    with database.write() as tx:
        limits.put(tx, SetLimit("a", 1.0, None))
        limits.put(tx, SetLimit("b", 0.5, 1.0))
        limits.put(tx, SetLimit("a", 2.0, 3.0))
    for wrong in (SetLimit("a", 0.0, None), SetLimit("a", -1.0, None), SetLimit("a", 1.0, 0.9)):
        with pytest.raises(IntegrityError), database.write() as tx:
            limits.put(tx, wrong)
    with database.write() as tx:
        assert limits.remove(tx, "b")
        assert not limits.remove(tx, "b")
        assert limits.all_limits(tx.connection) == {"a": SetLimit("a", 2.0, 3.0)}


def test_a_setting_has_one_value(database: Database) -> None:
    with database.write() as tx:
        assert settings.get(tx.connection, settings.MODE) is None
        settings.put(tx, settings.MODE, "dev")
        settings.put(tx, settings.MODE, "strict")
        assert settings.get(tx.connection, settings.MODE) == "strict"


def test_an_event_is_stored_once_and_commits_with_what_it_records(database: Database) -> None:
    one, made = row(username="Ω"), key()

    def add() -> None:
        with database.write() as tx:
            keys.add(tx, made, [backing()])
            put(tx.connection, one)

    with database.write() as tx:
        put(tx.connection, one)
    with pytest.raises(IntegrityError):
        add()
    with database.read() as connection:
        assert tuple(connection.execute(select(*columns_of(audit_tables.audit_events))).one()) == tuple(one)
        assert keys.get(connection, made.key_id, REGION) is None


def test_an_event_may_name_the_longest_access_key_of_aws(database: Database) -> None:
    with database.write() as tx:
        put(tx.connection, row(access_key_id="A" * 128))
