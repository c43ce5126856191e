"""`kms-server quota`: see and set limits."""

import math
from collections.abc import Callable
from typing import Any, Unpack

import click

from kms_server.arn import Arn
from kms_server.cli.command_group import CommandGroup, Elsewhere
from kms_server.cli.operator import change, opened
from kms_server.cli.options import (
    Where,
    account_id,
    option,
    plain_text,
    profile_option,
    region_name,
    state_options,
    state_settings,
)
from kms_server.cli.terminal import printable
from kms_server.config import DEFAULT_ACCOUNT, DEFAULT_REGION
from kms_server.errors import OperatorError
from kms_server.quotas import profiles, subjects
from kms_server.quotas.table import QUOTAS, default_burst
from kms_server.server.state import State
from kms_server.storage import keys, limits

_LONGEST = 1_024
_ONE_OF = "give one of --quota NAME, --key ID, --alias PATTERN, --tag KEY=VALUE and --principal PATTERN"


@click.group(
    cls=CommandGroup,
    elsewhere={
        "requests": Elsewhere(
            "kms_server.cli.quota_requests:requests",
            "List the requests for quota increases, those that are open with PENDING.",
        ),
        "approve": Elsewhere(
            "kms_server.cli.quota_requests:approve",
            "Grant an open request; the limit holds at once, unless it was set higher since.",
        ),
        "deny": Elsewhere(
            "kms_server.cli.quota_requests:deny",
            "Refuse an open request; the limit stays as it is.",
        ),
        "inject": Elsewhere(
            "kms_server.cli.quota_inject:inject",
            "Let the next calls that match fail, or be slow, and print the fault's id.",
        ),
        "injected": Elsewhere(
            "kms_server.cli.quota_inject:injected",
            "List the injected faults, the oldest first, with how many calls each has counted.",
        ),
        "clear-injected": Elsewhere(
            "kms_server.cli.quota_inject:clear_injected", "Drop the injected faults with these ids, or all."
        ),
        "usage": Elsewhere(
            "kms_server.cli.quota_usage:usage",
            "Show how much of each limit is used now, the fullest first.",
        ),
        "simulate": Elsewhere(
            "kms_server.cli.quota_simulate:simulate",
            "Tell what a profile would have throttled of the calls in an audit log.",
        ),
    },
)
def quota() -> None:
    """Limits per account, Region and quota, per key, and per principal; and faults for tests."""


def _subject_options(command: Callable[..., None]) -> Callable[..., None]:
    for decorate in (
        option(
            "--region", callback=region_name, default=DEFAULT_REGION, help="Region of the quota, alias or tag.",
        ),
        option(
            "--account", callback=account_id, default=DEFAULT_ACCOUNT, help="Account of the quota, alias or tag.",
        ),
        option("--principal", callback=plain_text, help="Each principal whose ARN is like this (* and ? are wildcards), or whose role is."),
        option("--tag", callback=plain_text, help="Each key with a tag: KEY=VALUE; * and ? in the value are wildcards."),
        option("--alias", callback=plain_text, help="Each key with an alias like alias/app-*."),
        option("--key", callback=plain_text, help="A KMS key: its id or ARN. Its limit holds in place of those on its aliases and tags."),
        option("--quota", help="A quota, such as CreateKey or CryptographicOperationsSymmetric; see `quota list`."),
    ):  # fmt: skip
        command = decorate(command)
    return command


@quota.command("set")
@_subject_options
@option(
    "--rate", type=click.FloatRange(min=0, min_open=True, max=1e9), required=True,
    help="Calls per second; of a quota such as KeysPerRegion, how many there may be.",
)  # fmt: skip
@option(
    "--burst",
    type=click.FloatRange(min=1, max=1e9),
    help="Calls at once. Default: a tenth of the rate, at least 5.",
)
@state_options
def set_(
    *, rate: float, burst: float | None, data_dir: Any, database_url: Any, root_key: Any, **named: Any,  # noqa: ANN401 - click's own
) -> None:  # fmt: skip
    """Set a limit; it holds at once."""
    if math.isnan(rate) or (burst is not None and math.isnan(burst)):
        raise OperatorError("--rate and --burst must be numbers")
    where = state_settings(data_dir=data_dir, database_url=database_url, root_key=root_key)
    with opened(where) as state:
        owner, subject = _subject(state, **named)
        with change(state, "SetLimit", owner, subject=subject, rate=rate, burst=burst) as made:
            limits.put(made.tx, limits.SetLimit(subject, rate, burst))


