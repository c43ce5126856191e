"""A real server in a process group of its own, and real clients for it."""

import json
import os
import random
import shlex
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import botocore.session
from botocore.config import Config

import kms_server
from tests.databases import embed
from tests.functional import processes
from tests.functional.command_line import Done, clean_environment, run_in

_EXTRAS = str(Path(kms_server.__file__).parent / "botocore_data")
_making_a_client = threading.Lock()


def _free_port() -> int:
    """A port that no client is given as its own while the server that listens there is down."""
    while True:
        port = random.randrange(20_000, 32_768)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


@cache
def _session(*, data_path: bool) -> botocore.session.Session:
    """One session for all clients: it reads each model once, which takes longer than most tests."""
    session = botocore.session.Session()
    if data_path:
        session.get_component("data_loader").search_paths.insert(0, _EXTRAS)
    return session


@dataclass(frozen=True)
class Access:
    """What a client needs to reach a server; travels to other processes."""

    url: str
    access_key_id: str
    secret: str = field(repr=False)
    verify: str | None = None

    def client(
        self, service: str, *, region_name: str = "us-east-1", max_attempts: int = 1, data_path: bool = False,
        config: Config | None = None, **overrides: Any,
    ) -> Any:  # fmt: skip
        """A stock client; one attempt unless a test wants retries."""
        credentials: dict[str, Any] = {
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret,
        }
        retries = Config(retries={"total_max_attempts": max_attempts, "mode": "standard"})
        with _making_a_client:
            return _session(data_path=data_path).create_client(
                service,
                region_name=region_name,
                endpoint_url=self.url,
                verify=self.verify,
                config=retries.merge(config) if config else retries,
                **(credentials | overrides),
            )


class ServerProcess:
    """`kms-server serve` on a free port, with its data in `directory`.

    Only a start `from_nothing` migrates an empty database. With `new_url`, PostgreSQL is what it has unless the options
    name another database. Where it is `alone` the directory is its current one, and that of
    its commands, so that /proc/self/cwd is a place that every server has for itself.
    """

    new_url: ClassVar[Callable[[], str] | None] = None

    def __init__(
        self, directory: Path, *options: str, workers: int = 2, env: dict[str, str] | None = None,
        own_interpreter: bool = False, from_nothing: bool = False, alone: bool = False,
    ) -> None:  # fmt: skip
        self.data_dir = directory / "data"
        self.log = directory / "server.log"
        self.options = options
        self._workers = workers
        self._own_interpreter = own_interpreter
        self._directory = directory if alone else Path()
        self._port = _free_port()
        if "--database-url" not in options and not self.data_dir.exists():
            if ServerProcess.new_url is not None:
                self.options = ("--database-url", ServerProcess.new_url(), *options)
            elif not from_nothing:
                embed(self.data_dir)
        root = str(Path(kms_server.__file__).parent.parent)
        # Tests look into the processes, which those of its user may only if the server says so.
        told = {"PYTHONPATH": root, "KMS_SERVER_ALLOW_TRACING": "1"}
        self._env = clean_environment() | told | (env or {})
        self.restart()

    def restart(self) -> None:
        """Start (again) on the same data and the same port."""
        listen = ["--port", str(self._port), "--workers", str(self._workers)]
        self._process, self.stdout = processes.start(
            ["serve", *listen, *self.where(), *self.options], self._env, self.log,
            own_interpreter=self._own_interpreter, directory=self._directory,
        )  # fmt: skip
        line = self.stdout.readline()
        assert line.startswith("kms-server is ready at "), self.log.read_text()
        self.url = line.split()[-1]

    def where(self) -> list[str]:
        """The options by which a command finds this server's state."""
        url = self.database_url
        return ["--data-dir", str(self.data_dir), *(["--database-url", url] if url else [])]

    @property
    def database_url(self) -> str | None:
        """Where its database is, unless that is in its data directory."""
        if "--database-url" not in self.options:
            return None
        return self.options[self.options.index("--database-url") + 1]

    def credentials(self) -> dict[str, str]:
        """The variables of credentials.env."""
        words = shlex.split((self.data_dir / "credentials.env").read_text())
        return dict(word.split("=", 1) for word in words if word != "export")

    @property
    def access(self) -> Access:
        """Access as the first root."""
        found = self.credentials()
        return Access(
            self.url, found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"], found.get("AWS_CA_BUNDLE")
        )

    def client(self, service: str, **options: Any) -> Any:
        """A client of the first root."""
        return self.access.client(service, **options)

    def cli(self, *arguments: str, check: bool = True, **streams: Any) -> Done:
        """Run another command on the same data; `streams` are those of `run_in`."""
        # A command's options stand behind its own name, which is one word or two.
        with chdir(self._directory):
            done = run_in(self._env, *arguments, *self.where(), **streams)
        assert not check or done.returncode == 0, done.stderr
        return done

    def _printed_access(self, *arguments: str) -> Access:
        lines = self.cli(*arguments).stdout.splitlines()
        values = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        return Access(
            self.url, values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"], self.access.verify
        )

    def new_access_key(self, account: str = "000000000000") -> Access:
        """Another root access key."""
        return self._printed_access("identity", "create-key", "--root", "--account", account)

    def account_client(self, service: str, account: str, **options: Any) -> Any:
        """A client of another account's root."""
        return self.new_access_key(account).client(service, **options)

    def user_access(self, name: str, policy: dict[str, Any]) -> Access:
        """Access as a new user with that identity policy."""
        path = self.data_dir.parent / f"{name}.json"
        path.write_text(json.dumps(policy))
        return self._printed_access("identity", "create-user", name, "--policy", str(path))

    def user_client(self, service: str, name: str, policy: dict[str, Any], **options: Any) -> Any:
        """A client of a new user with that identity policy."""
        return self.user_access(name, policy).client(service, **options)

    def audit_records(self, *filters: str) -> list[dict[str, Any]]:
        """All records, oldest first, by the command line."""
        lines = self.cli("audit", "query", "--format", "jsonl", *filters).stdout.splitlines()
        return [json.loads(line) for line in lines]

    @property
    def pid(self) -> int:
        """The master, which is the leader of the process group."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the master is there."""
        return bool(self._process.is_alive())

    def worker_pids(self) -> list[int]:
        """The worker processes."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def all_worker_pids(self) -> list[int]:
        """The worker processes, when all are there: the first one says that the server is ready."""
        self.wait_for(lambda: len(self.worker_pids()) == self._workers)
        return self.worker_pids()

    def kill_a_worker(self) -> None:
        """SIGKILL one worker; the master starts another."""
        os.kill(self.worker_pids()[0], signal.SIGKILL)

    def kill9(self) -> None:
        """SIGKILL the whole process group."""
        os.killpg(self.pid, signal.SIGKILL)
        self._ended()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._process.terminate()
        return self._ended()

    def _ended(self) -> int:
        self._process.join(40)
        assert self._process.exitcode is not None, "it goes on"
        if not self.stdout.closed:
            # Every process of the server holds it, and the listening socket as long.
            self.stdout.read()
            self.stdout.close()
        return self._process.exitcode

    def wait_for(self, condition: Callable[[], bool], seconds: float = 30, *, pause: float = 0.05) -> None:
        """Wait until something holds, looking every `pause` seconds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(pause)


StartServer = Callable[..., ServerProcess]
