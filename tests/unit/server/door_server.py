"""The fast door on a real socket, in a thread, before a small pipeline that tests can steer."""

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import uvloop
from msgspec import structs

from kms_server.batches import Ticket
from kms_server.config import Limits
from kms_server.errors import KMSInternalException
from kms_server.keyring.cache import WouldBlock
from kms_server.protocol.message import Request, Response
from kms_server.quotas.limiter import Undecided
from kms_server.quotas.shared_buckets import Decision
from kms_server.server.door import Door
from kms_server.server.door_types import Answerer, StreamAnswerer, failure
from kms_server.server.entrance import OPEN, Entrance
from kms_server.server.flask_app import create_app
from kms_server.server.gunicorn_app import bind
from kms_server.server.health import Health
from kms_server.server.http_door import Connection
from kms_server.server.metrics import Metrics
from kms_server.server.pipeline import Arrival, Ended, Outcome, Stage
from kms_server.server.wsgi_bridge import WsgiBridge
from kms_server.storage.waits import Waits


class SteeredMemory:
    """Changes when a test says so; a look at it lasts until `gate` is open, and may fail."""

    def __init__(self) -> None:
        self.is_stale = False
        self.is_recent = False
        self.fails = False
        self.gate = threading.Event()
        self.begun = threading.Semaphore(0)
        self.looks = 0
        self.waits = Waits()

    def reread(self) -> None:
        self.looks += 1
        self.begun.release()
        with self.waits.noted():
            assert self.gate.wait(20)
        if self.fails:
            raise ZeroDivisionError

    @contextmanager
    def recent(self) -> Iterator[None]:
        self.is_recent = True
        yield
        self.is_recent = False


class SteeredPipeline:
    """Answers with the request it got; the path says how: `/cold`, `/ended`, `/recorded`, `/blocked`, `/broken`, `/limited`,
    `/large/N`.

    `/kept` is blocked by the storage, as `waits` tells, and `/fresh` while `memory` is stale.
    """

    memory = SteeredMemory()

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.threads: list[str] = []
        self.tickets: list[Ticket] = []
        self.charged: list[bool] = []
        self.decisions: list[Decision] = []
        self.undecided = threading.Semaphore(0)
        self._asked: dict[int, Decision] = {}
        self.unblock = threading.Event()
        self.waits = Waits()
        self.completed = threading.Semaphore(0)
        self.turn = nullcontext()

    @property
    def stages(self) -> tuple[Stage, ...]:
        return (self._limit, self._answer)

    def _limit(self, arrival: Arrival) -> Arrival:
        """Wait for the decision of a call's limits, which is asked for once."""
        request, may_block = arrival.request, arrival.may_block
        if request.path.startswith("/ended"):
            raise Ended(Outcome(self._echo(request), None, lambda: failure(KMSInternalException())))
        if request.path.startswith("/limited") and not may_block:
            decision = self._asked.get(id(request))
            if decision is None:
                decision = self._asked[id(request)] = Decision()
                self.decisions.append(decision)
                self.undecided.release()
            if not decision.done:
                raise Undecided(decision)
        return arrival

    def _answer(self, arrival: Arrival) -> Outcome:
        request, may_block = arrival.request, arrival.may_block
        kind = request.path.split("/")[1]
        stale = kind == "fresh" and self.memory.is_stale and not self.memory.is_recent
        if (stale or kind in {"cold", "blocked", "kept"}) and not may_block:
            raise WouldBlock
        self.threads.append(threading.current_thread().name.partition("_")[0])
        if kind == "broken":
            raise ZeroDivisionError
        if kind == "blocked":
            assert self.unblock.wait(20)
        if kind == "kept":
            with self.waits.noted():
                assert self.unblock.wait(20)
        ticket: Ticket | None = None
        if kind == "recorded":
            ticket = Ticket()
            self.tickets.append(ticket)
        self.charged.append(arrival.charged)
        self.requests.append(request)
        self.completed.release()
        return Outcome(self._echo(request), ticket, lambda: failure(KMSInternalException()), charged=True)

    @staticmethod
    def _echo(request: Request) -> Response:
        if request.path.startswith("/large/"):
            return Response(200, (("Content-Type", "text/plain"),), b"x" * int(request.path.split("/")[2]))
        seen = structs.asdict(request) | {"body": request.body.decode("latin-1")}
        return Response(200, (("Content-Type", "application/json"),), json.dumps(seen).encode())

    def wait_for_calls(self, count: int = 1) -> None:
        """Wait until that many more calls have got their answer from the pipeline."""
        for _ in range(count):
            assert self.completed.acquire(timeout=20)


