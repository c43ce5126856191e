"""Migrations keep what is there, run once, and leave a newer database alone."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command, op
from sqlalchemy import (
    Engine,
    select,
    text,
)

import kms_server
from kms_server.errors import OperatorError
from kms_server.keys.key import CURRENT, NON_CURRENT
from kms_server.storage import (
    access_keys,
    aliases,
    grants,
    identities,
    inline_policies,
    keys,
    migrate,
    schema_version,
    settings,
    tags,
)
from kms_server.storage.database import Database
from kms_server.storage.identities import Identity, Kind
from kms_server.storage.tables import grants as grants_table
from tests.databases import Place, empty
from tests.functional.command_line import run
from tests.postgres_server import Postgres
from tests.unit.storage.reflection import contents, shape

pytestmark = [
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index"),
    pytest.mark.filterwarnings("ignore:Computed default on"),
    pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index"),
]

ROOT = Path(kms_server.__file__).parent.parent
NEW = (
    "grants", "grant_counts", "key_ids", "identities", "inline_policies", "attachments", "memberships", "identity_tags",
    "oidc_providers", "buckets", "objects", "object_versions", "uploads", "parts", "doomed_blobs",
    "audit_data_events", "audit_writers", "audit_positions", "audit_checkpoints", "trails", "trail_tags", "trail_files",
    "trail_digests", "signing_keys", "quota_requests", "injected_faults", "key_counts", "root_holders", "wrapped_secrets",
)  # fmt: skip
OF_AWS = ("managed_policies", "managed_policy_versions")
UPGRADE = """
import sys
from kms_server.storage import migrate
from tests.functional.command_line import run
from tests.postgres_server import Postgres
from tests.databases import Place, migrated

place = Place.of(sys.argv[1:])
with migrate.lock(place.directory):
    migrated(place).close()
