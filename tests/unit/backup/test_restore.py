"""Backups of both databases restored to both: everything is there, the log verifies, and the restore stands in it."""

import base64
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import inspect

from kms_server.audit.record import Row
from kms_server.audit.sealing import seal
from kms_server.backup.archive import ArchiveReader, ArchiveWriter
from kms_server.backup.protection import Identity, Recipient
from kms_server.backup.sealed_file import SealedReader, SealedWriter
from kms_server.backup.source import LABEL
from kms_server.cli.operator import opened
from kms_server.config import Settings
from kms_server.server.audit_trail import journals
from kms_server.server.state import State
from kms_server.storage import copy_text, dumping, migrate, schema_version, wrapped_secrets
from tests.audit_delivery import Delivering
from tests.audit_log_copies import LIMITS, LogCopy, errors, filled
from tests.backups import Vault, modes
from tests.databases import Place
from tests.functional.command_line import run
from tests.postgres_server import Postgres
from tests.unit.operations.service import Service

KINDS = ["sqlite", "postgresql"]
# Each restore takes half a second: what does not depend on the source is seen with one.
OF_ONE = pytest.mark.parametrize("source", ["sqlite"], indirect=True)
# What a restore changes itself: the log, the declaration, the counter of transactions, a checkpoint and its key.
CHANGED = {
    "audit_events",
    "audit_data_events",
    "audit_writers",
    "settings",
    "changes",
    "audit_checkpoints",
    "signing_keys",
}
CONTEXT = {"tab\t": "line\n\\N"}


class Source:
    """A server that does not run, its backup, and what it has sealed."""

    def __init__(self, directory: Path, postgres: Postgres | None) -> None:
        self.log = filled(directory, postgres)
        with self.log.service() as service:
            self.key = service.key(
                Description="tab\t, line\r\n and \\N \u00e9", Tags=[{"TagKey": "a", "TagValue": ""}]
            )["Arn"]
            service.ok("CreateAlias", AliasName="alias/kept", TargetKeyId=self.key)
            grantee = "arn:aws:iam::000000000000:root"
            service.ok("CreateGrant", KeyId=self.key, GranteePrincipal=grantee, Operations=["Encrypt"])
            service.user("reader", "111122223333")
            self.blobs = [
                service.ok("Encrypt", KeyId="alias/kept", Plaintext=b"%d" % number, EncryptionContext=CONTEXT)
                for number in range(15)
            ]
        with self.log.opened() as state:
            Delivering.begin(state)
        if postgres is None:
            seal(self.log.directory / "audit")
        self.root_key = ["--root-key", f"file:{self.log.directory / 'root.key'}"]
        self.vault = Vault(directory)
        self.backup = self.vault.make("a.backup", "--data-dir", str(self.log.directory), *self.url)

    @property
    def url(self) -> list[str]:
        return ["--database-url", self.log.settings.database_url] if self.log.settings.database_url else []


def server_of(kind: str, request: pytest.FixtureRequest) -> Postgres | None:
    return request.getfixturevalue("postgres") if kind == "postgresql" else None


