"""The file that a shell sources to reach the server as the first root."""

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kms_server.config import Settings
from kms_server.server import credentials


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    directory = tmp_path / "a b $(touch c)"
    directory.mkdir()
    return Settings(directory)


def sourced(settings: Settings) -> dict[str, str]:
    """The AWS variables that a shell has after sourcing the file."""
    script = f". {shlex.quote(str(settings.credentials_file))} && env -0"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={})
    found = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    return {name: value for name, value in found.items() if name.startswith("AWS_")}


def test_a_shell_gets_every_value_as_it_is(settings: Settings) -> None:
    with_tls = replace(settings, tls_auto=True, host="::1")
    credentials.write(with_tls, "AKIA", "secret")
    assert sourced(with_tls) == {
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "https://[::1]:4599",
        "AWS_CA_BUNDLE": str(settings.data_dir / "tls" / "ca.pem"),
    }


def test_each_start_writes_the_endpoint_anew_and_nothing_else(settings: Settings) -> None:
    credentials.write(settings, "AKIA", "secret")
    path = settings.credentials_file
    path.write_text(path.read_text() + "# mine\nexport AWS_PROFILE=kms")
    plain = sourced(settings)
    secured = replace(settings, tls_auto=True, port=4600)
    credentials.note_endpoint(secured)
    assert sourced(settings) == plain | {
        "AWS_ENDPOINT_URL": "https://127.0.0.1:4600",
        "AWS_CA_BUNDLE": str(settings.data_dir / "tls" / "ca.pem"),
    }
    credentials.note_endpoint(settings)
    assert sourced(settings) == plain
    assert "# mine" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_taken_away_is_not_made_anew(settings: Settings) -> None:
    credentials.note_endpoint(settings)
    assert not settings.credentials_file.exists()
