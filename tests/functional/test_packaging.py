"""What is built can be installed elsewhere and serves there."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)],
        cwd=ROOT,
        check=True,
    )
    (built,) = directory.glob("*.whl")
    return built


def test_the_wheel_has_what_serving_needs_and_no_more(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    assert {
        "kms_server/cli/main.py",
        "kms_server/_migrations/env.py",
        "kms_server/_migrations/versions/0001_first_schema.py",
        "kms_server/botocore_data/kms/2014-11-01/service-2.sdk-extras.json",
        "kms_server/py.typed",
    } <= names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"kms_server"}
    assert not [name for name in names if name.endswith(".pyc")]


def test_an_installed_wheel_serves(wheel: Path, tmp_path: Path) -> None:
    # Only what it depends on comes from here, so that the test needs no package index.
    ZipFile(wheel).extractall(tmp_path / "site")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    command = [
        sys.executable,
        "-m",
        "kms_server.cli.main",
        "serve",
        "--ephemeral",
        "--port",
        "0",
        "--workers",
        "1",
    ]
    server = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().split()[-1]
    assert str(tmp_path / "site" / "kms_server") in subprocess.run(
        [sys.executable, "-c", "import kms_server; print(kms_server.__file__)"],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    with urllib.request.urlopen(f"{url}/_kms/ready") as answer:
        assert json.load(answer)["problems"] == []
    server.terminate()
    assert server.wait(40) == 0
    server.stdout.close()
