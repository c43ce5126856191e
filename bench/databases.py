"""Where keys and audit log are: PostgreSQL beside the embedded SQLite, both with every answer's record synced.

PostgreSQL runs on the servers' core too, and on the same disk.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from bench.figures import ratio, spread
from bench.report import BUSY
from bench.setup import Row, Setup
from bench.targets import OPERATIONS, ours
from tests import postgres_server

TITLE = "Databases: PostgreSQL beside SQLite, closed loop at 256 connections"
_CONNECTIONS = 256


def measure(setup: Setup) -> Iterator[Row]:
    """A row for each operation and database."""
    with ExitStack() as stack:
        place = setup.directory / "pg"
        place.mkdir()
        with setup.on_servers():
            postgres = postgres_server.start(place, durable=True)
        stack.callback(postgres.stop)
        url = postgres.new_database("bench")
        servers = {
            "SQLite": ours(stack, setup),
            "PostgreSQL": ours(stack, setup, "--database-url", url, name="of-postgresql"),
        }
        for operation in OPERATIONS:
            found = setup.in_turns(
                {
                    name: partial(target.load, operation, _CONNECTIONS, setup.seconds)
                    for name, target in servers.items()
                }
            )
            rates = {name: [run.rate for run in runs] for name, runs in found.items()}
            for name, runs in found.items():
                row: Row = {"operation": operation, "database": name}
                row |= spread("req/s", rates[name]) | spread("p99 ms", [run.p99_ms for run in runs])
                row |= spread("worker CPU µs", [run.cpu_us for run in runs])
                row[BUSY] = max(run.load_busy for run in runs)
                yield row | ratio("SQLite", rates[name], rates["SQLite"])
