"""`kms-server` as a command that ends by itself, and what a refusal looks like."""

import os
import subprocess
import sys
from pathlib import Path

import kms_server

ROOT = str(Path(kms_server.__file__).parent.parent)


def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """A command with these environment variables and no others of ours."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KMS_SERVER_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "kms_server.cli.main", *arguments], capture_output=True, text=True, timeout=30,
        check=False, env=clean | {"PYTHONPATH": ROOT} | variables,
    )  # fmt: skip


def serve(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """A `serve` that is expected to refuse."""
    return run("serve", "--port", "0", *arguments, **variables)


def refused(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """It ended with exit code 2 and one line that has these words."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr
