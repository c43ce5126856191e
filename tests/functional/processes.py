"""Processes that begin with everything imported: otherwise each works a second and a half before it does anything."""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import TextIO

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
