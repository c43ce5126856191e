"""Other people's programs: installed into the cache from lock files, run as processes."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CACHE = HERE / ".cache"


@dataclass(frozen=True)
class Program:
    """A client: its command, and the variables with which it finds its server."""

    command: Sequence[str | Path]
    environment: Mapping[str, str]
    directory: Path | None = None

    def run(
        self, *arguments: str | Path, given: bytes = b"", fails: bool = False, **variables: str
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run it; unless it is expected to fail it has to exit with 0."""
        done = subprocess.run(
            [*self.command, *arguments], env={**self.environment, **variables}, input=given,
            cwd=self.directory, capture_output=True, check=False, timeout=300,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, done.stdout.decode() + done.stderr.decode()
        return done

    def output(self, *arguments: str | Path, given: bytes = b"", **variables: str) -> bytes:
        """What it writes to standard output."""
        return self.run(*arguments, given=given, fails=False, **variables).stdout

    def answer(self, *arguments: str | Path, given: bytes = b"", **variables: str) -> Any:
        """The JSON document it writes to standard output."""
        return json.loads(self.output(*arguments, given=given, **variables))


def tool(name: str, client: str) -> Path:
    """A program of this machine; the client that needs it is skipped by name where it is missing."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{client}: {name} is not installed")
    return Path(found)


def client_environment(credentials: Mapping[str, str], **more: str) -> dict[str, str]:
    """This process's variables without any AWS setting, and then the server's."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "KMS_SERVER_", "PYTHON"))
    }
    nowhere = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    region = {"AWS_REGION": credentials["AWS_DEFAULT_REGION"]}
    return {**clean, **nowhere, **credentials, **region, **more}


def installed(name: str, sources: Sequence[Path], install: Callable[[Path], None]) -> Path:
    """The directory of that name in the cache, installed anew when one of the sources has changed."""
    directory = CACHE / name
    mark = directory / ".installed"
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    if not mark.exists() or mark.read_text() != digest:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        install(directory)
        mark.write_text(digest)
    return directory


def shell(*command: str | Path, directory: Path | None = None, **variables: str) -> None:
    """Run a step of an installation; what it says is shown when it fails."""
    done = subprocess.run(
        command, cwd=directory, env={**os.environ, **variables}, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def python_client(command: str) -> Path:
    """A command of the environment of the Python clients."""
    lock = HERE / "requirements.lock"

    def install(directory: Path) -> None:
        shell(sys.executable, "-m", "venv", directory)
        shell(
            directory / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--require-hashes", "-r", lock,
        )  # fmt: skip

    return installed("python", [lock], install) / "bin" / command


def python(program: str) -> list[str | Path]:
    """The command of a program that uses a Python client."""
    return [python_client("python"), HERE / "programs" / program]


def javascript(program: str, client: str) -> list[str | Path]:
    """The command of a program that uses a JavaScript client."""
    home = HERE / "javascript"
    node, npm = tool("node", client), tool("npm", client)
    packages = [home / name for name in ("package.json", "package-lock.json", ".npmrc")]

    def install(directory: Path) -> None:
        for source in packages:
            shutil.copy(source, directory)
        shell(npm, "ci", directory=directory)

    directory = installed("javascript", packages, install)
    return [node, shutil.copy(home / program, directory)]


def golang(client: str) -> list[str | Path]:
    """The command of the program that uses the Go client."""
    go = tool("go", client)
    sources = sorted((HERE / "go").glob("*.*"))

    def install(directory: Path) -> None:
        go_build(go, "build", "-o", directory / "sdk", directory=HERE / "go")

    return [installed("go", sources, install) / "sdk"]


def sops(client: str) -> list[str | Path]:
    """The command of sops."""
    go = tool("go", client)
    sources = [HERE / "sops" / name for name in ("go.mod", "go.sum")]

    def install(directory: Path) -> None:
        go_build(go, "build", "-o", directory / "sops", "tool", directory=HERE / "sops")

    return [installed("sops", sources, install) / "sops"]


def go_build(go: Path, *arguments: str | Path, directory: Path | None = None, **variables: str) -> None:
    """Run a go command that keeps what it downloads in the cache, where it can be removed."""
    shell(
        go, *arguments, directory=directory, GOFLAGS="-modcacherw -trimpath -buildvcs=false", GOTOOLCHAIN="local",
        GOMODCACHE=str(CACHE / "go-modules"), GOCACHE=str(CACHE / "go-build"), **variables,
    )  # fmt: skip


def java(program: str, client: str) -> list[str | Path]:
    """The command of a program that uses a Java client."""
    home = HERE / "java"
    run, _compiler, maven = tool("java", client), tool("javac", client), tool("mvn", client)
    sources = [home / "pom.xml", *sorted(home.glob("*.java"))]

    def install(directory: Path) -> None:
        for source in sources:
            shutil.copy(source, directory)
        shell(
            maven, "--quiet", "--batch-mode", f"-Dmaven.repo.local={CACHE / 'maven'}", "compile",
            "dependency:copy-dependencies", "-DoutputDirectory=libraries", directory=directory,
        )  # fmt: skip

    home = installed("java", sources, install)
    return [run, "-cp", f"{home / 'target' / 'classes'}:{home / 'libraries'}/*", program]
