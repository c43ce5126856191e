"""Three servers on one PostgreSQL and one Redis, and what is done to them."""

import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import postgres_server, redis_server
from tests.functional.limit_load import admissions
from tests.functional.server_process import Access, ServerProcess

SERVERS = 3
# Seconds that a change may take: a pause is over by then, on a busy machine too.
DEADLINE = 10.0
DATABASE, STORE, PAUSED = "database", "store", "paused"
_UNTIL_ALL_KNOW = 2.0  # seconds after which every worker counts in the store again


@dataclass(frozen=True)
class Window:
    """When something was away, in monotonic seconds; `what` is DATABASE, STORE, the number of a server, or that and PAUSED."""

    what: str
    begin: float
    end: float

    def touches(self, begin: float, end: float, margin: float) -> bool:
        """Whether a time from `begin` to `end` has a moment in it, or in the `margin` after it."""
        return begin <= self.end + margin and end >= self.begin


class Cluster:
    """What runs, in `directory`; `windows` are the times in which a part of it was away, `survived` counts them by kind.

    `fell` says of each server that ended by itself what it said last.
    """

    def __init__(self, directory: Path, processes: ExitStack) -> None:
        # Short, and below a directory that every user may enter.
        self.postgres = postgres_server.start(Path(tempfile.mkdtemp(prefix="kms-pg-")), durable=True)
        processes.callback(self.postgres.stop)
        self.redis = processes.enter_context(redis_server.running())
        self.database_url = self.postgres.new_database("soak")
        self.windows: list[Window] = []
        self.survived: Counter[str] = Counter()
        self.fell: list[str] = []
        self.limit_logs = [directory / f"limits-{number}.jsonl" for number in range(SERVERS)]
        self.servers: list[ServerProcess] = []
        self._processes = processes
        for number in range(SERVERS):
            self._add(directory / f"server-{number}", self.limit_logs[number])

    def _add(self, directory: Path, limit_log: Path) -> None:
        directory.mkdir()
        options = ["--database-url", self.database_url, "--quota-url", self.redis.url,
                   "--quota-profile", "unlimited", "--limit-log", str(limit_log), "--audit-deadline", str(DEADLINE)]  # fmt: skip
        if self.servers:
            options += ["--root-key", f"file:{self.servers[0].data_dir / 'root.key'}"]
        server = ServerProcess(directory, *options)
        self._processes.callback(_end, server)
        self.servers.append(server)

    def accesses(self, of: Access) -> list[Access]:
        """What one principal needs to reach each server."""
        return [Access(server.url, of.access_key_id, of.secret) for server in self.servers]

    def kill_server(self, number: int, seconds: float) -> None:
        """SIGKILL a whole server, and start it `seconds` later."""
        with self._away(f"server {number} killed", str(number)):
            self.servers[number].kill9()
            time.sleep(seconds)
            self.servers[number].restart()

    @contextmanager
    def worker_killed(self, number: int, chance: random.Random) -> Iterator[None]:
        """SIGKILL one worker; its server goes on. What happens in the block happens at the same time."""
        with self._away(f"a worker of server {number} killed", str(number)):
            os.kill(chance.choice(self.servers[number].worker_pids()), signal.SIGKILL)
        yield

    def restart_server(self, number: int) -> None:
        """SIGTERM, and a start."""
        with self._away(f"server {number} restarted", str(number)):
            code = self.servers[number].stop()
            assert code == 0, f"server {number} ended with {code}"
            self.servers[number].restart()

    @contextmanager
    def paused(self, number: int) -> Iterator[None]:
        """Within the block no process of a server does anything, as on a host that hangs. It is not away: clients wait."""
        with self._away(f"server {number} paused", f"{number} {PAUSED}"):
            os.killpg(self.servers[number].pid, signal.SIGSTOP)
            yield
            os.killpg(self.servers[number].pid, signal.SIGCONT)

    def restart_database(self, seconds: float, meanwhile: AbstractContextManager[None]) -> None:
        """Crash the database, and start it after `seconds`; `meanwhile` begins while it is away and ends when it is back."""
        with ExitStack() as ends, self._away("database crashed and restarted", DATABASE):
            self.postgres.crash()
            time.sleep(seconds / 2)
            ends.enter_context(meanwhile)
            time.sleep(seconds / 2)
            self.postgres.restart()

    def restart_store(self, seconds: float) -> None:
        """Kill the store of counters, and start it again, empty."""
        with self._away("store of counters killed and restarted", STORE):
            self.redis.kill()
            time.sleep(seconds)
            self.redis.start()

    @contextmanager
    def _away(self, kind: str, what: str) -> Iterator[None]:
        self.survived[kind] += 1
        begin = time.monotonic()
        yield
        self.windows.append(Window(what, begin, time.monotonic()))

    def all_up(self) -> None:
        """Wait until each server answers with all its workers."""
        for server in self.servers:
            server.all_worker_pids()

    def admissions(self, key: str) -> list[float]:
        """When calls passed the limit of a key, in microseconds of whoever counted."""
        return admissions(self.limit_logs, f"key:{key}")

    def counted_together(self, moments: list[float]) -> list[list[float]]:
        """Parts of sorted `moments`, in microseconds since 1970, within which the store was never away."""
        now = time.time() - time.monotonic()
        away = [(window.begin + now, window.end + now) for window in self.windows if window.what == STORE]
        edges = [
            0.0,
            *(edge for window in away for edge in (window[0], window[1] + _UNTIL_ALL_KNOW)),
            float("inf"),
        ]
        spans = zip(edges[::2], edges[1::2], strict=True)
        return [[moment for moment in moments if begin * 1e6 <= moment < end * 1e6] for begin, end in spans]

    def raise_fallen(self) -> None:
        """Start what ended by itself, which must not be."""
        for number, server in enumerate(self.servers):
            if not server.is_running:
                self.fell.append(f"server {number}: {server.log.read_text()[-1_000:]}")
                with self._away(f"server {number} started again", str(number)):
                    server.restart()


def _end(server: ServerProcess) -> None:
    if server.is_running:
        server.kill9()
