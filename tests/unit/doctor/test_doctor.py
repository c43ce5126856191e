"""Each fault is named by its check, and by no other."""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch
from uuid import uuid4

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kms_server.cli.operator import change
from kms_server.config import DEFAULT_ACCOUNT, Limits, Settings
from kms_server.doctor import host, sntp
from kms_server.doctor.checks import CHECKS, Outcome, run
from kms_server.doctor.deployment import Deployment, examined
from kms_server.files import only_server
from kms_server.storage import schema_version, trail_files, trails
from kms_server.storage.trail_files import TrailFile
from tests.audit_delivery import Delivering
from tests.audit_log_copies import LogCopy, filled
from tests.backups import tree
from tests.faults.false_clock import false_clock
from tests.faults.own_disk import own_disk
from tests.functional.command_line import clean_environment
from tests.functional.command_line import run as command
from tests.postgres_server import Postgres
from tests.redis_server import RedisServer, running
from tests.unit.doctor.sntp_server import time_server


class Usage(NamedTuple):
    """Of a disk."""

    total: int
    used: int
    free: int


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> LogCopy:
    return filled(tmp_path_factory.mktemp("healthy"), None)


@pytest.fixture
def sick(healthy: LogCopy) -> LogCopy:
    """A copy to plant a fault in."""
    return healthy.copy()


@pytest.fixture(autouse=True)
def no_core_dumps() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def outcomes(settings: Settings, ntp_server: str | None = None) -> list[Outcome]:
    with examined(settings, ntp_server) as deployment:
        return list(run(deployment))


def found(settings: Settings, ntp_server: str | None = None) -> dict[str, str]:
    """What is wrong, by check."""
    return {
        one.check: " ".join(finding.what for finding in one.findings)
        for one in outcomes(settings, ntp_server)
        if one.findings
    }


def test_nothing_is_wrong_and_nothing_changes(sick: LogCopy) -> None:
    before = tree(sick.directory)
    assert found(sick.settings) == {}
    assert tree(sick.directory) == before
    assert {one.check for one in outcomes(sick.settings)} == set(CHECKS)


def test_beside_a_server(sick: LogCopy) -> None:
    with only_server(sick.directory / "state" / "server.lock"), sick.service():
        assert found(sick.settings) == {}
        with examined(sick.settings) as deployment:
            assert deployment.server_pid() == os.getpid()
    with examined(sick.settings) as deployment:
        assert deployment.server_pid() is None


def spoil_key(log: LogCopy) -> None:
    (log.directory / "root.key").write_text(f"kms-server-root-key 1 1 {'ab' * 32}\n")


def spoil_segment(log: LogCopy) -> None:
    segment = next((log.directory / "audit").glob("*.db"))
    segment.write_bytes(b"x" * 8192)
    segment.with_suffix(".sealed").unlink(missing_ok=True)


def fail_delivery(log: LogCopy) -> None:
    with log.opened() as state:
        delivering = Delivering.begin(state)
        with state.database.write() as tx:
            trails.change(tx, delivering.trail.trail_id, delivery_error="AccessDenied")


def let_checkpoints_age(log: LogCopy) -> None:
    with log.opened() as state, change(state, "SomethingNew", DEFAULT_ACCOUNT):
        pass
    log.main("UPDATE audit_checkpoints SET time = time - 4000")


def step_back(log: LogCopy) -> None:
    log.main("UPDATE alembic_version SET version_num = :version", version=schema_version.known()[-2])


def leave_undelivered(log: LogCopy) -> None:
    with log.opened() as state:
        delivering, hour = Delivering.begin(state), state.clock.now() - 3_601
        file = TrailFile(delivering.trail.trail_id, "us-east-1", "the-bucket", "key", {}, None, hour)
        with state.database.write() as tx:
            trail_files.add(tx, file)


def damage_database(log: LogCopy) -> None:
    path = log.directory / "keys.db"
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 4096)


def move_key_and_open_it(log: LogCopy) -> None:
    moved = log.directory / "moved.key"
    command("root", "migrate", "--to", f"file:{moved}", "--data-dir", str(log.directory))
    moved.chmod(0o644)


