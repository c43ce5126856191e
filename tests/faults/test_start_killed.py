"""A first start is killed at each of its steps; the next one finds a whole server, or makes one."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from kms_server.config import Settings
from kms_server.root_keys.places import place_told
from kms_server.server.startup import check_state, prepare
from kms_server.server.state import open_state
from kms_server.storage import access_keys
from tests.databases import embed
from tests.functional.processes import CONTEXT

WHOLE = os.environ.get("KMS_TEST_SOAK") == "1"
_STEPS = frozenset({"open", "os.mkdir", "os.rename", "os.remove", "os.link", "os.chmod", "fcntl.flock"})


def first_start(directory: Path, last: int, told: Path) -> None:
    """Prepare a server, and be killed before step `last`; without, tell how many steps there are."""
    steps = 0

    def step(*_: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", step)
    event.listen(Engine, "after_cursor_execute", step)
    event.listen(Engine, "commit", step)
    sys.addaudithook(lambda name, _: step() if name in _STEPS else None)
    settings = Settings(directory)
    check_state(settings, place_told(settings))
    prepare(settings)
    told.write_text(str(steps))


def run(directory: Path, last: int, told: Path) -> int | None:
    process = CONTEXT.Process(target=first_start, args=(directory, last, told))
    process.start()
    process.join(120)
    return process.exitcode


def is_whole(directory: Path) -> None:
    """The root key opens what is stored, and the printed access key is known."""
    settings = Settings(directory)
    state = open_state(settings)
    lines = settings.credentials_file.read_text().splitlines()
    found = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    with state.database.read() as connection:
        assert access_keys.get(connection, found["AWS_ACCESS_KEY_ID"]) is not None
    state.database.close()
    assert not [path for path in directory.rglob("*") if path.stat().st_mode & 0o077]


@pytest.mark.timeout(3_600 if WHOLE else 120)
@pytest.mark.parametrize("from_nothing", [False, True])
def test_a_first_start_that_is_killed(tmp_path: Path, from_nothing: bool) -> None:
    told = tmp_path / "steps"

    def begun(name: str) -> Path:
        directory = tmp_path / name
        if not from_nothing:
            embed(directory)
        return directory

    assert run(begun("counted"), 0, told) == 0
    steps = int(told.read_text())
    assert steps > 20
    for last in range(1, steps, max(1, steps // 50)) if WHOLE else (steps // 3, steps - 12):
        directory = begun(str(last))
        assert run(directory, last, told) == -signal.SIGKILL, last
        assert run(directory, 0, told) == 0, last
        is_whole(directory)
