"""The gunicorn worker: runs the fast door on gunicorn's sockets."""

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from functools import partial

import uvloop
from gunicorn.errors import AppImportError
from gunicorn.workers.base import Worker
from sqlalchemy.exc import OperationalError

from kms_server.errors import DatabaseDown, OperatorError
from kms_server.server.door import Door
from kms_server.server.http_door import Connection
from kms_server.server.worker_state import WorkerState
from kms_server.server.wsgi_bridge import WsgiBridge

_SWEEP_SECONDS = 0.25
_COLLECT_AFTER = 50_000
_DRAIN_SECONDS = 25.0
_TLS_SHUTDOWN_SECONDS = 2.0
_REST_SECONDS = 0.25
_BEGIN_AGAIN = 1  # any exit code at which gunicorn starts another worker

_LOG = logging.getLogger(__name__)


def prepare_collector() -> None:
    """What is there now stays; the collector need not look at it again for every few calls."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


class KmsWorker(Worker):  # type: ignore[misc]  # gunicorn has no annotations
    """One process with one event loop; `app.wsgi()` composes what it serves, after the fork."""

    wsgi: WorkerState

    def init_signals(self) -> None:
        """Leave signals to the event loop."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGWINCH, signal.SIG_IGN)

    def load_wsgi(self) -> None:
        """Compose what is served; what the operator must mend is one line and no traceback.

        gunicorn ends the server when a worker fails to begin. The database was there when the server began: a worker that
        takes the place of another waits for it.
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
            except OperationalError as error:
                _LOG.error("a worker could not begin, another follows: %s", type(error).__name__)
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
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, stopping.set)
        state = self.wsgi
        door = Door(
            state.pipeline,
            WsgiBridge(state.flask_app),
            state.limits,
            state.streams,
            state.entrance,
            state.waits,
            state.memory,
        )
        for batches in state.batches:
            batches.soon = batches.on_batch = loop.call_soon_threadsafe
        servers = [
            await loop.create_server(
                partial(Connection, door), sock=sock.sock, backlog=1024, ssl=state.tls,
                ssl_handshake_timeout=state.limits.header_timeout if state.tls else None,
                ssl_shutdown_timeout=_TLS_SHUTDOWN_SECONDS if state.tls else None,
            )
            for sock in self.sockets
        ]  # fmt: skip
        if self.age == 1:
            sys.stdout.write(f"kms-server is ready at {state.url}\n")
            sys.stdout.flush()
        while not stopping.is_set() and os.getppid() == self.ppid:
            self.notify()
            door.sweep()
            try:
                await asyncio.wait_for(stopping.wait(), _SWEEP_SECONDS)
            except TimeoutError:
                continue
        await self._drain(door, servers)
        await loop.run_in_executor(None, door.close)
        await loop.run_in_executor(None, state.close)

    async def _drain(self, door: Door, servers: list[asyncio.Server]) -> None:
        for server in servers:
            server.close()
        door.drain()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _DRAIN_SECONDS
        while door.connections and loop.time() < deadline:
            self.notify()
            door.sweep()
            await asyncio.sleep(0.02)
        door.cut_off()
