"""`make profile-memory`: what a call allocates, by place, as tracemalloc counts it.

Calls are taken through the pipeline of a worker in this process, without sockets. The first table is what calls hold
while their answers wait for the record to be synced; the second what is still there when they have been answered and
everything was collected: caches that grow, or a leak. C code that does not ask Python for its memory is not counted.
"""

import argparse
import gc
import tempfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from tracemalloc import Snapshot, StatisticDiff

from bench.in_process import InProcess
from bench.report import table
from bench.setup import Row
from bench.targets import OPERATIONS

_UNDER_WAY = 200  # fewer than a batch of records
_TOP = 15
_PACKAGES = Path(__file__).parents[1]


def snapshot() -> Snapshot:
    """What Python has allocated, but for the accounts of it."""
    gc.collect()
    return tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(False, tracemalloc.__file__)])  # noqa: FBT003 - its own signature


def rows(changes: Sequence[StatisticDiff], calls: int) -> list[Row]:
    """The places that hold most, and all together."""
    held = sorted(changes, key=lambda one: one.size_diff, reverse=True)
    shown = [(_place(one), one.size_diff, one.count_diff) for one in held[:_TOP] if one.size_diff > 0]
    shown.append(("all places", sum(one.size_diff for one in held), sum(one.count_diff for one in held)))
    return [
        {"place": place, "bytes a call": size / calls, "blocks a call": blocks / calls}
        for place, size, blocks in shown
    ]


def _place(change: StatisticDiff) -> str:
    frame = change.traceback[0]
    path = Path(frame.filename)
    if path.is_relative_to(_PACKAGES):
        path = path.relative_to(_PACKAGES)
    parts = (
        path.parts[path.parts.index("site-packages") + 1 :]
        if "site-packages" in path.parts
        else path.parts[-3:]
    )
    return f"{'/'.join(parts)}:{frame.lineno}"


def measure(worker: InProcess, operation: str, rounds: int) -> tuple[list[Row], list[Row]]:
    """What calls hold under way, and what is left of them."""
    for _ in range(3):  # caches fill, statements are prepared, lists reach their size
        worker.answers([worker.outcome(raw) for raw in worker.requests(operation, _UNDER_WAY)])
    requests = worker.requests(operation, _UNDER_WAY)
    before = snapshot()
    outcomes = [worker.outcome(raw) for raw in requests]
    under_way = snapshot().compare_to(before, "lineno")
    worker.answers(outcomes)
    del outcomes, requests
    before = snapshot()
    for _ in range(rounds):
        worker.answers([worker.outcome(raw) for raw in worker.requests(operation, _UNDER_WAY)])
    left = snapshot().compare_to(before, "lineno")
    return rows(under_way, _UNDER_WAY), rows(left, rounds * _UNDER_WAY)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--operation", choices=OPERATIONS, default="Encrypt")
    parser.add_argument("--rounds", type=int, default=20, help=f"of {_UNDER_WAY} calls, for what is left")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        worker = InProcess(Path(directory) / "data")
        tracemalloc.start()
        under_way, left = measure(worker, arguments.operation, arguments.rounds)
        tracemalloc.stop()
        worker.close()
    print(table(f"{arguments.operation}: held by a call that waits for its record", under_way))
    print(table(f"{arguments.operation}: still held for each of {arguments.rounds * _UNDER_WAY:,} calls that were answered", left))  # fmt: skip


if __name__ == "__main__":
    main()
