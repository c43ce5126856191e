"""`python -m tests.soak`: the command line, and the tables of what was survived."""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tests.soak.checker import Report
from tests.soak.cluster import Cluster
from tests.soak.ledger import Violation
from tests.soak.soak import Size, soak

_CLIENTS = 8
_SHOWN = 8  # violations of each kind that are printed; all are in a file
_TELL_SECONDS = 5.0


class Progress:
    """One line that changes on a terminal, one now and then elsewhere."""

    def __init__(self) -> None:
        self._told = 0.0

    def tell(self, line: str) -> None:
        """Show how far it is."""
        if sys.stdout.isatty():
            print(f"{line:100}", end="\r", flush=True)
        elif time.monotonic() - self._told > _TELL_SECONDS:
            self._told = time.monotonic()
            print(line, flush=True)


def show(report: Report, cluster: Cluster) -> None:
    """The tables: what was survived, what was looked at, what is wrong."""
    _table("survived", cluster.survived)
    _table("calls", report.calls)
    _table("failed, and may be tried again", report.failures)
    print(
        f"calls failed that were sent up to {report.longest_failure_after:.3f} s after the database was back"
    )
    _table("looked at", report.looked_at)
    kinds: dict[str, list[Violation]] = defaultdict(list)
    for violation in report.violations:
        kinds[violation.kind].append(violation)
    for kind, found in kinds.items():
        for violation in found[:_SHOWN]:
            print(f"VIOLATION {kind}: {violation.text}")
    _table("violations", {kind: len(found) for kind, found in kinds.items()} or {"none": 0})


def _table(title: str, rows: Mapping[str, int]) -> None:
    print(f"\n{title}")
    for name, count in sorted(rows.items()):
        print(f"  {name:60} {count:>10,}")


def main() -> int:
    """Parse the command line, and run."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description="Three servers on one PostgreSQL and one Redis under mixed load, while servers are killed, restarted "
        "and paused at random, the database crashes twice and Redis is lost once. Afterwards every acknowledged key, "
        "ciphertext, change and audit record is looked for. Exit code 1: something was violated.",
    )  # fmt: skip
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the load lasts (default: 10)")
    parser.add_argument(
        "--seed", type=int, default=None, help="of the faults and of what clients do; default: a new one"
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=None,
        help="an empty directory for servers' files and ledgers, which stay",
    )
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    directory = options.directory or Path(tempfile.mkdtemp(prefix="kms-soak-"))
    directory.mkdir(parents=True, exist_ok=True)
    print(f"seed {seed}, files in {directory}", flush=True)
    report, cluster = soak(directory, Size(options.minutes * 60, _CLIENTS), seed, Progress().tell)
    (directory / "report.json").write_text(json.dumps({
        "seed": seed, "windows": list(map(asdict, cluster.windows)), "violations": list(map(asdict, report.violations)),
    }))  # fmt: skip
    show(report, cluster)
    if options.directory is None and not report.violations:
        shutil.rmtree(directory)
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
