"""What all connections of a worker's fast door share."""

import asyncio
import logging
import time
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Protocol
from weakref import WeakKeyDictionary

from kms_server.config import Limits
from kms_server.server.door_types import Answerer, StreamAnswerer, is_claimed
from kms_server.server.entrance import OPEN, Entrance
from kms_server.server.http_writer import HttpWriter
from kms_server.server.logs import AccessLog
from kms_server.server.pipeline import Stage
from kms_server.server.tally import Tally
from kms_server.server.threads import PATIENT, Errand, Threads
from kms_server.server.traces import Traces
from kms_server.server.turns import Turns
from kms_server.server.wsgi_bridge import WsgiBridge
from kms_server.storage.waits import Waits

_LOG = logging.getLogger(__name__)
_NOTHING = nullcontext()
# What calls may do together is dearer for fewer.
_MANY = 8
_OWN_THREADS = 2
# How long the end waits for those who have connected and still agree on TLS.
_HANDSHAKE_SECONDS = 2.0
# A round of the event loop that takes longer is taken for a pause of the process, unless all are so long.
_PAUSE_SECONDS = 0.1
_MOST_ROUNDS = 3


class Guest(Protocol):
    """What a door asks of a connection.

    `work` is what has become of the request under way on its way through the stages; None: it is on none.
    """

    work: object

    def begin(self) -> bool:
        """Take the next request unless one is under way; whether one was taken."""

    def stop(self, stage: Stage, work: object, error: Exception) -> None:
        """The request under way does not get through a stage, which has raised `error` over `work`."""

    def resume(self, stage: Stage) -> None:
        """Have a request that waits in a stage go on from there."""

    def recall(self) -> None:
        """What has changed is known; the stage that waits for it can take the request."""

    def finish(self) -> None:
        """Have a request that is through wait for its record, and go on with whatever else waits."""

    def check_time(self, now: float) -> None:
        """End what takes too long; `now` is in monotonic seconds."""

    def abort(self) -> None:
        """Close at once."""

    def close_if_idle(self) -> None:
        """Close unless an answer is due."""


class Memory(Protocol):
    """What calls know of the database."""

    @property
    def is_stale(self) -> bool:
        """Whether something may have changed."""

    def reread(self) -> None:
        """Ask the database what has changed; waits."""

    def recent(self) -> AbstractContextManager[None]:
        """Within the block calls on the event loop take what was last read for up to date."""