def connections_of(door: Door) -> list[Connection]:
    """The open connections, with what is inside them."""
    return [connection for connection in door.connections if isinstance(connection, Connection)]


@dataclass(frozen=True)
class RunningDoor:
    """A door that listens."""

    door: Door
    loop: asyncio.AbstractEventLoop
    port: int

    def call(self, work: Callable[[], object]) -> None:
        """Run something in the event loop's thread."""
        done = threading.Event()

        def run() -> None:
            work()
            done.set()

        self.loop.call_soon_threadsafe(run)
        assert done.wait(20)

    def pause(self, seconds: float, *, within: bool) -> None:
        """Have the process get no time from now on for so long, right before a sweep or within one."""

        async def pause() -> None:
            if within:
                self.loop.call_soon(time.sleep, seconds)
            else:
                time.sleep(seconds)  # noqa: ASYNC251 - nothing else may run
            await self.door.sweep()

        asyncio.run_coroutine_threadsafe(pause(), self.loop)

    @contextmanager
    def connection(self, context: ssl.SSLContext | None = None) -> Iterator[socket.socket]:
        """A client's connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain:
            if context is None:
                yield plain
            else:
                with context.wrap_socket(plain, server_hostname="localhost") as secured:
                    yield secured

    def exchange(self, data: bytes) -> bytes:
        """Send bytes, then read until the server closes."""
        with self.connection() as client:
            client.sendall(data)
            return read_all(client)


def read_all(client: socket.socket) -> bytes:
    """What comes until the other side closes."""
    received = b""
    while piece := client.recv(65_536):
        received += piece
    return received


def read_answer(client: socket.socket, *, with_body: bool = True) -> tuple[int, dict[str, str], bytes]:
    """One answer: status, headers by lower-case name, body."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = client.recv(1)
        assert piece, received
        received += piece
    status, headers = parse_head(received)
    body = bytearray()
    length = int(headers.get("content-length", "0")) if with_body else 0
    while len(body) < length:
        piece = client.recv(length - len(body))
        assert piece, body
        body += piece
    return status, headers, bytes(body)


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers."""
    first, *lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    return int(first.split()[1]), {
        name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
    }


@contextmanager
def running_door(
    pipeline: Answerer, limits: Limits | None = None, *, health: Health | None = None, tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1", streams: StreamAnswerer | None = None, entrance: Entrance = OPEN,
    waits: Waits | None = None, metrics: Metrics | None = None, memory: SteeredMemory | None = None,
) -> Iterator[RunningDoor]:  # fmt: skip
    """Serve `pipeline` until the block ends."""
    limits = limits or Limits()
    started: Future[RunningDoor] = Future()
    stopping: Future[None] = Future()

    async def serve() -> None:
        app = create_app(pipeline, health or Health(), limits, metrics=metrics)
        door = Door(pipeline, WsgiBridge(app), limits, streams, entrance, waits, memory)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(partial(Connection, door), sock=bind(host, 0), ssl=tls)
        started.set_result(RunningDoor(door, loop, server.sockets[0].getsockname()[1]))
        while not stopping.done():
            await door.sweep()
            await asyncio.sleep(0.01)
        server.close()
        for connection in connections_of(door):
            connection._transport.abort()
        await loop.run_in_executor(None, door.close)

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    try:
        yield started.result(20)
    finally:
        stopping.set_result(None)
        thread.join()


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
