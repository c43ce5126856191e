"""Grants: which changes end the validity of what, and what a grantee holds."""

import secrets
from typing import Any

from kms_server.keys.grants import Grant, Party
from kms_server.keys.key import KmsKey
from kms_server.storage import grants, keys
from kms_server.storage.database import Database, changed_since, latest_change
from kms_server.storage.scopes import key_scope
from tests.unit.storage.storage_rows import ACCOUNT, stored_key

SERVICE = Party("s3.amazonaws.com", True, "s3.amazonaws.com")


def grant(key: KmsKey, grantee: str = "AIDA1", *operations: str, **constraints: Any) -> Grant:
    return Grant(
        secrets.token_hex(32), key.key_id, key.region, None, Party(f"arn-of-{grantee}", False, grantee), SERVICE,
        operations or ("Encrypt",), constraints, ACCOUNT, 1.5, None,
    )  # fmt: skip


def stored(database: Database, *made: Grant) -> None:
    with database.write() as tx:
        for one in made:
            grants.add(tx, one)


def changes(database: Database, since: int) -> set[str]:
    with database.read() as connection:
        return set(changed_since(connection, since))


def now(database: Database) -> int:
    with database.read() as connection:
        return latest_change(connection)


def held(database: Database, key: KmsKey, grantee: str, **of: Any) -> list[str]:
    with database.read() as connection:
        return sorted(
            one.grant_id for one in grants.of_grantee(connection, key.key_id, key.region, grantee, **of)
        )


def test_a_grant_comes_back_as_stored(database: Database) -> None:
    key = stored_key(database)
    made = grant(key, EncryptionContextEquals={"ä": '\u0100"'})
    stored(database, made)
    with database.read() as connection:
        assert grants.get(connection, made.grant_id) == made
        assert grants.get(connection, "0" * 64) is None


def test_a_grant_ends_what_is_known_of_its_grantee_alone(database: Database) -> None:
    key = stored_key(database)
    made = grant(key)
    scope = {grants.scope(key.key_id, key.region, "AIDA1")}
    before = now(database)
    stored(database, made)
    assert changes(database, before) == scope
    before = now(database)
    with database.write() as tx:
        grants.remove(tx, made)
    assert changes(database, before) == scope


def test_with_a_key_all_that_is_known_of_its_grantees_ends(database: Database) -> None:
    key, other = stored_key(database), stored_key(database)
    stored(database, grant(key), grant(key, "AIDA2"), grant(key, "AIDA2"), grant(other, "AIDA3"))
    before = now(database)
    with database.write() as tx:
        keys.remove(tx, key, 5.0)
    scopes = {grants.scope(key.key_id, key.region, grantee) for grantee in ("AIDA1", "AIDA2")}
    assert changes(database, before) == scopes | {key_scope(key.key_id, key.region)}


def test_some_grants_of_a_key_go_before_the_others(database: Database) -> None:
    key, other = stored_key(database), stored_key(database)
    made = sorted((grant(key, f"AIDA{number}") for number in range(3)), key=lambda one: one.grant_id)
    stored(database, *made, grant(other, "AIDA0"))
    before = now(database)
    with database.write() as tx:
        assert grants.remove_some(tx, key, 2) == 2
    assert changes(database, before) == {
        grants.scope(key.key_id, key.region, one.grantee.key) for one in made[:2]
    }
    with database.read() as connection:
        assert [grants.get(connection, one.grant_id) for one in made] == [None, None, made[2]]
        assert [grants.count(connection, one) for one in (key, other)] == [1, 1]
    with database.write() as tx:
        assert [grants.remove_some(tx, key, 2) for _ in range(2)] == [1, 0]


def test_what_a_grantee_holds(database: Database) -> None:
    key, other = stored_key(database), stored_key(database)
    one, same, bound = grant(key), grant(key), grant(key, SourceArn="arn")
    maker = grant(key, "AIDA1", "CreateGrant", "Decrypt")
    stored(database, one, same, bound, maker, grant(key, "AIDA2"), grant(other))
    first = min(one.grant_id, same.grant_id)
    assert held(database, key, "AIDA1") == sorted([first, bound.grant_id, maker.grant_id])
    assert held(database, key, "AIDA1", operation="CreateGrant") == [maker.grant_id]
    assert held(database, key, "AIDA1", operation="Create%") == []
    assert held(database, key, "nobody") == []


def test_how_many_there_are(database: Database) -> None:
    key, other = stored_key(database), stored_key(database)
    made = [grant(key, f"AIDA{number}") for number in range(3)]
    stored(database, *made)

    def counted(one: KmsKey) -> int:
        with database.read() as connection:
            return grants.count(connection, one)

    assert (counted(key), counted(other)) == (3, 0)
    with database.write() as tx:
        grants.remove(tx, made.pop())
    assert counted(key) == 2
