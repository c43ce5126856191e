"""The gunicorn worker: runs the fast door on gunicorn's sockets."""

import asyncio
import errno
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import uvloop
from gunicorn.errors import AppImportError
from gunicorn.workers.base import Worker
from sqlalchemy.exc import OperationalError

from kms_server.diagnosis import in_words
from kms_server.errors import DatabaseDown, OperatorError
from kms_server.server.door import Door
from kms_server.server.http_door import Connection
from kms_server.server.listeners import Listeners
from kms_server.server.logs import AccessLog
from kms_server.server.worker_state import WorkerState
from kms_server.server.wsgi_bridge import WsgiBridge

_SWEEP_SECONDS = 0.25
_DRAIN_SWEEP_SECONDS = 0.02
_COLLECT_AFTER = 50_000
_REST_SECONDS = 0.25
_RESTS_BEFORE_ANOTHER = 4
# What a disk refuses until it is mended, and a process until others end.
_PASSING = frozenset({errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE})
_BEGIN_AGAIN = 1  # any exit code at which gunicorn starts another worker

_LOG = logging.getLogger(__name__)


def prepare_collector() -> None:
    """What is there now stays; the collector need not look at it again for every few calls."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


def _soon(loop: asyncio.AbstractEventLoop, owner: int, work: Callable[[], None]) -> None:
    """Have the loop of the thread `owner` do that soon; other threads have to wake it, which takes two system calls."""
    if threading.get_ident() == owner:
        loop.call_soon(work)
    else:
        loop.call_soon_threadsafe(work)


class _Orders:
    """What the master has told by signals: to stop (TERM), to stop at once (INT, QUIT), to read the certificate (HUP)."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.stop, self.hurry, self.renew = asyncio.Event(), asyncio.Event(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, self.renew.set)
        for number in (signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, self._hurry)

    def _hurry(self) -> None:
        self.stop.set()
        self.hurry.set()


class KmsWorker(Worker):  # type: ignore[misc]  # gunicorn has no annotations
    """One process with one event loop; `app.wsgi()` composes what it serves, after the fork."""

    wsgi: WorkerState

    def init_signals(self) -> None:
        """Leave signals to the event loop."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        # HUP may come before the loop is there, which looks for new certificates itself when it begins.
        for number in (signal.SIGUSR1, signal.SIGWINCH, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)

    def load_wsgi(self) -> None:
        """Compose what is served; what the operator must mend is one line and no traceback.

        gunicorn ends the server when a worker fails to begin. The database was there when the server began: a worker that
        takes the place of another waits for it, and for a disk that takes no writes.
        """
        waits = False
        while True:
            try:
                super().load_wsgi()
            except DatabaseDown as error:
                if not waits:
                    _LOG.warning("a worker waits: %s", error)
                waits = True
                self._rest()
            except OperatorError as error:
                raise AppImportError(f"kms-server: {error}") from None
            except (OperationalError, OSError) as error:
                if isinstance(error, OSError) and error.errno not in _PASSING:
                    place = f": {error.filename}" if error.filename else ""
                    raise AppImportError(f"kms-server: {in_words(error)}{place}") from None
                _LOG.error("a worker could not begin, another follows: %s", in_words(error))
                for _ in range(_RESTS_BEFORE_ANOTHER):
                    self._rest()
                sys.exit(_BEGIN_AGAIN)
            else:
                return

    def _rest(self) -> None:
        self.notify()
        time.sleep(_REST_SECONDS)
        if os.getppid() != self.ppid:
            sys.exit(_BEGIN_AGAIN)

    def run(self) -> None:
        """Serve until told to stop, then drain."""
        prepare_collector()
        uvloop.run(self._serve())
        sys.exit(0)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        orders, state = _Orders(), self.wsgi
        door = Door(
            state.pipeline,
            WsgiBridge(state.flask_app),
            state.limits,
            state.streams,
            state.entrance,
            state.waits,
            state.memory,
            state.tally,
        )
        if state.state.settings.access_log:
            door.access_log = AccessLog()
        door.traces = state.traces
        soon = partial(_soon, loop, threading.get_ident())
        for batches in state.batches:
            batches.soon, batches.on_batch = soon, loop.call_soon_threadsafe
        listeners = Listeners(
            [one.sock for one in self.sockets], partial(Connection, door), self.app.certificates,
            state.limits.header_timeout,
        )  # fmt: skip
        await listeners.open()
        if self.age == 1:
            sys.stdout.write(f"kms-server is ready at {state.url}\n")
            sys.stdout.flush()
        while not orders.stop.is_set() and os.getppid() == self.ppid:
            await self._pause(door, orders.stop, _SWEEP_SECONDS)
            state.say_alive(len(door.connections))
            if orders.renew.is_set():
                orders.renew.clear()
                await listeners.renew()
        await self._drain(door, listeners, orders)
        await loop.run_in_executor(None, door.close)
        await loop.run_in_executor(None, state.close)

    async def _pause(self, door: Door, until: asyncio.Event, seconds: float) -> None:
        await self._sweep(door)
        try:
            await asyncio.wait_for(until.wait(), seconds)
        except TimeoutError:
            return

    async def _drain(self, door: Door, listeners: Listeners, orders: _Orders) -> None:
        """First let balancers and clients go elsewhere, then take no more connections and finish what was taken."""
        limits = self.wsgi.limits
        self.wsgi.health.draining = True
        door.leave()
        if orders.stop.is_set():  # otherwise the master is dead, and so are those who would look
            await self._sweep_while(door, lambda: not orders.hurry.is_set(), limits.drain_delay)
        listeners.close()
        await self._sweep(door)
        door.drain()
        await self._sweep_while(door, lambda: door.is_busy, limits.graceful_timeout)
        door.cut_off()

    async def _sweep_while(self, door: Door, condition: Callable[[], bool], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while condition() and loop.time() < deadline:
            await self._sweep(door)
            self.wsgi.say_alive(len(door.connections))
            await asyncio.sleep(_DRAIN_SWEEP_SECONDS)

    async def _sweep(self, door: Door) -> None:
        self.notify()
        await door.sweep()
