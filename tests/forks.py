"""Processes that a test forks, which never go on as the test."""

import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Child:
    """A forked process; its exit `code`, negative for a signal, is there when the block of `forked` has ended."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.code: int | None = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
            self.pid = os.fork()
        if self.pid == 0:
            try:
                work()
                os._exit(0)
            except BaseException:  # noqa: BLE001 - whatever it is, the child must not go on as its parent
                traceback.print_exc()
                os._exit(1)


@contextmanager
def forked(work: Callable[[], object]) -> Iterator[Child]:
    """A process that does some work, beside the block, and has ended afterwards."""
    child = Child(work)
    try:
        yield child
    finally:
        child.code = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