class Door:
    """What all connections of a worker share.

    The tickets of the pipeline's outcomes must be resolved in the event loop's thread. `claims` says which requests are
    for `streams`; it is None where there is none. `waits` are those of the database whose calls are answered, and
    `memory` is what they remember of it. `tally` counts calls, and `access_log` has a line for each answer
    and `traces` a span for each call, but for those of `streams`, who tell of their own.
    """

    def __init__(
        self, pipeline: Answerer, bridge: WsgiBridge, limits: Limits, streams: StreamAnswerer | None = None,
        entrance: Entrance = OPEN, waits: Waits | None = None, memory: Memory | None = None,
        tally: Tally | None = None,
    ) -> None:  # fmt: skip
        self.stages = pipeline.stages
        self._in_turn = pipeline.turn
        self.bridge = bridge
        self.limits = limits
        self.streams = streams
        self.claims = partial(is_claimed, streams) if streams is not None else None
        self.entrance = entrance
        self.writer = HttpWriter()
        waits = waits or Waits()
        self.threads = Threads(limits.cold_threads, "cold", waits, PATIENT)
        self.stream_threads = Threads(limits.stream_threads, "stream", waits, PATIENT)
        self.turns = Turns(limits.stream_threads)
        # Health must answer also when every other thread waits for the database.
        self.own_threads = Threads(_OWN_THREADS, "own", waits)
        self.tally = tally
        self.access_log: AccessLog | None = None
        self.traces: Traces | None = None
        self._memory = memory
        # Calls that only wait for this must not stand behind those that work for long.
        self._memory_threads = Threads(1, "memory", waits)
        self.looking: Errand[None] | None = None
        self._forgetful: list[Guest] = []
        self.connections: set[Guest] = set()
        # When those came (monotonic seconds) who still agree on TLS; of a handshake that fails nobody is told.
        self.coming: WeakKeyDictionary[Guest, float] = WeakKeyDictionary()
        self.leaving = self.draining = self.over = False
        self._loop = asyncio.get_running_loop()
        self._turn: list[Guest] = []
        self._held: list[Guest] = []

    def soon(self, connection: Guest) -> None:
        """Go on with a connection when all that has arrived is read."""
        if not self._turn:
            self._loop.call_soon(self._take_turn)
        self._turn.append(connection)

    def _take_turn(self) -> None:
        """Take the requests that have arrived through one stage after the other, not one request after the other.

        The processor's first caches hold a stage, but not the whole way: it is a third faster than one by one.
        """
        # A long request may arrive in several pieces within a turn.
        turn, self._turn = list(dict.fromkeys(self._turn)), []
        for connection in turn:
            try:
                connection.begin()
            except Exception as error:  # noqa: BLE001 - one connection's failure must not stop the others' turn
                _give_up(connection, error)
        self._take(turn)

    def _take(
        self, turn: list[Guest], *, held: bool = False, within: AbstractContextManager[None] = _NOTHING
    ) -> None:
        try:
            with within, self._in_turn if len(turn) >= _MANY else _NOTHING:
                self.take_through(turn, held=held)
        finally:
            for connection in turn:
                try:
                    connection.finish()
                except Exception as error:  # noqa: BLE001 - as in a turn
                    _give_up(connection, error)

    def take_through(self, turn: list[Guest], *, held: bool = False) -> None:
        """Take the requests under way through the stages; those that are `held` wait in one of them."""
        for stage in self.stages:
            if held:
                for connection in turn:
                    connection.resume(stage)
            for connection in turn:
                work = connection.work
                if work is not None:
                    try:
                        connection.work = stage(work)
                    except Exception as error:  # noqa: BLE001 - the last resort: no input may get a traceback
                        _stop(connection, stage, work, error)

    def again(self, connection: Guest) -> None:
        """Go on with a connection whose request had to wait in a stage, when all that wait as long are known."""
        if not self._held:
            self._loop.call_soon(self._take_held)
        self._held.append(connection)

    def look(self, connection: Guest) -> bool:
        """Go on with a connection when it is known what has changed; False where that is known.

        After a change all calls wait for one look at the database, and go on in the event loop. Each in a thread of its own
        would take longer, and the interpreter from those that follow.
        """
        if self._memory is None or not self._memory.is_stale or self._memory_threads.is_stuck:
            return False
        self._forgetful.append(connection)
        if self.looking is None:
            self._begin_look(self._memory)
        return True

    def _begin_look(self, memory: Memory) -> None:
        waiting, self._forgetful = self._forgetful, []
        self.looking = self._memory_threads.start(memory.reread)
        done = asyncio.wrap_future(self.looking.future, loop=self._loop)
        done.add_done_callback(partial(self._end_look, memory, waiting))

    def _end_look(self, memory: Memory, waiting: list[Guest], done: "asyncio.Future[None]") -> None:
        self.looking = None
        failed = done.cancelled() or done.exception() is not None
        for connection in waiting:
            connection.recall()
        # A look that begins after a call came sees all that was acknowledged before; of later calls that is not true.
        self._take(waiting, held=True, within=_NOTHING if failed else memory.recent())
        if self._forgetful and self.looking is None:
            self._begin_look(memory)

    def _take_held(self) -> None:
        turn, self._held = self._held, []
        self._take(turn, held=True)

    async def sweep(self) -> None:
        """End what is past a time limit; called a few times a second.

        After a pause of this process nobody is idle whose bytes have not been looked for. The event loop does that between
        two of its rounds; one in which it stood still is followed by another.
        """
        for _ in range(_MOST_ROUNDS):
            began = time.monotonic()
            await asyncio.sleep(0)
            if time.monotonic() - began < _PAUSE_SECONDS:
                break
        now = time.monotonic()
        for connection in list(self.connections):
            try:
                connection.check_time(now)
            except Exception as error:  # noqa: BLE001 - as in a turn
                _give_up(connection, error)

    def leave(self) -> None:
        """Say with each answer that it is the last of its connection: clients go elsewhere without losing a call."""
        self.leaving = True

    def drain(self) -> None:
        """Have connections closed when their answers are out; new ones get to send one request."""
        self.leaving = self.draining = True
        for connection in list(self.connections):
            connection.close_if_idle()

    @property
    def is_busy(self) -> bool:
        """Whether anybody is there, or may be soon."""
        since = time.monotonic() - _HANDSHAKE_SECONDS
        return bool(self.connections) or any(came > since for came in self.coming.values())

    def cut_off(self) -> None:
        """End what is still under way, and whatever comes; transfers fail."""
        self.over = True
        for connection in list(self.connections):
            connection.abort()

    def close(self) -> None:
        """Wait for calls whose clients have gone."""
        for threads in (self.threads, self.stream_threads, self.own_threads, self._memory_threads):
            threads.close()


def _stop(connection: Guest, stage: Stage, work: object, error: Exception) -> None:
    try:
        connection.stop(stage, work, error)
    except Exception as failure:  # noqa: BLE001 - as in a turn
        _give_up(connection, failure)


def _give_up(connection: Guest, error: Exception) -> None:
    _LOG.error("a connection failed: %s", type(error).__name__)
    connection.abort()
