"""What commands have in common: every option is an environment variable too, and none imports what others need."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kms_server.cli.audit import audit
from kms_server.cli.command_group import CommandGroup
from kms_server.cli.identity import identity
from kms_server.cli.main import cli
from kms_server.cli.options import commands_of
from kms_server.cli.quota import quota
from kms_server.cli.s3 import s3

ROOT = Path(__file__).parents[3]


def options(command: click.Command) -> Iterator[click.Option]:
    yield from (parameter for parameter in command.params if isinstance(parameter, click.Option))
    for inner in commands_of(command):
        yield from options(inner)


@pytest.mark.parametrize("group", [cli, audit, identity, quota, s3], ids=lambda one: one.name)
def test_a_groups_help_says_what_its_commands_say(group: CommandGroup) -> None:
    context = click.Context(group)
    for name, elsewhere in group.elsewhere.items():
        command = group.get_command(context, name)
        assert command is not None
        assert (command.name, command.get_short_help_str(120)) == (name, elsewhere.summary)


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (["--help"], ["sqlalchemy", "flask", "alembic", "kms_server.server"]),
        (["audit", "--help"], ["sqlalchemy", "flask", "alembic", "kms_server.server", "kms_server.audit"]),
        (["audit", "query", "--help"], ["flask", "alembic", "marshmallow", "kms_server.operations"]),
        (["audit", "stats", "--help"], ["flask", "alembic", "marshmallow", "kms_server.operations"]),
        (["--version"], ["sqlalchemy", "flask", "alembic", "kms_server.server"]),
        (
            ["identity", "list", "--help"],
            ["flask", "alembic", "marshmallow", "kms_server.operations.registry"],
        ),
    ],
    ids=" ".join,
)
def test_a_command_imports_what_it_works_with(arguments: list[str], unneeded: list[str]) -> None:
    program = f"""
import sys
from kms_server.cli.main import cli
cli({arguments!r}, standalone_mode=False)
print("imported", *sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    said, _, modules = done.stdout.rpartition("imported ")
    assert said
    assert set(modules.split()).isdisjoint(unneeded)


@pytest.mark.parametrize(
    "option", [one for one in options(cli) if one.name != "version"], ids=lambda one: one.name
)
def test_the_variable_is_named_as_the_option(option: click.Option) -> None:
    assert option.envvar == "KMS_SERVER_" + option.opts[0].removeprefix("--").replace("-", "_").upper()
