"""The exports that docs/audit.md loads into SQLite, and the questions it asks there, on a real log."""

import csv
import shutil
import sqlite3
import subprocess
from contextlib import closing

import pytest

from tests.functional.audit_exports import Export, answers, blocks, expected, exported, questions
from tests.functional.server_process import ServerProcess


@pytest.fixture(scope="module")
def export(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Export:
    return exported(server, tmp_path_factory.mktemp("export"))


def test_sqlite(export: Export) -> None:
    with (
        (export.directory / "audit.csv").open(newline="") as file,
        closing(sqlite3.connect(":memory:")) as connection,
    ):
        names, *lines = csv.reader(file)
        connection.execute(f"CREATE TABLE audit ({', '.join(f'{name} TEXT' for name in names)})")
        connection.executemany(f"INSERT INTO audit VALUES ({', '.join('?' * len(names))})", lines)
        asked = [connection.execute(one).fetchall() for one in questions("SQLite", export)]
    assert answers(asked) == expected(export)


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="the shell of SQLite is not installed")
def test_the_shell_of_sqlite(export: Export) -> None:
    database = export.directory / "audit.db"
    database.unlink(missing_ok=True)
    _, load = blocks("SQLite", "sh")[0].splitlines()
    subprocess.run(load, shell=True, check=True, cwd=export.directory)
    with closing(sqlite3.connect(database)) as connection:
        asked = [connection.execute(one).fetchall() for one in questions("SQLite", export)]
    assert answers(asked) == expected(export)