@pytest.mark.parametrize(("check", "plant", "said"), [
    ("root-key-file", move_key_and_open_it, "moved.key can be read by others"),
    ("root-key-file", lambda log: (log.directory / "root.key").chmod(0o644), "can be read by others"),
    ("root-key", lambda log: (log.directory / "root.key").unlink(), "cannot read the root key"),
    ("root-key", spoil_key, "is not the one"),
    ("data-directory", lambda log: (log.directory / "keys.db").chmod(0o640), "keys.db"),
    ("data-directory", lambda log: log.directory.chmod(0o755), "others may enter"),
    ("schema", step_back, "the schema is"),
    ("audit-segments", spoil_segment, "cannot be read"),
    ("delivery", fail_delivery, "cannot deliver"),
    ("delivery", leave_undelivered, "1 log files that wait for more than an hour"),
    ("checkpoint", let_checkpoints_age, "covered by none"),
    ("database", lambda log: (log.directory / "keys.db").unlink(), "there is no server"),
    ("database", damage_database, "database"),
])  # fmt: skip
def test_a_fault_in_the_data(
    sick: LogCopy, check: str, plant: Callable[[LogCopy], object], said: str
) -> None:
    plant(sick)
    wrong = found(sick.settings)
    assert list(wrong) == [check]
    assert said in wrong[check]


def test_a_root_key_by_a_link_has_the_rights_of_its_file(sick: LogCopy) -> None:
    path = sick.directory / "root.key"
    path.rename(sick.directory / "of-today.key")
    path.symlink_to("of-today.key")
    assert found(sick.settings) == {}
    path.chmod(0o644)
    assert list(found(sick.settings)) == ["root-key-file"]


def certificate(path: Path, days: int) -> Path:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kms")])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 1, now - timedelta(400), now + timedelta(days)
    )
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize(("days", "said"), [(-1, "has expired"), (20, "expires in"), (40, None)])
def test_a_certificate(healthy: LogCopy, tmp_path: Path, days: int, said: str | None) -> None:
    settings = replace(healthy.settings, tls_cert=certificate(tmp_path / "cert.pem", days))
    wrong = found(settings)
    assert list(wrong) == (["certificate"] if said else [])
    assert said is None or said in wrong["certificate"]


@pytest.mark.parametrize(("check", "changed"), [
    ("development-mode", {"dev": True, "host": "0.0.0.0"}),
    ("audit-retention", {"audit_retention_size": 1}),
    ("open-files", {"limits": Limits(max_connections=10**9)}),
    ("certificate", {"tls_cert": Path("/nowhere")}),
])  # fmt: skip
def test_a_fault_in_the_settings(healthy: LogCopy, check: str, changed: dict[str, object]) -> None:
    assert list(found(replace(healthy.settings, **changed))) == [check]  # type: ignore[arg-type] # its members


def test_a_full_disk(healthy: LogCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1_000, 951, 49))
    assert list(found(healthy.settings)) == ["disk-space"]


def test_an_old_sqlite(healthy: LogCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MINIMUM_SQLITE", (99, 0, 0))
    assert "older than 99.0.0" in found(healthy.settings)["sqlite-library"]


def test_core_dumps(healthy: LogCopy) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard == 0:
        pytest.skip("nobody may turn core dumps on here")
    resource.setrlimit(resource.RLIMIT_CORE, (1_024, hard))
    assert list(found(healthy.settings)) == ["core-dumps"]


def test_a_disk_that_is_nearly_full(healthy: LogCopy, tmp_path: Path) -> None:
    with own_disk(tmp_path, 2**26) as disk:
        log = replace(healthy, directory=tmp_path / "data")
        shutil.copytree(healthy.directory, log.directory)
        assert found(log.settings) == {}
        free = os.statvfs(tmp_path)
        with (tmp_path / "taken").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - 2**20)
        assert list(found(log.settings)) == ["disk-space"]
        disk.turn_read_only()
        assert {"disk-space", "disk-writes"} <= set(found(log.settings))


@pytest.mark.parametrize(("number", "advice"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "dmesg")])
def test_a_disk_that_takes_no_writes(healthy: LogCopy, number: int, advice: str) -> None:
    with patch("os.open", side_effect=OSError(number, "refused")):
        (told,) = host.disk_writes(Deployment(healthy.settings))
    assert advice in str(told)


