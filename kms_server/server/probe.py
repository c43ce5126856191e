"""Asking what may never answer."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait

# A probe may cost a sync of the disk, so it is made no oftener, whoever asks for health.
_FRESH_SECONDS = 1.0


class Probe:
    """Runs a check in threads of its own, one at a time; `patience` is how many seconds somebody waits for it."""

    def __init__(self, check: Callable[[], object], patience: float) -> None:
        self._check = check
        self._patience = patience
        self._lock = threading.Lock()
        self._began = 0.0
        self._result: Future[str | None] | None = None

    def trouble(self) -> str | None:
        """What the last check found, in words that go on `the database ...`; a check is begun unless one is new or under way."""
        with self._lock:
            result = self._result
            if result is None or (result.done() and time.monotonic() - self._began > _FRESH_SECONDS):
                self._began = time.monotonic()
                result = self._result = Future()
                # A thread that hangs must not keep the process from ending.
                threading.Thread(target=self._run, args=(result,), name="probe", daemon=True).start()
        if wait((result,), self._patience).done:
            return result.result()
        return f"does not answer: {time.monotonic() - self._began:.0f} s so far"

    def _run(self, result: "Future[str | None]") -> None:
        try:
            self._check()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            result.set_result(f"does not answer: {type(error).__name__}")
        else:
            result.set_result(None)
