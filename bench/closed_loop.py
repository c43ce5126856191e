"""A closed loop: N connections, each sends its next request when the last is answered."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from bench.connections import Connections


class Closed(NamedTuple):
    """Latencies of the answers within `seconds`, and how many came in all, those of requests then under way included."""

    latencies: list[float]
    seconds: float
    answers: int


def run(connections: Connections, requests: Iterable[bytes], seconds: float) -> Closed:
    """Keep every connection busy for so long, or until the requests are used up.

    Raises:
        TimeoutError: nothing was answered for a long time.
    """
    supply, clock = iter(requests), time.perf_counter
    latencies: list[float] = []
    begin = clock()
    end = begin + seconds
    waiting = answers = 0
    for connection, request in zip(connections.all(), supply, strict=False):
        connection.send(request, clock())
        waiting += 1
    while waiting:
        for connection in connections.answered():
            now = clock()
            answers += 1
            if now < end:
                latencies.append(now - connection.sent)
            request = next(supply, b"") if now < end else b""
            if request:
                connection.send(request, now)
            else:
                end = min(end, now)
                waiting -= 1
    return Closed(latencies, end - begin, answers)
