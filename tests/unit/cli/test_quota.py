"""`kms-server quota`: what cannot be stored or shown as it is."""

import os
from pathlib import Path

import pytest
from sqlalchemy import text

from kms_server.cli.operator import opened
from kms_server.config import Settings
from tests.databases import prepared
from tests.functional.command_line import refused, run


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a first start made."""
    directory = tmp_path_factory.mktemp("server") / "data"
    prepared(Settings(directory, dev=True))
    return directory


@pytest.mark.parametrize(
    "command",
    [
        "set --rate 5 --key", "set --rate 5 --alias", "set --rate 5 --tag", "set --rate 5 --principal",
        "inject --error throttled --key", "inject --error throttled --principal",
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused(state: Path, command: str) -> None:
    wrong = os.fsdecode(b"alias/=\xff")
    refused(run("quota", *command.split(), wrong, "--data-dir", str(state)), "is not UTF-8")


def test_every_limit_is_listed_whoever_wrote_it(state: Path) -> None:
    subjects = ["anything", "quota:a", "quota:000000000000:us-east-1:NoSuchQuota", "principal:\x1b[31m"]
    with opened(Settings(state)) as server, server.database.write() as tx:
        for subject in subjects:
            tx.connection.execute(text("INSERT INTO limits VALUES (:subject, 1, NULL)"), {"subject": subject})
    done = run("quota", "list", "--data-dir", str(state))
    assert done.returncode == 0
    shown = [line.partition("  ")[0] for line in done.stdout.splitlines()[: len(subjects)]]
    assert sorted(shown) == sorted([*subjects[:3], "principal:?[31m"])
