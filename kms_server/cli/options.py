"""Options that commands share, each also from the environment and from a TOML file."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, Unpack

import click

from kms_server.config import Settings
from kms_server.errors import OperatorError


def option(name: str, **attributes: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:  # noqa: ANN401 - click's own
    """A click option that the variable KMS_SERVER_<OPTION> sets too."""
    variable = "KMS_SERVER_" + name.lstrip("-").replace("-", "_").upper()
    return click.option(name, envvar=variable, show_default=True, **attributes)


def _read_config(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(f"{path} is not TOML: {error}") from None
    # One file serves all commands, so a command passes over the options of others.
    context.default_map = {name.replace("-", "_"): value for name, value in values.items()}


def state_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which every command finds its server's state."""
    for decorate in (
        option("--root-key", help="Where the root key is: file:PATH. Default: root.key in the data directory."),
        option("--database-url", help="PostgreSQL instead of the embedded store: postgresql://USER@HOST/NAME."),
        option(
            "--data-dir", type=click.Path(path_type=Path, file_okay=False), default=Path(".data"),
            help="Directory of the server's state.",
        ),
        click.option(
            "--config", type=click.Path(path_type=Path, dir_okay=False), is_eager=True, expose_value=False,
            envvar="KMS_SERVER_CONFIG", callback=_read_config, help="TOML file with options.",
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
