"""The random, but seeded, plan of what is done to a cluster."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.soak.cluster import SERVERS, Cluster

_PAUSE = 0.5, 5.0  # seconds between two faults
_DATABASE_AT = 0.3, 0.75  # parts of the time that have passed
_STORE_AT = 0.5


@dataclass(frozen=True)
class Fault:
    """What happens, `at` seconds after the begin."""

    at: float
    inflict: Callable[[Cluster], None]


def plan(seconds: float, chance: random.Random, *, outages: bool = True) -> list[Fault]:
    """Faults of servers all the time; with `outages` the database crashes twice and the store once."""
    faults = []
    at = chance.uniform(*_PAUSE)
    while at < seconds:
        faults.append(Fault(at, _of_a_server(chance)))
        at += chance.uniform(*_PAUSE)
    if outages:
        # Once with a worker, once with a whole server that dies while there is no database.
        for part, meanwhile in zip(_DATABASE_AT, (_worker_dies, _host_hangs), strict=True):
            faults.append(
                Fault(
                    part * seconds,
                    partial(_crash, chance.uniform(0.5, 3.0), meanwhile, chance.randrange(SERVERS)),
                )
            )
        faults.append(Fault(_STORE_AT * seconds, _lose_store(chance.uniform(1.0, 4.0))))
    return sorted(faults, key=lambda fault: fault.at)


def _of_a_server(chance: random.Random) -> Callable[[Cluster], None]:
    number, seconds, worker = (
        chance.randrange(SERVERS),
        chance.uniform(0.5, 3.0),
        random.Random(chance.random()),
    )
    return chance.choice([
        lambda cluster: cluster.kill_server(number, seconds / 3),
        lambda cluster: cluster.kill_worker(number, worker),
        lambda cluster: cluster.restart_server(number),
        lambda cluster: cluster.pause_server(number, seconds),
    ])  # fmt: skip


def _crash(seconds: float, meanwhile: Callable[[Cluster, int], None], number: int, cluster: Cluster) -> None:
    cluster.restart_database(seconds, partial(meanwhile, cluster, number))


def _worker_dies(cluster: Cluster, number: int) -> None:
    cluster.kill_worker(number, random.Random(number))


def _host_hangs(cluster: Cluster, number: int) -> None:
    cluster.pause_server(number, 1.0)


def _lose_store(seconds: float) -> Callable[[Cluster], None]:
    return lambda cluster: cluster.restart_store(seconds)


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
