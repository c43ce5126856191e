"""What a server costs on a small database and on a full one: two servers that take turns.

The small one has what a page of each list takes and not much more. But for the warm calls, which come over many
connections, one call is answered before the next is made, and the two servers take turns call by call, so that a slow
spell falls on both.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from math import inf
from pathlib import Path
from statistics import median

from bench import closed_loop
from bench.connections import Connection, Connections
from bench.figures import ratio, spread
from bench.filled import Size, fill
from bench.grown import CALLS, Cost, Grown
from bench.servers import Server, running
from bench.setup import Row, Setup
from bench.targets import OPERATIONS
from kms_server.audit.ledger import Ledger
from kms_server.config import Settings
from kms_server.operations.lifecycle import Lifecycle
from kms_server.server.startup import prepare
from kms_server.server.state import open_state

TITLE = "Growth: 100,000 keys, 500,000 aliases, 500,000 tags, 50,000 grants on one key and 1,000,000 records"
SMALL, FULL = "small", "full"
SIZES = {
    SMALL: Size(keys=2_000, aliases=10_000, tags=10_000, grants=200, records=40_000),
    FULL: Size(keys=100_000, aliases=500_000, tags=500_000, grants=50_000, records=1_000_000),
}
# A slow disk is measured, too, rather than given up.
_OPTIONS = ("--port", "0", "--workers", "1", "--quota-profile", "unlimited", "--audit-deadline", "30")
_CONNECTIONS = 64
_PARTS = 5
_CALLS = 30  # for each second of a measurement


def measure(setup: Setup) -> Iterator[Row]:
    """Starts, calls, jobs, and memory."""
    key_ids = {name: _filled(setup.directory / name, size) for name, size in SIZES.items()}
    starts = setup.in_turns({name: partial(_start, setup, name) for name in SIZES})
    yield _row("start", "ms", starts)
    with ExitStack() as stack:
        servers = {
            name: Grown(stack.enter_context(_serving(setup, name)), setup.directory / name, key_ids[name])
            for name in SIZES
        }
        for what, call in CALLS.items():
            calls = {name: partial(call, one) for name, one in servers.items()}
            yield _row(what, "µs", _by_turns(setup, calls))
        looks = {name: stack.enter_context(_look_for_due(setup.directory / name)) for name in SIZES}
        yield _row("look for what is due", "µs", _by_turns(setup, looks))
        yield from _warm(setup, servers)
        yield from _memory(servers[FULL], key_ids[FULL])


def _row(what: str, unit: str, costs: Mapping[str, Sequence[Cost]]) -> Row:
    row: Row = {"what": what, "unit": unit}
    for before, member in (("", "taken"), ("CPU ", "used")):
        figures = {name: [getattr(one, member) for one in each] for name, each in costs.items()}
        for name in SIZES:
            row |= spread(f"{before}{name}", figures[name])
        row |= ratio(f"{before}{SMALL}", figures[FULL], figures[SMALL])
    return row


def _filled(directory: Path, size: Size) -> list[str]:
    settings = Settings(directory)
    prepare(settings)
    state = open_state(settings)
    try:
        return fill(state, size)
    finally:
        state.database.close()


@contextmanager
def _serving(setup: Setup, name: str) -> Iterator[Server]:
    where = ("--data-dir", str(setup.directory / name))
    with ExitStack() as stack:
        with setup.on_servers():
            server = stack.enter_context(
                running("kms_server.cli.main", "serve", "--allow-tracing", *_OPTIONS, *where)
            )
        yield server


def _start(setup: Setup, name: str) -> Cost:
    """From the command to the line that says that it is ready, in milliseconds."""
    begin = time.perf_counter()
    with _serving(setup, name) as server:
        return Cost((time.perf_counter() - begin) * 1e3, server.cpu_seconds() * 1e3)


def _warm(setup: Setup, servers: Mapping[str, Grown]) -> Iterator[Row]:
    """Calls with a key in use, over many connections."""
    for operation in OPERATIONS:
        loads = {
            name: partial(one.target.load, operation, _CONNECTIONS, setup.seconds)
            for name, one in servers.items()
        }
        found = setup.in_turns(loads)
        costs = {name: [Cost(1e6 / run.rate, run.cpu_us) for run in runs] for name, runs in found.items()}
        yield _row(f"{operation}, {_CONNECTIONS} connections", "µs", costs)


def _by_turns(setup: Setup, work: Mapping[str, Callable[[], Cost]]) -> dict[str, list[Cost]]:
    """The medians of each repeat; calls take turns."""
    found: dict[str, list[Cost]] = {name: [] for name in work}
    for _ in range(setup.repeats):
        costs: dict[str, list[Cost]] = {name: [] for name in work}
        for _ in range(int(_CALLS * setup.seconds)):
            for name, one in work.items():
                costs[name].append(one())
        for name, each in costs.items():
            found[name].append(Cost(median(one.taken for one in each), median(one.used for one in each)))
    return found


@contextmanager
def _look_for_due(directory: Path) -> Iterator[Callable[[], Cost]]:
    """What a server does each second for the sake of rotations, expiries and deletions."""
    state = open_state(Settings(directory))
    lifecycle = Lifecycle(state.database, state.root_key, state.clock, Ledger(state.chain_key))

    def look() -> Cost:
        used, begin = time.thread_time(), time.perf_counter()
        lifecycle.run_due()
        taken, used = time.perf_counter() - begin, time.thread_time() - used
        return Cost(taken * 1e6, used * 1e6)

    yield look
    state.database.close()


def _memory(server: Grown, key_ids: Sequence[str]) -> Iterator[Row]:
    """The memory of a worker while it encrypts with all keys, twice, and what a call costs whose key is in no cache."""
    yield {"what": "memory of the worker", "unit": "MiB", FULL: _proportional_set(server.server)}
    part, costs = len(key_ids) // _PARTS, []
    for number in range(2 * _PARTS):
        begin = number % _PARTS * part
        connections = Connections(Connection, server.address, _CONNECTIONS)
        asked = closed_loop.run(connections, server.encrypts(key_ids[begin : begin + part]), inf)
        connections.close()
        if connections.errors:
            sys.exit(f"Encrypt: {connections.errors[0]}")
        costs.append(asked.seconds / asked.answers * 1e6)
        what = f"... after {(number + 1) * part:,} calls of Encrypt, each with another key"
        yield {"what": what, "unit": "MiB", FULL: _proportional_set(server.server)}
    yield {"what": f"Encrypt, cold, {_CONNECTIONS} connections", "unit": "µs", **spread(FULL, costs)}


def _proportional_set(server: Server) -> float:
    """The proportional set size of its worker, in MiB."""
    lines = Path(f"/proc/{server.worker}/smaps_rollup").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("Pss:"))
    return int(kilobytes) / 1_024
