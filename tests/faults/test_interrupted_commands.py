"""Commands that lose their database, or the place they write to, end with one line; what they had to change is whole or not there."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from tests.audit_log_copies import LogCopy, filled
from tests.faults.database_proxy import Proxy, proxied
from tests.functional.command_line import clean_environment
from tests.functional.command_line import run as command
from tests.postgres_server import Postgres

# What a driver says of an open cursor when its connection is lost.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
KEY = f"Keys: [{{KeyId: {uuid4()}, Material: {{Hex: {'5c' * 32}}}}}]"
COMMANDS = (
    "audit query", "audit verify", "audit stats", "audit prune --older-than 3650d", "audit rotate-key", "audit deliver",
    "backup create --passphrase-file {passphrase} {new}", "clock show", "doctor", "identity create-user {name} --admin", "identity list", "migrate",
    "quota list", "quota set --account 000000000000 --region us-east-1 --quota CreateKey --rate 9", "quota usage",
    "root rotate --wait 0s", "root status", "s3 verify", "seed {seed}",
)  # fmt: skip


class Linked(NamedTuple):
    """A server's state, reached by a proxy."""

    log: LogCopy
    proxy: Proxy
    where: tuple[str, ...]


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Linked]:
    log = filled(tmp_path_factory.mktemp("commands"), postgres)
    with proxied(postgres) as proxy:
        url = proxy.url(str(log.settings.database_url))
        yield Linked(log, proxy, ("--data-dir", str(log.directory), "--database-url", url))


def arguments(text: str, directory: Path) -> list[str]:
    seed = directory / "seed.yaml"
    seed.write_text(KEY)
    passphrase = directory / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("of a backup that nobody keeps")
    name = uuid4().hex
    return text.format(new=directory / name, name=name, seed=seed, passphrase=passphrase).split()


def lost(linked: Linked, words: list[str], messages: int) -> bool:
    """Whether the database was lost before a command's end; then it has told so in one line."""
    with linked.proxy.lost_after(messages):
        done = command(*words, *linked.where)
        if not linked.proxy.is_lost:
            # The tests' PostgreSQL has no fsync, which doctor does not like.
            assert done.returncode == 0 or words == ["doctor"], done.stderr
            return False
    assert "Traceback" not in done.stdout + done.stderr
    if words == ["doctor"]:
        assert (done.returncode, done.stderr) == (2, "")
        assert "  server" not in done.stdout  # one line for each thing that is wrong
    elif done.returncode:  # what comes after the last answer may be lost
        assert done.returncode == 2
        *before, last = done.stderr.splitlines()
        assert last.startswith("kms-server: ")
        assert not [line for line in before if not line.startswith("going on with the change")]
    return True


@pytest.mark.parametrize("text", COMMANDS)
def test_a_database_that_is_lost(linked: Linked, tmp_path: Path, text: str) -> None:
    assert lost(linked, arguments(text, tmp_path), 22)


@pytest.mark.soak
@pytest.mark.parametrize("text", COMMANDS)
def test_a_database_that_is_lost_sooner_or_later(linked: Linked, tmp_path: Path, text: str) -> None:
    """In the end the command has what it needs, and does what those before it did not."""
    messages = 0
    while lost(linked, arguments(text, tmp_path), messages):
        messages += 1 + messages // 10


def test_an_output_that_is_full(linked: Linked) -> None:
    program = [sys.executable, "-m", "kms_server.cli.main", "quota", "list"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*program, "--data-dir", str(linked.log.directory), "--database-url", str(linked.log.settings.database_url)],
            env=clean_environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "kms-server: the system refused: No space left on device\n")
