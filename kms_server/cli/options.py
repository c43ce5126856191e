"""Options that commands share, each also from the environment and from a TOML file."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypedDict, Unpack

import click

from kms_server.arn import is_account, is_region
from kms_server.audit.streams.target import opener
from kms_server.cli.audit_buckets import read_buckets
from kms_server.config import SERVICES, AuditBucket, Network, Settings
from kms_server.errors import OperatorError
from kms_server.quotas import profiles
from kms_server.quotas.token_store import place_of

_BUCKETS = "kms_server.audit_buckets"
_ROOT = "kms_server.root_key"
_UNWRITTEN = ("config", "help", "version")  # options that no file has
_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "boolean": (bool, "true or false"),
    "integer range": (int, "an integer"),
    "float range": ((int, float), "a number"),
}

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def option(*names: str, **attributes: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:  # noqa: ANN401 - click's own
    """A click option that the variable KMS_SERVER_<OPTION>, by the first of its names, sets too."""
    variable = "KMS_SERVER_" + names[0].partition("/")[0].lstrip("-").replace("-", "_").upper()
    return click.option(*names, envvar=variable, show_default=True, **attributes)


def account_id(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """A callback that lets only account ids pass."""
    if text is not None and not is_account(text):
        raise OperatorError(f"{text!r} is not an account id: it has twelve digits")
    return text


def plain_text(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """A callback that lets only text pass that a database can take."""
    try:
        (text or "").encode()
    except UnicodeEncodeError:
        raise OperatorError(f"{text!r} is not UTF-8") from None
    return text


def region_name(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """A callback that lets only Region names pass."""
    if text is not None and not is_region(text):
        raise OperatorError(f"{text!r} is not a Region: write one such as eu-central-1")
    return text


def networks(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[Network, ...]:
    """A callback that reads networks between commas."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise OperatorError(f"{error}: write networks such as 10.0.0.0/8,fd00::/8") from None


def stream_target(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """A callback for where records are streamed to."""
    if text is not None:
        opener(text)
    return text


def service_names(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    """A callback for names of services, parted by commas."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in SERVICES]
    if unknown:
        raise OperatorError(f"{', '.join(map(repr, unknown))} is no service: they are {', '.join(SERVICES)}")
    return names


def profile_name(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """A callback that lets only quota profiles pass; a file is named by its whole path."""
    if text is None:
        return None
    profiles.find(text)
    return str(Path(text).absolute()) if text.endswith(".toml") else text


def store_url(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """A callback for the store of shared limits."""
    if text is not None:
        place_of(text)
    return text


def profile_option(command: Callable[..., None]) -> Callable[..., None]:
    """The option that chooses a quota profile in place of the server's."""
    return option(
        "--quota-profile", "--profile", callback=profile_name,
        help="The table of limits: relaxed, aws, aws-REGION, unlimited, or FILE.toml. Default: the server's.",
    )(command)  # fmt: skip


def _read_config(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    values = {name.replace("_", "-"): value for name, value in _toml(path).items()}
    context.meta[_BUCKETS] = read_buckets(path, values.pop("audit", {}))
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
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"{path} is not TOML: {error}") from None


def _options(command: click.Command) -> Iterator[tuple[str, click.Parameter]]:
    """The options that a file may have, each by its long names, of a command and those below it."""
    for parameter in command.params:
        if parameter.name not in _UNWRITTEN:
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


def seconds_of(span: str) -> int:
    """The seconds of a span of time such as 30d.

    Raises:
        OperatorError: it is none.
    """
    matched = re.fullmatch(r"([0-9]{1,6})([smhd])", span)
    if matched is None:
        raise OperatorError(f"{span!r} is not a span of time: write 400d, 3h, 30m or 10s")
    return int(matched[1]) * _SECONDS[matched[2]]


def span(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    """A callback that makes seconds of a span of time."""
    return seconds_of(text)


def _bytes(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    matched = re.fullmatch(r"([0-9]{1,9})(B|KiB|MiB|GiB|TiB)?", text)
    if matched is None:
        raise OperatorError(f"{text!r} is not a size: write 20GiB, 500MiB, or 0 for no limit")
    return int(matched[1]) * _UNITS[matched[2] or "B"]


def retention_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that limit the audit log."""
    for decorate in (
        option(
            "--audit-retention-size", default="20GiB", callback=_bytes, metavar="SIZE",
            help="The oldest audit records go while the log is larger (KiB, MiB, GiB, TiB); 0: no such limit. What a trail "
            "has not delivered yet stays.",
        ),
        option(
            "--audit-retention-days", type=click.IntRange(0, 36_500), default=90,
            help="Days after which audit records go; 0: never. What a trail has not delivered yet stays.",
        ),
    ):  # fmt: skip
        command = decorate(command)
    return command


def bucket_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which a command finds the objects of the S3 layer."""
    for decorate in (
        option("--kms-endpoint", help="URL of the KMS that the s3 service asks, as the server was told."),
        option("--s3-store", help="Where sealed objects are kept, as the server was told."),
    ):
        command = decorate(command)
    return command


def _keep_for_root(context: click.Context, parameter: click.Parameter, value: object) -> None:
    context.meta.setdefault(_ROOT, {})[parameter.name] = value


def state_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which every command finds its server's state."""
    for decorate in (
        option(
            "--root-kms-endpoint", metavar="URL", expose_value=False, callback=_keep_for_root,
            help="Where the KMS of --root-key kms:KEY-ARN is. Default: AWS, in the key's Region.",
        ),
        option(
            "--root-passphrase-fd", type=click.IntRange(0), metavar="N", expose_value=False, callback=_keep_for_root,
            help="Read the passphrase, the PIN or the shares from this open file descriptor instead, once.",
        ),
        option(
            "--root-passphrase-file", type=click.Path(path_type=Path, dir_okay=False), expose_value=False,
            callback=_keep_for_root,
            help="Read the passphrase of the root key, the PIN of its token or the shares from this file, which others may not read, "
            "instead of asking for it.",
        ),
        option(
            "--root-key", metavar="SPEC",
            help="Where the root key is: file:PATH, passphrase:PATH, pkcs11:token=TOKEN;object=NAME?module-path=LIBRARY, "
            "kms:KEY-ARN or shares:PATH; docs/root-keys.md compares them. Default: file:root.key in the data directory.",
        ),
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
    return Settings(**where, **root_settings(), audit_buckets=audit_buckets())


class RootSettings(TypedDict, total=False):
    """What opens the root key, as far as it was given."""

    root_passphrase_file: Path | None
    root_passphrase_fd: int | None
    root_kms_endpoint: str | None


def root_settings() -> RootSettings:
    """What `state_options` has kept for the settings beside what it passes to a command."""
    kept: RootSettings = click.get_current_context().meta.get(_ROOT, {})
    return kept


def audit_buckets() -> Mapping[str, AuditBucket]:
    """The buckets of trails that the file of `--config` tells of."""
    found: Mapping[str, AuditBucket] = click.get_current_context().meta.get(_BUCKETS, {})
    return found
