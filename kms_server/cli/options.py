"""Options that commands share, each also from the environment and from a TOML file."""

import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypedDict, Unpack

import click

from kms_server.arn import is_account, is_region
from kms_server.config import SERVICES, Network, Settings
from kms_server.errors import OperatorError

_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "boolean": (bool, "true or false"),
    "integer range": (int, "an integer"),
    "float range": ((int, float), "a number"),
}


def option(*names: str, **attributes: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:  # noqa: ANN401 - click's own
    """A click option that the variable KMS_SERVER_<OPTION>, by the first of its names, sets too."""
    variable = "KMS_SERVER_" + names[0].partition("/")[0].lstrip("-").replace("-", "_").upper()
    return click.option(*names, envvar=variable, show_default=True, **attributes)


def account_id(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """A callback that lets only account ids pass."""
    if text is not None and not is_account(text):
        raise OperatorError(f"{text!r} is not an account id: it has twelve digits")
    return text


def region_name(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """A callback that lets only Region names pass."""
    if text is not None and not is_region(text):
        raise OperatorError(f"{text!r} is not a Region: write one such as eu-central-1")
    return text


def moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """A callback that reads a time; the seconds since the epoch."""
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise OperatorError(f"{text!r} is not a time: write 2026-11-20T09:14:07Z") from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def networks(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[Network, ...]:
    """A callback that reads networks between commas."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise OperatorError(f"{error}: write networks such as 10.0.0.0/8,fd00::/8") from None


def service_names(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    """A callback for names of services, parted by commas."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in SERVICES]
    if unknown:
        raise OperatorError(f"{', '.join(map(repr, unknown))} is no service: they are {', '.join(SERVICES)}")
    return names


def _read_config(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    values = {name.replace("_", "-"): value for name, value in _toml(path).items()}
    # One file serves all commands, so a command passes over the options of others.
    unknown = values.keys() - dict(_options(context.find_root().command)).keys()
    if unknown:
        raise OperatorError(f"{path} has what is no option: {', '.join(sorted(unknown))}")
    context.default_map = {
        parameter.name: _fitting(path, name, parameter, values[name])
        for name, parameter in _options(context.command)
        if name in values
    }


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise OperatorError(f"{path} is not TOML: {error}") from None


def _options(command: click.Command) -> Iterator[tuple[str, click.Parameter]]:
    """The options that a file may have, each by its long names, of a command and those below it."""
    for parameter in command.params:
        if parameter.expose_value:
            yield from ((name[2:], parameter) for name in parameter.opts if name.startswith("--"))
    for inner in commands_of(command):
        yield from _options(inner)


def commands_of(command: click.Command) -> list[click.Command]:
    """The commands right below one; a command that is no group has none."""
    if not isinstance(command, click.Group):
        return []
    context = click.Context(command)
    found = (command.get_command(context, name) for name in command.list_commands(context))
    return [one for one in found if one is not None]


def _fitting(path: Path, name: str, parameter: click.Parameter, value: object) -> object:
    kind, said = _KINDS.get(parameter.type.name, (str, "a string"))
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise OperatorError(f"{path}: {name} must be {said}")
    return value


def state_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which every command finds its server's state."""
    for decorate in (
        option("--root-key", help="Where the root key is: file:PATH. Default: root.key in the data directory."),
        option("--database-url", help="PostgreSQL instead of the embedded store: postgresql://USER@HOST/NAME."),
        option(
            "--data-dir", type=click.Path(path_type=Path, file_okay=False), default=Path(".data"),
            help="Directory of the server's state.",
        ),
        option(
            "--config", type=click.Path(path_type=Path, dir_okay=False), is_eager=True, expose_value=False,
            callback=_read_config, help="TOML file with options of this and other commands.",
        ),
    ):  # fmt: skip
        command = decorate(command)
    return command


class Where(TypedDict):
    """What `state_options` passes to a command."""

    data_dir: Path
    database_url: str | None
    root_key: str | None


def state_settings(**where: Unpack[Where]) -> Settings:
    """Settings for a command that works on a server's state."""
    return Settings(**where)
