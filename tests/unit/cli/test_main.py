"""Whose mistake a failure of a command is, and what is told of it."""

import errno
import sys
from io import StringIO
from unittest.mock import patch

import pytest
from pysqlite3 import dbapi2
from sqlalchemy.exc import DatabaseError, InvalidRequestError, NoResultFound, OperationalError, StatementError

from kms_server.cli.main import cli
from kms_server.errors import OperatorError
from tests.functional.command_line import Done, run

SECRET = "bad value b'SECRET'"


def failing(error: Exception) -> Done:
    with patch.object(cli, "main", side_effect=error):
        return run("quota", "list")


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequestError(SECRET), NoResultFound(SECRET), StatementError(SECRET, "SELECT", {}, TypeError(SECRET)),
        FileNotFoundError(errno.ENOENT, "No such file", "SECRET"), TimeoutError(SECRET), KeyError(SECRET),
        dbapi2.ProgrammingError(SECRET),
    ],
)  # fmt: skip
def test_a_mistake_of_ours(error: Exception) -> None:
    done = failing(error)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"internal failure: {type(error).__name__}" in line
    assert " at " in line
    assert "SECRET" not in line


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left", "keys.db"), "the system refused: No space left keys.db"),
        (PermissionError(errno.EACCES, "Denied"), "the system refused: Denied"),
        (
            OperationalError("SELECT", {}, dbapi2.OperationalError("locked\nmore")),
            "the database failed: locked",
        ),
        (DatabaseError("SELECT", {}, dbapi2.DatabaseError("malformed")), "the database failed: malformed"),
        (OperatorError("mend it"), "mend it"),
    ],
)
def test_what_the_operator_can_mend(error: Exception, told: str) -> None:
    done = failing(error)
    assert (done.returncode, done.stderr) == (2, f"kms-server: {told}\n")


class Full(StringIO):
    """An output on a disk that is full."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left")


def test_an_output_that_is_full_hides_no_other_failure() -> None:
    def fail(**_: object) -> None:
        sys.stdout = Full()
        raise OperatorError("mend it")

    with patch.object(cli, "main", side_effect=fail):
        done = run("quota", "list")
    told = "kms-server: mend it\nkms-server: the system refused: No space left\n"
    assert (done.returncode, done.stderr) == (2, told)
