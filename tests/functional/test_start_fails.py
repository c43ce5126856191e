"""Workers that cannot begin, for a reason that does not pass: the server ends, and says why without a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.command_line import clean_environment


@pytest.mark.embedded("the reason lies in the data directory")
@pytest.mark.parametrize(("name", "workers"), [("limits/", "1"), ("tally", "2")])
def test_a_directory_where_a_file_belongs_and_the_other_way(tmp_path: Path, name: str, workers: str) -> None:
    state = tmp_path / "data" / "state"
    state.mkdir(parents=True, mode=0o700)
    (state / name).mkdir() if name.endswith("/") else (state / name).touch()
    done = subprocess.run(
        [sys.executable, "-m", "kms_server.cli.main", "serve", "--port", "0", "--workers", workers,
         "--data-dir", str(tmp_path / "data")],
        env=clean_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr  # gunicorn's, for an application that cannot be loaded
    assert str(state / name) in done.stderr
    assert "Traceback" not in done.stderr
    assert "another follows" not in done.stderr
