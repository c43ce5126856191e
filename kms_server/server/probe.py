"""Asking what may never answer."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait

from kms_server.diagnosis import in_words

# A probe may cost a sync of the disk, so it is made no oftener, whoever asks for health.
_FRESH_SECONDS = 1.0
_REMEMBERED_SECONDS = 60.0
_PATIENCE = 1.0


class _Inquiry:
    """Has something found out by threads of its own, one at a time; what was found holds for `fresh` seconds."""

    def __init__(self, find: Callable[[], str | None], fresh: float) -> None:
        self._find = find
        self._fresh = fresh
        self._lock = threading.Lock()
        self._began = 0.0
        self._result: Future[str | None] | None = None

    def result(self) -> "Future[str | None]":
        """What was found, or is being looked for."""
        with self._lock:
            result = self._result
            if result is None or (result.done() and time.monotonic() - self._began > self._fresh):
                self._began = time.monotonic()
                result = self._result = Future()
                # A thread that hangs must not keep the process from ending.
                threading.Thread(target=self._run, args=(result,), name="probe", daemon=True).start()
        return result

    def lasts(self) -> float:
        """For how many seconds the newest attempt has been under way, or is over."""
        return time.monotonic() - self._began

    def _run(self, result: "Future[str | None]") -> None:
        try:
            found = self._find()
        except Exception as error:  # noqa: BLE001 - whoever asks gets it
            result.set_exception(error)
        else:
            result.set_result(found)


class Probe:
    """A check that passes, fails, or hangs; `patience` is how many seconds somebody waits for it."""

    def __init__(self, check: Callable[[], None], patience: float) -> None:
        self._inquiry = _Inquiry(check, _FRESH_SECONDS)
        self._patience = patience

    def trouble(self) -> str | None:
        """What the last check found, in words that go on `the database ...`; a check is begun unless one is new or under way."""
        result = self._inquiry.result()
        if not wait((result,), self._patience).done:
            return f"does not answer: {self._inquiry.lasts():.0f} s so far"
        error = result.exception()
        return f"does not answer: {in_words(error)}" if error else None


class Remembered:
    """Something wrong that costs to find, or may never be found: it is looked for every `seconds`, and not waited for long."""

    def __init__(self, find: Callable[[], str | None], seconds: float = _REMEMBERED_SECONDS) -> None:
        self._inquiry = _Inquiry(find, seconds)
        self._waited_for: Future[str | None] | None = None
        self._found: str | None = None

    def __call__(self) -> str | None:
        """What was found last."""
        result = self._inquiry.result()
        if result is not self._waited_for:
            self._waited_for = result
            wait((result,), _PATIENCE)
        if result.done():
            error = result.exception()
            if error is None:
                self._found = result.result()
            else:
                self._found = f"what there is to warn of cannot be found: {in_words(error)}"
        return self._found
