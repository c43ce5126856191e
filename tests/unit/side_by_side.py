"""Threads that do the same at the same time."""

import threading
from collections.abc import Callable


def side_by_side(count: int, work: Callable[[int], None]) -> None:
    """Run `work` in threads; what one raises fails the test."""
    failures: list[BaseException] = []
    together = threading.Barrier(count)

    def run(number: int) -> None:
        together.wait()
        try:
            work(number)
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
