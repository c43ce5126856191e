"""The servers under measurement, each a process of its own; they run on the cores of the process that starts them."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

_START_SECONDS = 60.0
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def cores() -> tuple[frozenset[int], frozenset[int]]:
    """The core of the servers and the core of the load; the same one where there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return frozenset({available[0]}), frozenset({available[-1]})


def free_port() -> int:
    """A port nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A running server."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str) -> None:
        self._process = process
        self.url = url

    def cpu_seconds(self) -> float:
        """Processor time that its processes have used."""
        return cpu_seconds(self.pids())

    def pids(self) -> list[int]:
        """Its processes."""
        return list(_family(self._process.pid))


def running(*command: str, port: int | None = None) -> AbstractContextManager[Server]:
    """Run a Python module as a server, as `running_program` runs a program."""
    return running_program(sys.executable, "-m", *command, port=port)


@contextmanager
def running_program(*command: str, port: int | None = None, scheme: str = "http") -> Iterator[Server]:
    """Run a program as a server until the block ends.

    It is ready when it prints a line that ends with its URL, or answers on `port`.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE if port is None else log, stderr=log)
        try:
            url = _printed_url(process) if port is None else _answering_url(process, port, scheme)
            if url is None:
                process.wait()
                log.seek(0)
                sys.exit(f"{' '.join(command)} did not start: {log.read().decode(errors='replace')}")
            yield Server(process, url)
        finally:
            process.terminate()
            process.wait()
            if process.stdout:
                process.stdout.close()


def _printed_url(process: "subprocess.Popen[bytes]") -> str | None:
    assert process.stdout is not None
    words = process.stdout.readline().decode().split()
    return words[-1] if words else None


def _answering_url(process: "subprocess.Popen[bytes]", port: int, scheme: str) -> str | None:
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return f"{scheme}://127.0.0.1:{port}"
    process.kill()
    return None


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from _family(int(child))


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time that processes have used, to a hundredth of a second."""
    return sum(map(_cpu_seconds, pids))


def _cpu_seconds(pid: int) -> float:
    """User and system time (proc(5), fields 14 and 15 of stat; the name in field 2 may hold blanks)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS
