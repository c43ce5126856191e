"""`make bench-audit`: what a page of LookupEvents costs in a short and in a long audit log, as boto3 asks for it.

Each attribute is asked for a value of many rows, of twenty and of none, on the first page and on one from the middle of
the log; `ms inside` is the search alone, without the service around it. The logs take turns, so that a slow spell of the
machine does not fall on one of them. Segments are full and sealed but for the last of each of two workers, which is half
full in both logs.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from bench.audit_logs import Log
from bench.audit_rows import VALUES
from tests import postgres_server

_KINDS = ("dense", "rare", "absent")
_COLUMNS = f"{'attribute':14} {'value':7} {'page':7}"


def questions(log: Log) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is asked, with its name."""
    yield "none", {}
    yield f"{'EventId':14} one", _about("EventId", log.known)
    for attribute, values in VALUES.items():
        for kind, value in zip(_KINDS, values, strict=True):
            if value is not None:
                yield f"{attribute:14} {kind}", _about(attribute, value)


def _about(attribute: str, value: str) -> dict[str, Any]:
    return {"LookupAttributes": [{"AttributeKey": attribute, "AttributeValue": value}]}


def measured(work: Callable[[], object]) -> float:
    """Milliseconds."""
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e3


def compared(logs: list[Log], repeats: int) -> Iterator[str]:
    """A line for each question and page: the medians in each log, and that of the ratio of each turn."""
    for asked in zip(*(questions(log) for log in logs), strict=True):
        name = asked[0][0]
        for page in ("first", "middle"):
            outside: list[list[float]] = [[] for _ in logs]
            inside: list[list[float]] = [[] for _ in logs]
            for turn in range(repeats + 1):
                for number, (log, (_, members)) in enumerate(zip(logs, asked, strict=True)):
                    one = members | ({"NextToken": log.middle(members)} if page == "middle" else {})
                    costs = measured(lambda: log.ask(one)), measured(lambda: log.search(one))  # noqa: B023 - called here
                    if turn:  # the first warms up
                        outside[number].append(costs[0])
                        inside[number].append(costs[1])
            yield f"{name:22} {page:7} {_figures(outside)} {_figures(inside)}"


def _figures(costs: list[list[float]]) -> str:
    ratio = median(long / short for short, long in zip(costs[0], costs[-1], strict=True))
    return " ".join(f"{median(one):10.2f}" for one in costs) + f" {ratio:8.2f}"


def main() -> None:
    """Fill the logs, measure, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the long log")
    parser.add_argument("--short", type=int, default=10_000, help="of the short log")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--databases", nargs="+", choices=["sqlite", "postgresql"], default=["sqlite", "postgresql"])  # fmt: skip
    parser.add_argument("--directory", type=Path, help="where the logs are made; 2.5 GB for 1,000,000 rows")
    arguments = parser.parse_args()
    for database in arguments.databases:
        with ExitStack() as stack:
            base = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=arguments.directory)))
            server = None
            if database == "postgresql":
                server = postgres_server.start(Path(tempfile.mkdtemp(dir=arguments.directory)))
                stack.callback(server.stop)
            counts = (arguments.short, arguments.rows)
            logs = [
                Log(
                    stack,
                    base / str(count),
                    count,
                    None if server is None else server.new_database(f"of_{count}"),
                )
                for count in counts
            ]
            print(
                f"\n{database}, {' and '.join(f'{count:,}' for count in counts)} rows;"
                f" a row takes {' and '.join(f'{log.filling:.0f}' for log in logs)} µs to append while the log is filled,"
                f" and {' and '.join(f'{log.sealing:.0f}' for log in logs)} µs to seal"
            )
            appends: list[list[float]] = [[] for _ in logs]
            for _ in range(20):
                for log, costs in zip(logs, appends, strict=True):
                    costs.append(log.append())
            print(f"µs to append a row, in batches of 64: {_figures(appends)}")
            print(
                f"{_COLUMNS} {'ms by boto3 (short, long, ratio)':>30} {'ms inside (short, long, ratio)':>32}"
            )
            for line in compared(logs, arguments.repeats):
                print(line, flush=True)


if __name__ == "__main__":
    main()