def test_a_server_made_for_development(sick: LogCopy) -> None:
    sick.main("UPDATE settings SET value = 'dev' WHERE name = 'mode'")
    assert found(sick.settings) == {}
    assert list(found(replace(sick.settings, host="192.0.2.1"))) == ["development-mode"]


@pytest.mark.parametrize(
    ("off", "checks"), [(0.0, []), (50.0, []), (-50.0, []), (90.0, ["clock"]), (-90.0, ["clock"])]
)
def test_a_clock(healthy: LogCopy, off: float, checks: list[str]) -> None:
    with time_server(off) as place:
        wrong = found(healthy.settings, place)
    assert list(wrong) == checks
    if checks:
        assert ("behind" if off > 0 else "ahead of") in wrong["clock"]


@pytest.mark.parametrize(
    "flaw", [{"stratum": 0}, {"stratum": 16}, {"first": 0xE4}, {"first": 0x23}, {"echo": False}]
)
def test_a_time_server_that_does_not_know(healthy: LogCopy, flaw: dict[str, int]) -> None:
    with time_server(90.0, **flaw) as place:  # type: ignore[arg-type] # its arguments
        assert list(found(healthy.settings, place)) == ["ntp-server"]
        with pytest.raises(OSError, match="does not know"):
            sntp.now(place, 2)


def test_a_store_of_counters(healthy: LogCopy, redis: RedisServer) -> None:
    settings = replace(healthy.settings, quota_url=redis.url)
    assert found(settings) == {}
    assert next(one for one in outcomes(settings) if one.check == "clock").skipped is None
    redis.kill()
    assert list(found(settings)) == ["counter-store"]


@pytest.mark.parametrize(("ahead", "said"), [(90.0, "90 s behind"), (-90.0, "90 s ahead of"), (50.0, None)])
def test_the_clock_of_a_store(healthy: LogCopy, tmp_path: Path, ahead: float, said: str | None) -> None:
    with running(**false_clock(tmp_path, ahead).environment) as store:
        wrong = found(replace(healthy.settings, quota_url=store.url))
    assert list(wrong) == (["clock"] if said else [])
    assert said is None or f"the clock is {said} that of the store of shared limits" == wrong["clock"]


def test_the_clock_of_a_database(tmp_path: Path, postgres: Postgres) -> None:
    """Here doctor's own is wrong: it is a process of its own."""
    log = filled(tmp_path, postgres)
    clock = false_clock(tmp_path, 90.0)
    done = subprocess.run(
        [sys.executable, "-m", "kms_server.cli.main", "doctor", "--format", "json", "--data-dir", str(log.directory),
         "--database-url", str(log.settings.database_url)],
        env=clean_environment() | clock.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "")
    told = {one["check"]: one["findings"] for one in json.loads(done.stdout)}
    (off,) = told["clock"]
    assert (off["severity"], off["what"]) == ("problem", "the clock is 90 s ahead of that of the database")


def test_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    """The tests' own server runs without fsync."""
    log = filled(tmp_path, postgres)
    wrong = found(log.settings)
    assert list(wrong) == ["postgresql-durability"]
    assert wrong["postgresql-durability"].startswith("fsync is off")
    with psycopg.connect(str(log.settings.database_url), autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{log.name}" SET synchronous_commit = off')
    assert "synchronous_commit is off" in found(log.settings)["postgresql-durability"]
    gone = replace(log.settings, database_url=f"postgresql://kms@/{uuid4().hex}?host={postgres.directory}")
    assert list(found(gone)) == ["database"]


def test_the_command(sick: LogCopy) -> None:
    where = ["--data-dir", str(sick.directory)]
    done = command("doctor", *where)
    assert done.returncode == 0, done.stdout
    assert "ok       root-key\n" in done.stdout
    done = command("doctor", "--audit-retention-size", "1B", *where)
    assert done.returncode == 1
    assert "warning  audit-retention: " in done.stdout
    (sick.directory / "root.key").chmod(0o644)
    done = command("doctor", "--format", "json", *where)
    assert done.returncode == 2
    told = {one["check"]: one for one in json.loads(done.stdout)}
    assert told["root-key-file"]["findings"][0]["severity"] == "problem"
    assert told["clock"]["skipped"]
