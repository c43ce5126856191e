"""Processes that begin with everything imported: otherwise each works a second and a half before it does anything."""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Self, TextIO

from kms_server.cli.main import main

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "kms_server.cli.serve",
        "tests.functional.server_process",
        "awscli.clidriver",
        "awscli.customizations.s3.s3",
        "tests.functional.settled",
    ]
)


def start(
    arguments: Sequence[str], environment: Mapping[str, str], log: Path, *, own_interpreter: bool,
    directory: Path = Path(),
) -> tuple[ForkServerProcess, TextIO]:  # fmt: skip
    """`kms-server` in a directory, as the leader of a process group, and its standard output; errors go to `log`."""
    reader, writer = CONTEXT.Pipe(duplex=False)
    with reader, writer:
        told = arguments, environment, writer, log, own_interpreter, directory.absolute()
        # Should a test not stop it, the end of the tests does.
        process = CONTEXT.Process(target=_run, args=told, daemon=True)
        process.start()
        return process, os.fdopen(os.dup(reader.fileno()))


def _run(
    arguments: Sequence[str], environment: Mapping[str, str], stdout: Connection, log: Path, own_interpreter: bool,
    directory: Path,
) -> None:  # fmt: skip
    os.setsid()
    os.chdir(directory)
    os.dup2(stdout.fileno(), 1)
    with log.open("ab") as stderr:
        os.dup2(stderr.fileno(), 2)
    if own_interpreter:
        command = [sys.executable, "-m", "kms_server.cli.main", *arguments]
        os.execve(command[0], command, environment)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["kms-server", *arguments]
    main()


class Module:
    """`python -m` of a module with `arguments`; its standard input and output are pipes, as of a `subprocess.Popen`."""

    def __init__(self, module: str, *arguments: str) -> None:
        (theirs, ours), (out, written) = CONTEXT.Pipe(duplex=False), CONTEXT.Pipe(duplex=False)
        with theirs, ours, out, written:
            self._process = CONTEXT.Process(
                target=_run_module, args=(module, arguments, theirs, written), daemon=True
            )
            self._process.start()
            self.stdin = os.fdopen(os.dup(ours.fileno()), "w", buffering=1)
            self.stdout = os.fdopen(os.dup(out.fileno()))
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def wait(self, seconds: float) -> int:
        """The exit code, negative for a signal."""
        self._process.join(seconds)
        assert self._process.exitcode is not None, "it goes on"
        return self._process.exitcode

    def finish(self) -> str:
        """What it still says until it ends, as it has to do, well."""
        with self:
            said = self.stdout.read()
        assert self.wait(60) == 0
        return said

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdin.close()
        self.wait(60)
        self.stdout.close()


def _run_module(module: str, arguments: Sequence[str], stdin: Connection, stdout: Connection) -> None:
    os.dup2(stdin.fileno(), 0)
    os.dup2(stdout.fileno(), 1)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def command(arguments: Sequence[str]) -> ForkServerProcess:
    """`kms-server` as a command that may be killed."""
    process = CONTEXT.Process(target=_command, args=(arguments,), daemon=True)
    process.start()
    return process


def _command(arguments: Sequence[str]) -> None:
    sys.argv = ["kms-server", *arguments]
    main()


def aws(arguments: Sequence[str], environment: Mapping[str, str], directory: Path) -> tuple[int, str, str]:
    """The AWS CLI, run in `directory`: its exit code, output and errors."""
    output, errors = directory / ".stdout", directory / ".stderr"
    process = CONTEXT.Process(
        target=_aws, args=(arguments, environment, directory, output, errors), daemon=True
    )
    process.start()
    process.join(120)
    assert process.exitcode is not None, "it goes on"
    return process.exitcode, output.read_text(), errors.read_text()


def _aws(
    arguments: Sequence[str], environment: Mapping[str, str], directory: Path, output: Path, errors: Path
) -> None:
    from awscli import clidriver

    os.chdir(directory)
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        os.dup2(stdout.fileno(), 1)
        os.dup2(stderr.fileno(), 2)
    # The package says at its import where its own data are.
    data = os.environ["AWS_DATA_PATH"]
    os.environ.clear()
    os.environ.update(environment, AWS_DATA_PATH=data)
    sys.argv = ["aws", *arguments]
    sys.exit(clidriver.main())