@quota.command("unset")
@_subject_options
@state_options
def unset(*, data_dir: Any, database_url: Any, root_key: Any, **named: Any) -> None:  # noqa: ANN401 - click's own
    """Drop a limit that was set; the profile's holds again."""
    where = state_settings(data_dir=data_dir, database_url=database_url, root_key=root_key)
    with opened(where) as state:
        owner, subject = _subject(state, **named)
        with change(state, "UnsetLimit", owner, subject=subject) as made:
            if not limits.remove(made.tx, subject):
                raise OperatorError(f"no limit is set on {subject}: see `kms-server quota list`")


@quota.command("list")
@profile_option
@option("--region", callback=region_name, default=DEFAULT_REGION, help="Region of the quotas.")
@state_options
def list_(quota_profile: str | None, region: str, **where: Unpack[Where]) -> None:
    """List the limits that were set, then the profile's."""
    with opened(state_settings(**where)) as state, state.database.read() as connection:
        stored = limits.all_limits(connection)
        profile = profiles.find(quota_profile or profiles.noted(state.settings.state_dir))
    for limit in stored.values():
        click.echo(f"{printable(limit.subject)}  {_shown(limit)}")
    click.echo(f"profile {profile.name} in {region}, per account:")
    for one in QUOTAS.values():
        allowed = profile.of(one.id, region)
        per = "/s" if one.is_rate else ""
        click.echo(f"  {one.id}  {'unlimited' if allowed is None else f'{allowed.value:g}{per}'}  {one.code}")


def _shown(limit: limits.SetLimit) -> str:
    kind, _, rest = limit.subject.partition(":")
    quota = QUOTAS.get(rest.rpartition(":")[2]) if kind == subjects.QUOTA else None
    if quota is not None and not quota.is_rate:
        return f"{limit.rate:g}"
    return f"{limit.rate:g}/s  burst {default_burst(limit.rate) if limit.burst is None else limit.burst:g}"


def _subject(
    state: State, *, account: str, region: str, quota: str | None, key: str | None, alias: str | None,
    tag: str | None, principal: str | None,
) -> tuple[str, str]:  # fmt: skip
    """Whose change it is, and what it sets a limit on."""
    texts = [one for one in (quota, key, alias, tag, principal) if one is not None]
    if len(texts) != 1:
        raise OperatorError(_ONE_OF)
    if any("\ud800" <= character <= "\udfff" for character in texts[0]):
        raise OperatorError("what a limit is set on must be UTF-8")
    if key is not None:
        return _key(state, key)
    if quota is not None:
        if quota not in QUOTAS:
            raise OperatorError(f"there is no quota {quota}: see `kms-server quota list`")
        subject = subjects.of_quota(account, region, quota)
    elif alias is not None:
        if not alias.startswith("alias/"):
            raise OperatorError(f"{alias} is no pattern of aliases: they begin with alias/")
        subject = subjects.of_alias(account, region, alias)
    elif tag is not None:
        subject = subjects.of_tag(account, region, *_tag(tag))
    else:
        subject = subjects.of_principal(principal or "")
    if len(subject) > _LONGEST:
        raise OperatorError(f"a limit is set on at most {_LONGEST} characters: use a shorter pattern")
    return account, subject


def _tag(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise OperatorError(f"{text} is no tag: write KEY=VALUE")
    return name, value


def _key(state: State, named: str) -> tuple[str, str]:
    arn = Arn.parse(named)
    bare = arn.resource.removeprefix("key/") if arn else named
    with state.database.read() as connection:
        members = keys.members(connection, bare)
    if not members:
        raise OperatorError(f"there is no key {named}")
    return members[0].account, subjects.of_key(bare)