"""


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    """An empty database."""
    database = place.open()
    yield database.engine
    database.close()


def test_rows_of_the_first_schema_stay(engine: Engine) -> None:
    with engine.connect().execution_options(kms_write=True) as connection, connection.begin():
        command.upgrade(migrate._config(connection), "0001")
        connection.execute(text("INSERT INTO changes VALUES ('', 7), ('limits', 7)"))
        connection.execute(
            text(
                "INSERT INTO audit_events VALUES ('e', 'a', 'r', 'n', 's', true, 'u', 'AKIA', '1', '2', NULL, '{}')"
            )
        )
    before = contents(engine)
    with pytest.raises(OperatorError, match="kms-server migrate"):
        schema_version.require_current(engine)
    migrate.upgrade(engine)
    after = contents(engine)
    assert before.pop("deleted_keys") == before.pop("users") == []
    assert [len(after.pop(table)) for table in OF_AWS] == [3, 3]
    ((version, state, prefix, fingerprint, *_),) = after.pop("root_versions")
    assert (version, state, prefix, fingerprint) == (1, "current", b"\2\0\0\0\1", None)
    assert [after.pop(table) for table in NEW] == [[]] * len(NEW)
    before["audit_events"] = [(*row, None, None, None) for row in before["audit_events"]]
    assert after.pop("settings") == [
        (settings.SCHEMA_SERVES, schema_version.known()[-1]),
        *before.pop("settings"),
    ]
    assert after == before | {"alembic_version": [(schema_version.known()[-1],)]}


def test_keys_of_the_second_schema_stay(engine: Engine) -> None:
    with engine.connect().execution_options(kms_write=True) as connection, connection.begin():
        command.upgrade(migrate._config(connection), "0002")
        for statement in (
            "INSERT INTO deleted_keys VALUES ('gone', 5)",
            (
                "INSERT INTO keys VALUES ('k', '111122223333', 'eu-west-1', 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'AWS_KMS',"
                " 'CUSTOMER', 'Enabled', 'd', '{}', 1.5, NULL, 90, 7, 8, 3, NULL)"
            ),
            (
                "INSERT INTO backing_keys VALUES ('m1', 'k', 1, false, '1', 2.5, NULL),"
                " ('m2', 'k', 2, true, '2', 3.5, 'AUTOMATIC')"
            ),
            "INSERT INTO aliases VALUES ('111122223333', 'eu-west-1', 'alias/a', 'k', 1, 2)",
            "INSERT INTO tags VALUES ('k', 'a', 'b')",
        ):
            connection.execute(text(statement))
    migrate.upgrade(engine)
    with engine.connect() as connection:
        found = keys.get(connection, "k", "eu-west-1")
        assert found is not None
        assert (found.rotation_period_days, found.scheduled_rotation_at, found.primary_region) == (
            90,
            8,
            None,
        )
        first, second = keys.get_backing_keys(connection, found)
        assert (first.status, first.rotated_at, second.status, second.rotated_at) == (
            NON_CURRENT,
            None,
            CURRENT,
            3.5,
        )
        assert tags.of_key(connection, found) == {"a": "b"}
        assert [one.key_id for one in aliases.of_key(connection, "k", "eu-west-1")] == ["k"]
        assert keys.id_was_used(connection, "gone")
        assert keys.count_customer_keys(connection, "111122223333", "eu-west-1") == 1
        assert keys.due(connection, 7.0) == [("k", "eu-west-1")]


def _identities_of_the_third_schema(engine: Engine) -> None:
    with engine.connect().execution_options(kms_write=True) as connection, connection.begin():
        command.upgrade(migrate._config(connection), "0003")
        for statement in (
            "INSERT INTO accounts VALUES ('111122223333'), ('444455556666')",
            (
                "INSERT INTO users VALUES ('111122223333', 'Mira', 'AIDA1', '{\"p\": \"{}\", \"q\": \"{ }\"}', 1.5),"
                " ('111122223333', 'mira', 'AIDA2', '{}', 2.5), ('444455556666', 'Mira', 'AIDA3', '{}', 3.5)"
            ),
            (
                "INSERT INTO access_keys VALUES ('AKIA0', '111122223333', NULL, '0', 4.5),"
                " ('AKIA1', '111122223333', 'Mira', '1', 5.5), ('AKIA2', '111122223333', 'mira', '2', 6.5),"
                " ('AKIA3', '444455556666', 'Mira', '3', 7.5)"
            ),
            "INSERT INTO key_ids VALUES ('k', '111122223333', NULL)",
            (
                "INSERT INTO keys VALUES ('k', 'eu-west-1', '111122223333', 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT',"
                " 'AWS_KMS', 'CUSTOMER', 'Enabled', 'd', '{}', 1.5, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL)"
            ),
            (
                "INSERT INTO grants VALUES ('g', 'k', 'eu-west-1', 'n', 'arn:a', false, 'arn:b', false, '[\"Encrypt\"]',"
                " '{}', '111122223333', 8.5, 'r'), ('h', 'k', 'eu-west-1', NULL, 's', true, NULL, false, '[]', '{}',"
                " '111122223333', 9.5, NULL)"
            ),
        ):
            connection.exec_driver_sql(statement)


def test_identities_and_grants_of_the_third_schema_stay(engine: Engine) -> None:
    _identities_of_the_third_schema(engine)
    migrate.upgrade(engine)
    with engine.connect() as connection:
        mira = identities.get(connection, "111122223333", Kind.USER, "Mira")
        assert mira == Identity("AIDA1", "111122223333", Kind.USER, "Mira", "/", 1.5)
        assert inline_policies.of_owner(connection, mira) == {"p": "{}", "q": "{ }"}
        found = {key.access_key_id: key for key in access_keys.of_accounts(connection, None)}
        assert {key_id: (key.user_id, key.user_name, key.account) for key_id, key in found.items()} == {
            "AKIA0": (None, None, "111122223333"),
            "AKIA1": ("AIDA1", "Mira", "111122223333"),
            "AKIA2": ("AIDA2", "mira", "111122223333"),
            "AKIA3": ("AIDA3", "Mira", "444455556666"),
        }
        assert (found["AKIA3"].status, found["AKIA3"].created_at) == ("Active", 7.5)
        keys_of_grants = select(
            grants_table.c.grant_id, grants_table.c.grantee_key, grants_table.c.retiring_key
        )
        assert sorted(map(tuple, connection.execute(keys_of_grants))) == [
            ("g", "arn:a", "arn:b"),
            ("h", "s", None),
        ]
        kept = grants.get(connection, "g")
        assert kept is not None
        assert (kept.grantee.name, kept.operations, kept.request) == ("arn:a", ("Encrypt",), "r")
        key = keys.get(connection, "k", "eu-west-1")
        assert key is not None
        assert grants.count(connection, key) == 2


def test_users_whose_names_differ_in_case_alone_both_stay(engine: Engine) -> None:
    _identities_of_the_third_schema(engine)
    migrate.upgrade(engine)
    with engine.connect() as connection:
        for name, unique_id in (("Mira", "AIDA1"), ("mira", "AIDA2")):
            one = identities.get(connection, "111122223333", Kind.USER, name)
            assert one is not None
            assert one.unique_id == unique_id
        assert identities.name_is_taken(connection, "111122223333", Kind.USER, "MIRA")
        assert len(identities.page(connection, "111122223333", Kind.USER, "/", "", 9)) == 2


def test_limits_of_the_ninth_schema_stay(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the upgrade breaks off between the table's end and its new beginning."""
    with engine.connect().execution_options(kms_write=True) as connection, connection.begin():
        command.upgrade(migrate._config(connection), "0009")
        connection.execute(
            text(
                "INSERT INTO limits VALUES ('quota:000000000000:us-east-1:CreateKey', 0.1, NULL), ('key:k', 5, 7)"
            )
        )
    before = contents(engine)

    class Broken(Exception):
        pass

    def fail(*_: object) -> None:
        raise Broken

    with monkeypatch.context() as broken:
        broken.setattr(op, "bulk_insert", fail)
        with pytest.raises(Broken):
            migrate.upgrade(engine)
    assert contents(engine) == before
    migrate.upgrade(engine)
    assert contents(engine)["limits"] == before["limits"]


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    before = shape(database.engine), contents(database.engine)
    migrate.upgrade(database.engine)
    schema_version.require_current(database.engine)
    assert (shape(database.engine), contents(database.engine)) == before


