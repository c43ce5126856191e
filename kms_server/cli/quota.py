"""`kms-server quota`: see and set rate limits."""

import click

from kms_server.arn import Arn
from kms_server.cli.operator import change, opened
from kms_server.cli.options import state_options, state_settings
from kms_server.config import DEFAULT_ACCOUNT, DEFAULT_REGION
from kms_server.errors import OperatorError
from kms_server.operations.limits import key_subject, quota_subject
from kms_server.quotas import table
from kms_server.server.startup import State
from kms_server.storage import keys, limits


@click.group()
def quota() -> None:
    """Rate limits per key, and per account, Region and quota."""


def _subject_options(command):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - a decorator of click commands
    for decorate in (
        click.option("--region", default=DEFAULT_REGION, show_default=True, help="Region of the quota."),
        click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="Account of the quota."),
        click.option(
            "--quota", "quota_id", help="A request quota: an operation, or CryptographicOperationsSymmetric."
        ),
        click.option("--key", "key_id", help="A KMS key: its id or ARN."),
    ):
        command = decorate(command)
    return command


@quota.command("set")
@_subject_options
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), required=True, help="Calls per second.")
@click.option(
    "--burst", type=click.FloatRange(min=1), help="Calls at once. Default: a tenth of the rate, at least 5."
)
@state_options
def set_(rate: float, burst: float | None, **options: object) -> None:
    """Set a limit; it holds at once."""
    where, subject_of = _split(options)
    with opened(state_settings(**where)) as state:
        account, subject = _subject(state, **subject_of)
        with change(state, "SetLimit", account, subject=subject, rate=rate, burst=burst) as made:
            limits.put(made.tx, limits.SetLimit(subject, rate, burst))


@quota.command("unset")
@_subject_options
@state_options
def unset(**options: object) -> None:
    """Drop a limit that was set; the profile's holds again."""
    where, subject_of = _split(options)
    with opened(state_settings(**where)) as state:
        account, subject = _subject(state, **subject_of)
        with change(state, "UnsetLimit", account, subject=subject) as made:
            if not limits.remove(made.tx, subject):
                raise OperatorError(f"no limit is set on {subject}: see `kms-server quota list`")


@quota.command("list")
@click.option("--profile", type=click.Choice(table.PROFILES), default="relaxed", show_default=True)
@click.option("--region", default=DEFAULT_REGION, show_default=True)
@state_options
def list_(profile: str, region: str, **where: object) -> None:
    """List the limits that were set, then the profile's."""
    with opened(state_settings(**where)) as state, state.database.read() as connection:
        stored = limits.all_limits(connection)
    for limit in stored.values():
        burst = table.default_burst(limit.rate) if limit.burst is None else limit.burst
        click.echo(f"{limit.subject}  {limit.rate:g}/s  burst {burst:g}")
    click.echo(f"profile {profile} in {region}, per account:")
    for one in table.QUOTAS.values():
        rate = table.rate(one.id, region, profile)
        click.echo(f"  {one.id}  {'unlimited' if rate is None else f'{rate:g}/s'}")


def _split(options: dict[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    subject = ("region", "account", "quota_id", "key_id")
    where = {name: value for name, value in options.items() if name not in subject}
    return where, {name: options[name] for name in subject}


def _subject(
    state: State, *, region: str, account: str, quota_id: str | None, key_id: str | None
) -> tuple[str, str]:
    if (key_id is None) == (quota_id is None):
        raise OperatorError("give either --key ID or --quota NAME")
    if quota_id is not None:
        if quota_id not in table.QUOTAS:
            raise OperatorError(f"there is no quota {quota_id}: see `kms-server quota list`")
        return account, quota_subject(account, region, quota_id)
    assert key_id is not None  # noqa: S101 - exactly one of the two is given
    arn = Arn.parse(key_id)
    bare = arn.resource.removeprefix("key/") if arn else key_id
    with state.database.read() as connection:
        key = keys.get(connection, bare)
    if key is None:
        raise OperatorError(f"there is no key {key_id}")
    return key.account, key_subject(bare)
