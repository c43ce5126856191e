"""The random, but seeded, plan of what is done to a cluster."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.soak.cluster import SERVERS, Cluster

_PAUSE = 0.5, 5.0  # seconds between two faults
_DATABASE_AT = 0.3, 0.75  # parts of the time that have passed
_STORE_AT = 0.5


@dataclass(frozen=True)
class Fault:
    """What happens, `at` seconds after the begin."""

    at: float
    inflict: Callable[[Cluster], None]


def plan(duration: float, chance: random.Random, *, outages: bool = True) -> list[Fault]:
    """Faults of servers all the time; with `outages` the database crashes twice and the store once."""
    faults = []
    at = chance.uniform(*_PAUSE)
    while at < duration:
        faults.append(Fault(at, _of_a_server(chance)))
        at += chance.uniform(*_PAUSE)
    if outages:
        number, seconds = chance.randrange(SERVERS), chance.uniform(0.5, 2.5)
        first, second = (part * duration for part in _DATABASE_AT)
        worker = random.Random(chance.random())
        # A worker begins without a database; a host does not see that it was away.
        faults.append(Fault(first, lambda at: at.restart_database(seconds, at.worker_killed(number, worker))))
        faults.append(Fault(second, lambda at: at.restart_database(seconds, at.paused(number))))
        faults.append(Fault(_STORE_AT * duration, lambda at: at.restart_store(seconds)))
    return sorted(faults, key=lambda fault: fault.at)


def _of_a_server(chance: random.Random) -> Callable[[Cluster], None]:
    number, seconds, worker = (
        chance.randrange(SERVERS),
        chance.uniform(0.5, 3.0),
        random.Random(chance.random()),
    )

    def kill_worker(cluster: Cluster) -> None:
        with cluster.worker_killed(number, worker):
            pass

    def pause(cluster: Cluster) -> None:
        with cluster.paused(number):
            time.sleep(seconds)

    return chance.choice([
        lambda cluster: cluster.kill_server(number, seconds / 3),
        lambda cluster: cluster.restart_server(number),
        kill_worker,
        pause,
    ])  # fmt: skip


def carry_out(faults: list[Fault], cluster: Cluster, seconds: float, tell: Callable[[float], None]) -> None:
    """Inflict each fault at its time, or as soon after as the one before is over; `tell` hears a few times a second."""
    began = time.monotonic()
    pending = list(faults)
    while (passed := time.monotonic() - began) < seconds:
        tell(passed)
        cluster.raise_fallen()
        if pending and pending[0].at <= passed:
            pending.pop(0).inflict(cluster)
        else:
            time.sleep(0.2)
