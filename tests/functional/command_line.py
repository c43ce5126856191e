"""`kms-server` as a command that ends by itself, run in this process, and what a refusal looks like.

A process of its own takes a second for its imports. The entry point itself is tested in test_operator and test_packaging.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from typing import TextIO
from unittest.mock import patch

from kms_server.cli.main import main

Done = subprocess.CompletedProcess[str]


def clean_environment() -> dict[str, str]:
    """The environment of these tests without what clients and commands would read from it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KMS_SERVER_"))}


def run_in(
    environment: Mapping[str, str], *arguments: str, standard_input: str = "", stderr: TextIO | None = None
) -> Done:
    """A command with exactly this environment; what it says to stderr is captured, or goes where that says."""
    stdout, errors = _stream(), stderr or _stream()
    with (
        patch.dict(os.environ, environment, clear=True), patch.object(sys, "argv", ["kms-server", *arguments]),
        patch.object(sys, "stdin", _stream(standard_input)), redirect_stdout(stdout), redirect_stderr(errors),
        _fresh_logging(),
    ):  # fmt: skip
        code = _exit_code()
    return Done(arguments, code, _text(stdout), "" if stderr else _text(errors))


def _stream(content: str = "") -> TextIOWrapper:
    return TextIOWrapper(BytesIO(content.encode()), "utf-8", write_through=True)


def _text(stream: TextIO) -> str:
    stream.seek(0)
    return stream.read()


@contextmanager
def _fresh_logging() -> Iterator[None]:
    """As in a new process: `main` sets up where the log goes, which it does not if others have."""
    level = logging.root.level
    with patch.object(logging.root, "handlers", []):
        yield
    logging.root.setLevel(level)


def _exit_code() -> int:
    try:
        main()
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code
    raise AssertionError("a command exits")


def run(*arguments: str, **variables: str) -> Done:
    """A command with these environment variables and no others of ours."""
    return run_in(clean_environment() | variables, *arguments)


def serve(*arguments: str, **variables: str) -> Done:
    """A `serve` that is expected to refuse."""
    with patch(
        "kms_server.server.gunicorn_app.serve", side_effect=AssertionError("a server would have run here")
    ):
        return run("serve", "--port", "0", *arguments, **variables)


def refused(done: Done, *words: str) -> None:
    """It ended with exit code 2 and one line that has these words."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr
