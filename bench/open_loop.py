"""An open loop: requests are due at fixed times, whatever the answers do, and latencies count from then.

A request is sent when it is due, on a connection that has none under way. When all have one it waits for the first
that is answered, as it would in a client's pool, and that time counts: what a slow answer holds up is not left out.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.connections import STALL_SECONDS, Connections


@dataclass(frozen=True)
class Schedule:
    """`count` requests from `begin` on, `rate` a second."""

    begin: float
    rate: float
    count: int

    def at(self, number: int) -> float:
        """When a request is due; the first is 0."""
        return self.begin + number / self.rate

    def due(self, now: float) -> int:
        """How many requests are due by now."""
        return max(0, min(self.count, int((now - self.begin) * self.rate) + 1))


@dataclass
class Open:
    """What came of an open loop, in seconds.

    `lateness` is how long after its time each request was sent though a connection was free: the generator's own doing.
    `crowded` is how many had to wait for a connection, and `busy` for how long the generator did not wait.
    """

    latencies: list[float] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)
    crowded: int = 0
    busy: float = 0.0
    seconds: float = 0.0


def run(
    connections: Connections, requests: Sequence[bytes], rate: float, clock: Callable[[], float] = time.perf_counter
) -> Open:  # fmt: skip
    """Send all requests at a rate, and wait for all answers; never sleeps, since a timer would be late.

    Raises:
        TimeoutError: nothing was answered for a long time.
    """
    found, idle, sent = Open(), deque(connections.all()), 0
    schedule = Schedule(clock(), rate, len(requests))
    heard = schedule.begin
    while len(found.latencies) < schedule.count:
        since = now = clock()
        before = sent, len(found.latencies)
        for number in range(sent, min(schedule.due(now), sent + len(idle))):
            due, connection = schedule.at(number), idle.popleft()
            found.crowded += connection.free_since > due
            found.lateness.append(clock() - max(due, connection.free_since))
            connection.send(requests[number], due)
            sent += 1
        for connection in connections.answered():
            heard = connection.free_since = clock()
            found.latencies.append(heard - connection.sent)
            idle.append(connection)
        if (sent, len(found.latencies)) != before:
            found.busy += clock() - since
        elif now - heard > STALL_SECONDS and sent > len(found.latencies):
            raise TimeoutError(f"no answer within {STALL_SECONDS:g} s")
    found.seconds = clock() - schedule.begin
    return found
