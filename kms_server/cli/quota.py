"""`kms-server quota`: see and set rate limits."""

import math
from collections.abc import Callable
from typing import Unpack

import click

from kms_server.arn import Arn
from kms_server.cli.operator import change, opened
from kms_server.cli.options import Where, account_id, option, region_name, state_options, state_settings
from kms_server.config import DEFAULT_ACCOUNT, DEFAULT_REGION
from kms_server.errors import OperatorError
from kms_server.quotas import table
from kms_server.quotas.limiter import key_subject, quota_subject
from kms_server.server.state import State
from kms_server.storage import keys, limits


@click.group()
def quota() -> None:
    """Rate limits per key, and per account, Region and quota."""


def _subject_options(command: Callable[..., None]) -> Callable[..., None]:
    for decorate in (
        option(
            "--region",
            callback=region_name,
            default=DEFAULT_REGION,
            help="Region of the quota.",
        ),
        option(
            "--account",
            callback=account_id,
            default=DEFAULT_ACCOUNT,
            help="Account of the quota.",
        ),
        option(
            "--quota", "quota_id", help="A request quota: an operation, or CryptographicOperationsSymmetric."
        ),
        option("--key", "key_id", help="A KMS key: its id or ARN."),
    ):
        command = decorate(command)
    return command


@quota.command("set")
@_subject_options
@option(
    "--rate", type=click.FloatRange(min=0, min_open=True, max=1e9), required=True, help="Calls per second."
)
@option(
    "--burst",
    type=click.FloatRange(min=1, max=1e9),
    help="Calls at once. Default: a tenth of the rate, at least 5.",
)
@state_options
def set_(
    *, rate: float, burst: float | None, region: str, account: str, quota_id: str | None, key_id: str | None,
    **where: Unpack[Where],
) -> None:  # fmt: skip
    """Set a limit; it holds at once."""
    if math.isnan(rate) or (burst is not None and math.isnan(burst)):
        raise OperatorError("--rate and --burst must be numbers")
    with opened(state_settings(**where)) as state:
        owner, subject = _subject(state, region=region, account=account, quota_id=quota_id, key_id=key_id)
        with change(state, "SetLimit", owner, subject=subject, rate=rate, burst=burst) as made:
            limits.put(made.tx, limits.SetLimit(subject, rate, burst))


@quota.command("unset")
@_subject_options
@state_options
def unset(
    *, region: str, account: str, quota_id: str | None, key_id: str | None, **where: Unpack[Where]
) -> None:
    """Drop a limit that was set; the profile's holds again."""
    with opened(state_settings(**where)) as state:
        owner, subject = _subject(state, region=region, account=account, quota_id=quota_id, key_id=key_id)
        with change(state, "UnsetLimit", owner, subject=subject) as made:
            if not limits.remove(made.tx, subject):
                raise OperatorError(f"no limit is set on {subject}: see `kms-server quota list`")


@quota.command("list")
@option(
    "--quota-profile",
    "--profile",
    type=click.Choice(table.PROFILES),
    default="relaxed",
    help="The table that the server has.",
)
@option("--region", callback=region_name, default=DEFAULT_REGION, help="Region of the quotas.")
@state_options
def list_(quota_profile: str, region: str, **where: Unpack[Where]) -> None:
    """List the limits that were set, then the profile's."""
    with opened(state_settings(**where)) as state, state.database.read() as connection:
        stored = limits.all_limits(connection)
    for limit in stored.values():
        burst = table.default_burst(limit.rate) if limit.burst is None else limit.burst
        click.echo(f"{limit.subject}  {limit.rate:g}/s  burst {burst:g}")
    click.echo(f"profile {quota_profile} in {region}, per account:")
    for one in table.QUOTAS.values():
        rate = table.rate(one.id, region, quota_profile)
        click.echo(f"  {one.id}  {'unlimited' if rate is None else f'{rate:g}/s'}")


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
        members = keys.members(connection, bare)
    if not members:
        raise OperatorError(f"there is no key {key_id}")
    return members[0].account, key_subject(bare)
