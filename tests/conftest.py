"""Fixtures for all tests: real servers, real databases."""

import gc
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.databases import new_url
from tests.functional.server_process import ServerProcess, StartServer
from tests.postgres_server import Postgres, start
from tests.redis_server import RedisServer, running
from tests.sampling import left_out

_DATABASE, _DATABASES = "KMS_TEST_DATABASE", ("sqlite", "postgresql")
# The same examples on every run, however slow the machine is; `make soak` draws new ones, and more.
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=30)
settings.register_profile("soak", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Make known `@pytest.mark.covers("grants: retire", "allowed")`.

    Such a test covers a row of docs/authorization-coverage.md in one direction: "allowed", what the row lets in or
    does, or "denied", what it keeps out. Rows, and what their directions mean, stand in
    tests/unit/iam/decisions/rows.yaml as section and row. A test may have the mark several times, pytest.param too.
    `python -m tests.unit.iam.decisions.coverage` writes the document anew.
    """
    config.addinivalue_line(
        "markers", "covers(row, direction): what of docs/authorization-coverage.md it shows"
    )
    config.addinivalue_line(
        "markers", "soak(but=n, each=name): a long round, for `make soak`; see tests/sampling.py"
    )
    config.addinivalue_line("markers", "embedded(why): not with KMS_TEST_DATABASE=postgresql")
    if os.environ.get(_DATABASE, "sqlite") not in _DATABASES:
        raise pytest.UsageError(f"{_DATABASE} is one of {', '.join(_DATABASES)}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave long rounds out unless they are asked for, and with PostgreSQL for all servers what is about SQLite."""
    left: set[pytest.Item] = set()
    if os.environ.get(_DATABASE) == "postgresql":
        left = {
            one
            for one in items
            if one.get_closest_marker("embedded") or "sqlite" in one.nodeid.partition("[")[2]
        }
    if not os.environ.get("KMS_TEST_SOAK"):
        left |= left_out(one for one in items if one not in left)
    config.hook.pytest_deselected(items=list(left))
    items[:] = [one for one in items if one not in left]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector half a million objects that stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many of the tests that know either database ran on each."""
    passed = [report.nodeid for report in terminalreporter.stats.get("passed", [])]
    ran = [sum(name in nodeid for nodeid in passed) for name in _DATABASES]
    terminalreporter.write_line(
        "of the tests for either database {} passed on SQLite, {} on PostgreSQL".format(*ran)
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # Short, and below a directory that every user may enter: PostgreSQL does not run as root.
    server = start(Path(tempfile.mkdtemp(prefix="kms-pg-")))
    yield server
    server.stop()


@pytest.fixture(scope="session", autouse=True)
def database_of_servers(request: pytest.FixtureRequest) -> None:
    """Which database servers have whose tests name none: SQLite, or what KMS_TEST_DATABASE says."""
    if os.environ.get(_DATABASE) == "postgresql":
        postgres = request.getfixturevalue("postgres")
        ServerProcess.new_url = staticmethod(lambda: new_url(postgres))


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """An empty store of counters, which the test may kill."""
    with running() as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server with two workers, shared by the tests of a module."""
    directory = tmp_path_factory.mktemp("server")
    options = []
    if request.param == "postgresql":
        options = ["--database-url", new_url(request.getfixturevalue("postgres"))]
    process = ServerProcess(directory, *options)
    yield process
    assert process.stop() == 0
    log = process.log.read_text()
    assert "Traceback" not in log
    assert "internal failure" not in log


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers of a test's own; all are stopped afterwards."""
    started: list[ServerProcess] = []

    def begin(*options: str, **settings: Any) -> ServerProcess:
        directory = tmp_path / f"server-{len(started)}"
        directory.mkdir(exist_ok=True)
        process = ServerProcess(directory, *options, **settings)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.stop()
