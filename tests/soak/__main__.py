"""`python -m tests.soak`: a cluster under load and faults, and the judgement of what it answered."""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from multiprocessing.sharedctypes import SynchronizedArray
from pathlib import Path
from typing import Any

from tests.functional.processes import CONTEXT
from tests.soak.actions import act
from tests.soak.calls import ROOT, SECOND
from tests.soak.checker import BURST, RATE, Report, check
from tests.soak.clients import Told, run
from tests.soak.cluster import Cluster
from tests.soak.ledger import Violation
from tests.soak.schedule import carry_out, plan

CLIENTS = 8
_SHOWN = 8  # violations of each kind that are printed; all are in a file
_TELL_SECONDS = 5.0
_NO_RIGHTS = {"Statement": {"Effect": "Allow", "Action": "none:*", "Resource": "*"}}


class Progress:
    """One line that changes on a terminal, one now and then elsewhere."""

    def __init__(self, seconds: float, counts: "SynchronizedArray[int]", cluster: Cluster) -> None:
        self._seconds = seconds
        self._counts = counts
        self._cluster = cluster
        self._told = 0.0

    def tell(self, passed: float) -> None:
        """What has happened so far."""
        if not sys.stdout.isatty() and time.monotonic() - self._told < _TELL_SECONDS:
            return
        self._told = time.monotonic()
        made, failures = (sum(self._counts[place::2]) for place in (0, 1))
        part = min(passed / self._seconds, 1.0)
        bar = f"[{'#' * round(part * 30):30}]"
        faults = sum(self._cluster.survived.values())
        self.say(
            f"{bar} {passed:4.0f} of {self._seconds:.0f} s, {made:,} calls, {failures:,} without an answer, {faults} faults"
        )

    def say(self, line: str) -> None:
        """A line."""
        end = "\r" if sys.stdout.isatty() else "\n"
        print(f"{line:100}" if end == "\r" else line, end=end, flush=True)


def soak(
    directory: Path, seconds: float, seed: int, clients: int = CLIENTS, *, outages: bool = True
) -> tuple[Report, Cluster]:
    """Run it all, with servers' files and clients' ledgers in `directory`."""
    chance = random.Random(seed)
    with ExitStack() as processes:
        cluster = Cluster(directory, processes)
        root = cluster.servers[0].access
        limited = cluster.servers[0].client("kms").create_key()["KeyMetadata"]["KeyId"]
        cluster.servers[0].cli("quota", "set", "--key", limited, "--rate", str(RATE), "--burst", str(BURST))
        until, counts = CONTEXT.Value("d", float("inf")), CONTEXT.Array("q", 2 * clients)
        progress = Progress(seconds, counts, cluster)
        working = []
        for number in range(clients):
            user = f"soak-{number}"
            second = cluster.servers[0].user_access(user, _NO_RIGHTS)
            accesses = {ROOT: cluster.accesses(root), SECOND: cluster.accesses(second)}
            told = Told(str(number), accesses, user, limited, directory, chance.randrange(1 << 32))
            working.append(CONTEXT.Process(target=run, args=(told, act, until, counts, number), daemon=True))
        for client in working:
            client.start()
        carry_out(plan(seconds, chance, outages=outages), cluster, seconds, progress.tell)
        until.value = 0.0
        died = _ended(working)
        cluster.raise_fallen()
        cluster.all_up()
        ledgers = sorted(directory.glob("client-*.jsonl"))
        report = check(cluster, ledgers, limited, progress.say)
        report.violations += [*died, *(Violation("server ended by itself", text) for text in cluster.fell)]
        report.violations += _said(cluster)
    return report, cluster


def _ended(working: list[Any]) -> list[Violation]:
    died = []
    for client in working:
        client.join(120)
        if client.exitcode != 0:
            died.append(Violation("client died", f"exit code {client.exitcode}"))
    return died


def _said(cluster: Cluster) -> list[Violation]:
    """No server may have written a traceback."""
    logs = [server.log.read_text() for server in cluster.servers]
    return [
        Violation("traceback", log[log.index("Traceback") :][:2_000]) for log in logs if "Traceback" in log
    ]


def show(report: Report, cluster: Cluster) -> None:
    """The tables: what was survived, what was looked at, what is wrong."""
    _table("survived", cluster.survived)
    _table("calls", report.calls)
    _table("failed, and may be tried again", report.failures)
    print(
        f"calls failed that were sent up to {report.longest_failure_after:.3f} s after the database was back"
    )
    _table("looked at", report.looked_at)
    kinds: dict[str, list[Violation]] = {}
    for violation in report.violations:
        kinds.setdefault(violation.kind, []).append(violation)
    for kind, found in kinds.items():
        for violation in found[:_SHOWN]:
            print(f"VIOLATION {kind}: {violation.text}")
    _table("violations", {kind: len(found) for kind, found in kinds.items()} or {"none": 0})


def _table(title: str, rows: Any) -> None:
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
    report, cluster = soak(directory, options.minutes * 60, seed)
    (directory / "report.json").write_text(json.dumps({
        "seed": seed, "windows": list(map(asdict, cluster.windows)), "violations": list(map(asdict, report.violations)),
    }))  # fmt: skip
    show(report, cluster)
    if options.directory is None and not report.violations:
        shutil.rmtree(directory)
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
