"""A group of commands that are imported when they are asked for, since each brings what it works with."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click


class Elsewhere(NamedTuple):
    """A command of another module: `place` is MODULE:NAME, `summary` what the group's help says of it."""

    place: str
    summary: str


class CommandGroup(click.Group):
    """A group with commands of other modules beside its own."""

    def __init__(self, *args: Any, elsewhere: Mapping[str, Elsewhere], **attributes: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **attributes)
        self.elsewhere = elsewhere

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted({*super().list_commands(ctx), *self.elsewhere})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name, imported now if it is not yet."""
        if cmd_name in self.elsewhere:
            module, _, name = self.elsewhere[cmd_name].place.partition(":")
            command: click.Command = getattr(import_module(module), name)
            return command
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's own
        """Write the help's list of commands, which imports none of them."""
        summaries = {name: command.get_short_help_str(120) for name, command in self.commands.items()}
        summaries |= {name: command.summary for name, command in self.elsewhere.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(summaries.items()))
