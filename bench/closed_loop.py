"""A closed loop: N connections, each sends its next request when the last is answered."""

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from bench.connections import STALL_SECONDS, Connections


class Closed(NamedTuple):
    """Latencies of the answers within `seconds`, and how many came in all, those of requests then under way included.

    `busy` is for how long (seconds) the generator did not wait.
    """

    latencies: list[float]
    seconds: float
    answers: int
    busy: float


def run(
    connections: Connections, requests: Iterable[bytes], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> Closed:  # fmt: skip
    """Keep every connection busy for so long, or until the requests are used up; never sleeps: to wake up takes time, too.

    It takes longer where not even as many answers have come as there are connections: the first of them come together
    from a slow server, and a rate of what comes before or after says nothing.

    Raises:
        TimeoutError: nothing was answered for a long time.
    """
    supply = iter(requests)
    latencies: list[float] = []
    begin = clock()
    end = begin + seconds
    waiting = answers = 0
    for connection, request in zip(connections.all(), supply, strict=False):
        connection.send(request, clock())
        waiting += 1
    least, heard, busy = waiting, clock(), 0.0
    while waiting:
        since = clock()
        for connection in connections.answered():
            heard = now = clock()
            request = b""
            answers += 1
            if now < end or len(latencies) < least:
                latencies.append(now - connection.sent)
                end = max(end, now)
                request = next(supply, b"")
                if not request:
                    end, least = now, 0
            if request:
                connection.send(request, now)
            else:
                waiting -= 1
        if heard >= since:
            busy += clock() - since
        elif since - heard > STALL_SECONDS:
            raise TimeoutError(f"no answer within {STALL_SECONDS:g} s")
    return Closed(latencies, end - begin, answers, busy)
