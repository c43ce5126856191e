"""Every option of every command is an environment variable too."""

from collections.abc import Iterator

import click
import pytest

from kms_server.cli.main import cli


def options(command: click.Command) -> Iterator[click.Option]:
    yield from (parameter for parameter in command.params if isinstance(parameter, click.Option))
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from options(inner)


@pytest.mark.parametrize(
    "option", [one for one in options(cli) if one.name != "version"], ids=lambda one: one.name
)
def test_the_variable_is_named_as_the_option(option: click.Option) -> None:
    assert option.envvar == "KMS_SERVER_" + option.opts[0].removeprefix("--").replace("-", "_").upper()
