"""A cluster under load and faults, and the judgement of what it answered."""

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import NamedTuple

from tests.functional.processes import CONTEXT
from tests.functional.server_process import Access
from tests.soak.actions import act
from tests.soak.calls import ROOT, SECOND
from tests.soak.checker import BURST, RATE, Report, check
from tests.soak.clients import Told, run
from tests.soak.cluster import Cluster
from tests.soak.ledger import Violation
from tests.soak.schedule import carry_out, plan

_NO_RIGHTS = {"Statement": {"Effect": "Allow", "Action": "none:*", "Resource": "*"}}


class Size(NamedTuple):
    """How long the load lasts, in seconds, how many clients make it, and whether database and store are lost, too."""

    seconds: float
    clients: int
    outages: bool = True


def soak(
    directory: Path, size: Size, seed: int, tell: Callable[[str], None],
    before_judgement: Callable[[Cluster], None] = lambda _: None,
) -> tuple[Report, Cluster]:  # fmt: skip
    """Run it all, with servers' files and clients' ledgers in `directory`; `tell` hears how far it is."""
    chance = random.Random(seed)
    with ExitStack() as processes:
        cluster = Cluster(directory, processes)
        first = cluster.servers[0]
        limited = first.client("kms").create_key()["KeyMetadata"]["KeyId"]
        first.cli("quota", "set", "--key", limited, "--rate", str(RATE), "--burst", str(BURST))
        until, counts = CONTEXT.Value("d", float("inf")), CONTEXT.Array("q", 2 * size.clients)
        working = []
        for number, (user, accesses) in enumerate(_principals(cluster, size.clients)):
            told = Told(str(number), accesses, user, limited, directory, chance.randrange(1 << 32))
            working.append(CONTEXT.Process(target=run, args=(told, act, until, counts, number), daemon=True))
        for client in working:
            client.start()

        def status(passed: float) -> None:
            bar = "#" * round(30 * min(passed / size.seconds, 1.0))
            made, failures = sum(counts[0::2]), sum(counts[1::2])
            tell(f"[{bar:30}] {passed:4.0f} of {size.seconds:.0f} s, {made:,} calls, {failures:,} without an answer, "
                 f"{sum(cluster.survived.values())} faults")  # fmt: skip

        carry_out(plan(size.seconds, chance, outages=size.outages), cluster, size.seconds, status)
        until.value = 0.0
        died = _ended(working)
        cluster.raise_fallen()
        cluster.all_up()
        before_judgement(cluster)
        report = check(cluster, sorted(directory.glob("client-*.jsonl")), limited, tell)
        report.violations += [*died, *(Violation("server ended by itself", text) for text in cluster.fell)]
        report.violations += _said(cluster)
    return report, cluster


def _principals(cluster: Cluster, clients: int) -> list[tuple[str, dict[str, list[Access]]]]:
    """A user for each client, and how it reaches each server as the root and as that user."""
    first = cluster.servers[0]
    root = cluster.accesses(first.access)
    users = [f"soak-{number}" for number in range(clients)]
    return [
        (user, {ROOT: root, SECOND: cluster.accesses(first.user_access(user, _NO_RIGHTS))}) for user in users
    ]


def _ended(working: Sequence[ForkServerProcess]) -> list[Violation]:
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