@pytest.fixture(scope="module", params=KINDS)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("source"), server_of(request.param, request))


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Where a server is to be made."""
    postgres = server_of(request.param, request)
    url = postgres.new_database(uuid4().hex) if postgres else None
    return Settings(tmp_path / "new", database_url=url, quota_profile="unlimited", limits=LIMITS)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    """Where an embedded server is to be made."""
    return Settings(tmp_path / "new", quota_profile="unlimited", limits=LIMITS)


def options(place: Settings) -> list[str]:
    url = ["--database-url", place.database_url] if place.database_url else []
    return ["--data-dir", str(place.data_dir), *url]


def contents(state: State) -> dict[str, list[str]]:
    """All rows but those that a restore changes."""
    with state.database.read() as connection:
        there = set(inspect(connection).get_table_names())
        shapes = dumping.shapes()
        assert there == {one.name for one in shapes} | {"alembic_version"}
        return {
            shape.name: sorted(
                repr(row)
                for block in dumping.dump(connection, shape)
                for row in copy_text.decoded(block, shape.kinds)
            )
            for shape in shapes
            if shape.name not in CHANGED
        }


def rows(state: State) -> set[tuple[str, int, bytes | None, Row]]:
    """All chained rows of the log."""
    return {
        (writer, entry.seq, entry.link, entry.row)
        for journal in journals(state)
        for writer, head in journal.heads().items()
        for entry in journal.after(writer, 0, head.seq)
    }


def test_everything_is_there(source: Source, place: Settings) -> None:
    done = source.vault.restore(source.backup, *source.root_key, *options(place))
    assert done.returncode == 0, done.stderr
    assert modes(place.data_dir) == {("directory", 0o700), ("file", 0o600)}
    (place.data_dir / "root.key").write_bytes((source.log.directory / "root.key").read_bytes())
    (place.data_dir / "root.key").chmod(0o600)
    with opened(source.log.settings) as then, opened(place) as now:
        assert contents(now) == contents(then)
        added = rows(now) - rows(then)
        assert rows(then) <= rows(now)
        assert [row.event_name for *_, row in added] == ["RestoreBackup"]
        assert errors(now) == []
    # A server goes on: it numbers what it adds, and adopts what is open.
    (place.data_dir / "credentials.env").write_text((source.log.directory / "credentials.env").read_text())
    service = Service(place.data_dir, LIMITS, place.database_url)
    for number, blob in enumerate(source.blobs):
        told = service.ok("Decrypt", CiphertextBlob=blob["CiphertextBlob"], EncryptionContext=CONTEXT)
        assert told["Plaintext"] == b"%d" % number
    assert len(service.ok("ListGrants", KeyId=source.key)["Grants"]) == 1
    service.key()
    service.close()
    with opened(place) as now:
        assert errors(now) == []


@OF_ONE
def test_a_backup_from_a_newer_version(
    source: Source, elsewhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = schema_version.known()
    monkeypatch.setattr(schema_version, "known", lambda: known[:-1])
    done = source.vault.restore(source.backup, *source.root_key, *options(elsewhere))
    assert done.returncode == 2
    assert f"from a newer version (schema {known[-1]})" in done.stderr
    assert not elsewhere.data_dir.exists()


# What schema 0012 has put the version of the root key before.
WRAPPED = {
    ("backing_keys", "wrapped"), ("backing_keys", "fingerprint"), ("access_keys", "wrapped_secret"),
    ("signing_keys", "wrapped"),
}  # fmt: skip


def unversioned(name: str, columns: list[str], row: list[Any]) -> list[Any]:
    """A row as it was when there was one version of the root key."""
    return [
        value[5:] if (name, column) in WRAPPED and value is not None else value
        for column, value in zip(columns, row, strict=True)
    ]


def former_settings(state: State) -> list[list[str]]:
    """What the settings had until schema 0012."""
    with state.database.read() as connection:
        chain = wrapped_secrets.get(connection, wrapped_secrets.CHAIN_KEY)
    assert chain is not None
    fingerprint = state.root_key.fingerprint(state.root_key.current)
    assert fingerprint is not None
    return [["chain_key", base64.b64encode(chain[5:]).decode()], ["root_fingerprint", fingerprint]]


def aged(source: Source, schema: str, directory: Path, *, genuine: bool = True) -> Path:
    """The backup as a server of an older schema would have written it, or somebody who has the public key and the rows."""
    older, new = Place(directory, None).open(), directory / "older.backup"
    with older.engine.begin() as connection:
        migrate.build(connection, schema)
        columns = {
            name: {one["name"] for one in inspect(connection).get_columns(name)}
            for name in inspect(connection).get_table_names()
        }
    older.close()
    with source.log.opened() as state:
        former = former_settings(state)
    with source.backup.open("rb") as was, new.open("wb") as file:
        reader = SealedReader(was)
        reader.unlock(Identity.load((source.vault.directory / "private.pem").read_bytes(), "it"))
        public = (source.vault.directory / "public.pem").read_bytes()
        writer = SealedWriter(file, {**reader.header, "schema": schema}, Recipient.load(public, "it"))
        made = ArchiveWriter(writer, lambda _: None)
        for said, blocks in ArchiveReader(reader, lambda _: None).members():
            kept = [at for at, name in enumerate(said["columns"]) if name in columns.get(said["name"], ())]
            kinds, names = [said["kinds"][at] for at in kept], [said["columns"][at] for at in kept]
            rows = [
                [row[at] for at in kept]
                for block in blocks
                for row in copy_text.decoded(block, said["kinds"])
            ]
            if schema < "0012":
                rows = [unversioned(said["name"], names, row) for row in rows]
                rows += former if said["name"] == "settings" else []
            if kept:
                made.add({**said, "columns": names, "kinds": kinds}, copy_text.encoded(rows, kinds))
        with source.log.opened() as state:
            made.finish(partial(state.chain_key.tag, LABEL if genuine else b"another"))
    return new


@OF_ONE
def test_a_backup_of_an_older_schema(source: Source, place: Settings, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    older = aged(source, schema_version.known()[-2], tmp_path / "old")
    done = source.vault.restore(older, *source.root_key, *options(place))
    assert done.returncode == 0, done.stderr
    with opened(source.log.settings) as then, opened(replace(place, root_key=source.root_key[1])) as now:
        before, after = contents(then), contents(now)
        for name in ("root_versions", "wrapped_secrets"):  # migrations make them anew
            del before[name], after[name]
        assert after == before
        assert errors(now) == []


@OF_ONE
def test_a_backup_that_no_server_made(source: Source, place: Settings, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    forged = aged(source, schema_version.known()[-1], tmp_path / "old", genuine=False)
    done = source.vault.restore(forged, *source.root_key, *options(place))
    assert (done.returncode, "no server with this root key" in done.stderr) == (2, True), done.stderr
    assert not place.data_dir.exists()
    assert source.vault.restore(source.backup, *source.root_key, *options(place)).returncode == 0


@OF_ONE
def test_what_is_in_the_way(source: Source, place: Settings) -> None:
    vault, given = source.vault, [*source.root_key, *options(place)]
    without = vault.restore(source.backup, *options(place))
    assert "the root key is not in the backup" in without.stderr
    place.data_dir.mkdir()
    (place.data_dir / "kept").write_text("x")
    occupied = vault.restore(source.backup, *given)
    assert (occupied.returncode, "is not empty" in occupied.stderr) == (2, True)
    (place.data_dir / "kept").unlink()
    assert vault.restore(source.backup, *given).returncode == 0
    if place.database_url is not None:
        elsewhere = [
            "--data-dir",
            str(place.data_dir.with_name("other")),
            "--database-url",
            place.database_url,
        ]
        taken = vault.restore(source.backup, *source.root_key, *elsewhere)
        assert "has tables" in taken.stderr
    assert [one.name for one in place.data_dir.parent.iterdir()] == ["new"]


@OF_ONE
def test_the_root_key_in_it(source: Source, elsewhere: Settings) -> None:
    where = ["--data-dir", str(source.log.directory), *source.url]
    backup = source.vault.make(f"{elsewhere.data_dir.parent.name}.whole", "--with-root-key", *where)
    assert source.vault.restore(backup, *options(elsewhere)).returncode == 0
    with opened(elsewhere) as now:
        assert errors(now) == []


@OF_ONE
def test_the_root_key_in_it_is_from_where_it_has_moved_to(
    source: Source, elsewhere: Settings, tmp_path: Path
) -> None:
    """The file of the former root key is still there."""
    assert source.vault.restore(source.backup, *source.root_key, *options(elsewhere)).returncode == 0
    where = [*source.root_key, *options(elsewhere)]
    moved = run("root", "migrate", "--to", f"file:{tmp_path / 'moved.key'}", *where)
    assert moved.returncode == 0, moved.stderr
    backup = source.vault.make(f"{elsewhere.data_dir.parent.name}.moved", "--with-root-key", *where)
    third = Settings(tmp_path / "third")
    done = source.vault.restore(backup, "--data-dir", str(third.data_dir))
    assert done.returncode == 0, done.stderr
    with opened(third) as now:
        assert errors(now) == []


@OF_ONE
def test_a_directory_with_another_root_key(source: Source, elsewhere: Settings, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.write_text(f"kms-server-root-key 1 1 {'ab' * 32}\n")
    other.chmod(0o600)
    done = source.vault.restore(source.backup, "--root-key", f"file:{other}", *options(elsewhere))
    assert done.returncode == 2
    assert "is not the one of this backup" in done.stderr
    assert not elsewhere.data_dir.exists()


@OF_ONE
def test_a_backup_of_a_backup_is_the_same_server(tmp_path: Path, source: Source, elsewhere: Settings) -> None:
    """Two restores in a row declare both."""
    assert source.vault.restore(source.backup, *source.root_key, *options(elsewhere)).returncode == 0
    again = source.vault.make(f"{tmp_path.name}.again", *source.root_key, *options(elsewhere))
    second = Settings(tmp_path / "second")
    assert source.vault.restore(again, *source.root_key, *options(second)).returncode == 0
    copied = LogCopy(second.data_dir)
    (second.data_dir / "root.key").write_bytes((source.log.directory / "root.key").read_bytes())
    (second.data_dir / "root.key").chmod(0o600)
    assert copied.errors() == []
