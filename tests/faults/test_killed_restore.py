"""A restore that is killed has made all or nothing, and can be begun again."""

import os
import random
import shutil
import time
from pathlib import Path

import psycopg
import pytest

from tests.audit_log_copies import LogCopy, filled
from tests.backups import Vault
from tests.functional import processes

ROUNDS = int(os.environ.get("KMS_TEST_CRASH_ROUNDS", "2"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_all_or_nothing(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    postgres = request.getfixturevalue("postgres") if kind == "postgresql" else None
    source, vault = filled(tmp_path, None), Vault(tmp_path)
    backup = vault.make("a.backup", "--with-root-key", "--data-dir", str(source.directory))
    took = 4.0
    for number in range(ROUNDS + 1):
        made = LogCopy.new(tmp_path, postgres)
        where = ["--data-dir", str(made.directory)]
        if made.settings.database_url:
            where += ["--database-url", made.settings.database_url]
        command = ["restore", str(backup), *vault.identity, *where]
        began = time.monotonic()
        process = processes.command(command)
        # The first is let alone, and shows how long it takes.
        process.join(random.uniform(0, took) if number else None)
        took = took if number else time.monotonic() - began
        process.kill()
        process.join()
        if process.exitcode == 0 or is_whole(made):
            assert made.errors() == []
            continue
        assert number, "it was let alone"
        shutil.rmtree(made.directory, ignore_errors=True)
        assert vault.restore(backup, *where).returncode == 0
        assert made.errors() == []


def is_whole(made: LogCopy) -> bool:
    """Whether a restore came to its end, or so near that the server is there."""
    if made.postgres is None:
        return made.directory.exists()
    with psycopg.connect(str(made.settings.database_url)) as connection:
        return bool(connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'").fetchall())