def test_an_empty_database_is_not_current(engine: Engine) -> None:
    with pytest.raises(OperatorError, match="kms-server migrate"):
        schema_version.require_current(engine)


def _from_the_future(database: Database, serves: str = "9999") -> dict[str, list[Any]]:
    with database.write() as tx:
        tx.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        settings.put(tx, settings.SCHEMA_SERVES, serves)
    return contents(database.engine)


def test_a_newer_database_is_left_alone(database: Database) -> None:
    before = _from_the_future(database)
    for attempt in (migrate.upgrade, schema_version.require_current):
        with pytest.raises(OperatorError, match=r"newer version \(schema 9999\).*nothing was changed"):
            attempt(database.engine)
    assert contents(database.engine) == before


def test_a_newer_database_that_serves_this_program_is_used_as_it_is(database: Database) -> None:
    before = _from_the_future(database, schema_version.known()[-1])
    migrate.upgrade(database.engine)
    schema_version.require_current(database.engine)
    assert contents(database.engine) == before


def test_a_migration_lets_others_have_their_turn(postgres: Postgres, tmp_path: Path) -> None:
    """It would wait for a long reader, and all others for it."""
    database = empty(tmp_path / "database", postgres).open()
    with database.engine.begin() as connection:
        migrate.build(connection, "0010")
    with database.engine.connect() as reader, reader.begin():
        reader.execute(text("SELECT * FROM keys"))
        upgrading = threading.Thread(target=migrate.upgrade, args=(database.engine,))
        upgrading.start()
        longest = 0.0
        for _ in range(30):
            begun = time.monotonic()
            with database.engine.connect() as connection:
                connection.execute(text("SELECT * FROM keys"))
            longest = max(longest, time.monotonic() - begun)
            time.sleep(0.05)
        assert longest < 4
        assert upgrading.is_alive()
    upgrading.join()
    schema_version.require_current(database.engine)
    database.close()


def test_every_command_refuses_a_newer_database_in_one_line(database: Database, place: Place) -> None:
    before = _from_the_future(database)
    where = ["--data-dir", str(place.directory), *(("--database-url", place.url) if place.url else ())]
    for arguments in (
        ["serve", "--port", "0"],
        ["migrate"],
        ["quota", "list"],
        ["identity", "create-account", "111122223333"],
        ["audit", "query"],
        ["clock", "advance", "1h"],
    ):
        done = run(*arguments, *where)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
        assert "newer version (schema 9999): upgrade kms-server, nothing was changed" in done.stderr
    assert contents(database.engine) == before
    assert not (place.directory / "root.key").exists()


def test_servers_that_start_at_once_migrate_once(place: Place, engine: Engine, tmp_path: Path) -> None:
    hosts = [place] * 3
    if place.url:  # from hosts that share nothing else
        hosts = [Place(tmp_path / str(number), place.url) for number in range(3)]
    for host in hosts:
        host.directory.mkdir(exist_ok=True)
    started = [
        subprocess.Popen([sys.executable, "-c", UPGRADE, *host.arguments()], cwd=ROOT) for host in hosts
    ]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    schema_version.require_current(engine)
    assert contents(engine)["changes"] == [("", 0)]
