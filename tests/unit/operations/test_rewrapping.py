"""Batches that wrap everything anew: each may be the last, and what others change meanwhile stays."""

import os
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from kms_server.audit import chain_key
from kms_server.audit.signing import SigningKeys
from kms_server.keyring import access_keys, token_key
from kms_server.keyring.usable_key import open_material
from kms_server.keys.key import EXTERNAL, KmsKey
from kms_server.operations import material, rewrapping
from kms_server.root_keys.memory import MemoryRootKey
from kms_server.root_keys.ring import RootKeys, prefix_of
from kms_server.storage import access_keys as stored_access_keys
from kms_server.storage import keys, root_versions
from kms_server.storage.database import Database
from kms_server.storage.root_versions import RootState, RootVersion
from kms_server.storage.tables import backing_keys
from tests.unit.storage import storage_rows

ACCOUNT, NOW = "000000000000", 1_000.0


class Scene:
    """Secrets of every kind under version 1, and version 2 in use."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.old = RootKeys([MemoryRootKey(b"1" * 32, 1)], 1)
        self.root = RootKeys([MemoryRootKey(b"1" * 32, 1), MemoryRootKey(b"2" * 32, 2)], 2)
        with database.write() as tx:
            root_versions.begin(tx, RootVersion(1, RootState.CURRENT, "f" * 64, None, prefix_of(1)))
        self.keys = [self._key() for _ in range(5)]
        with database.write() as tx:
            self.access, self.secret = access_keys.create(tx, self.old, ACCOUNT, None, NOW)
        chain = chain_key.obtain(database, self.old)
        self.tag = chain.tag(b"", b"x")
        token_key.obtain(database, self.old)
        SigningKeys(database, self.old, chain).current(NOW)
        with database.write() as tx:
            root_versions.announce(tx, RootVersion(2, RootState.ANNOUNCED, "2" * 64, None))
            root_versions.activate(tx, prefix_of(2), NOW)

    def _key(self) -> tuple[KmsKey, bytes]:
        key, secret = storage_rows.key(origin=EXTERNAL), os.urandom(32)
        version = material.first(key, self.old, secret)
        told = material.fingerprint(key, self.old, version.material_id, secret)
        with self.database.write() as tx:
            keys.add(tx, key, [replace(version, fingerprint=told)])
        return key, secret

    def left(self, version: int = 1) -> dict[str, int]:
        with self.database.read() as connection:
            return rewrapping.counts(connection, version)

    def check(self, root: RootKeys) -> None:
        """Everything opens under `root`, and is what it was."""
        with self.database.read() as connection:
            for key, secret in self.keys:
                (version,) = keys.get_backing_keys(connection, key)
                assert open_material(key, version, root) == secret
                assert material.is_same(key, root, version, secret)
            access = stored_access_keys.get(connection, self.access.access_key_id)
        assert access is not None
        assert access_keys.opened(root, access) == self.secret
        chain = chain_key.obtain(self.database, root)
        assert chain.tag(b"", b"x") == self.tag
        token_key.obtain(self.database, root)
        SigningKeys(self.database, root, chain).current(NOW)


@pytest.fixture
def scene(database: Database) -> Scene:
    return Scene(database)


def test_all_kinds_are_wrapped_anew_and_the_former_version_is_needed_no_more(scene: Scene) -> None:
    before = scene.left()
    assert list(before.values()) == [5, 5, 1, 1, 2]
    batches = list(rewrapping.rewrap(scene.database, scene.root, 1, size=2))
    assert [batch.rewrapped for batch in batches] == [2, 2, 1, 2, 2, 1, 1, 1, 2]
    assert (set(scene.left().values()), scene.left(2)) == ({0}, before)
    scene.check(RootKeys([MemoryRootKey(b"2" * 32, 2)], 2))


def test_whoever_comes_next_goes_on(scene: Scene) -> None:
    for _ in range(12):  # each does one batch and is gone
        next(rewrapping.rewrap(scene.database, scene.root, 1, size=2), None)
        scene.check(scene.root)
    assert set(scene.left().values()) == {0}


def test_what_changes_between_reading_and_writing_stays(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = scene.keys[0]
    fresh = material.first(key, scene.old, b"newer".ljust(32)).wrapped
    real = RootKeys.wrap

    def change_first(root: RootKeys, *arguments: Any) -> bytes:
        monkeypatch.setattr(RootKeys, "wrap", real)
        with scene.database.write() as tx:
            change = update(backing_keys).where(backing_keys.c.key_id == key.key_id).values(wrapped=fresh)
            tx.connection.execute(change)
        return real(root, *arguments)

    monkeypatch.setattr(RootKeys, "wrap", change_first)
    first = next(rewrapping.rewrap(scene.database, scene.root, 1, size=5))
    assert (first.rewrapped, scene.left()["key material"]) == (4, 1)
    with scene.database.read() as connection:
        kept = select(backing_keys.c.wrapped).where(backing_keys.c.key_id == key.key_id)
        assert connection.execute(kept).scalar_one() == fresh


def test_what_does_not_open_is_named_and_passed_over(scene: Scene) -> None:
    key, _ = scene.keys[2]
    with scene.database.write() as tx:
        damage = update(backing_keys).where(backing_keys.c.key_id == key.key_id)
        tx.connection.execute(damage.values(wrapped=prefix_of(1) + bytes(60)))
    batches = list(rewrapping.rewrap(scene.database, scene.root, 1, size=2))
    (damaged,) = [one for batch in batches for one in batch.damaged]
    assert damaged.startswith("key material ")
    assert sum(scene.left().values()) == 1


def test_the_database_keeps_a_version_that_is_needed_and_refuses_what_is_under_another(scene: Scene) -> None:
    with pytest.raises(IntegrityError), scene.database.write() as tx:
        root_versions.retire(tx, NOW)
    list(rewrapping.rewrap(scene.database, scene.root, 1))
    with scene.database.write() as tx:
        root_versions.retire(tx, NOW)
    for late in (scene.old, RootKeys([MemoryRootKey(bytes(32), 3)], 3)):
        with pytest.raises(IntegrityError), scene.database.write() as tx:
            access_keys.create(tx, late, ACCOUNT, None, NOW)
