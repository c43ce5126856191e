"""`kms-server quota inject`, `injected` and `clear-injected`: faults for tests of clients."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Unpack

import click

from kms_server.arn import Arn
from kms_server.cli.operator import change, opened
from kms_server.cli.options import Where, account_id, option, plain_text, state_options, state_settings
from kms_server.cli.terminal import printable
from kms_server.config import DEFAULT_ACCOUNT
from kms_server.errors import OperatorError
from kms_server.operations import injected_faults as operations
from kms_server.operations.registry import OPERATIONS
from kms_server.schemas import base
from kms_server.schemas.injected_faults import InjectFaultRequest
from kms_server.server.state import State
from kms_server.storage import injected_faults, keys
from kms_server.storage.injected_faults import MOST_CALLS, InjectedFault

_ERRORS = {
    "throttled": "ThrottlingException",
    "internal": "KMSInternalException",
    "timeout": "DependencyTimeoutException",
}
_MILLISECONDS = {"ms": 1, "s": 1_000}


def _error(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    return None if name is None else _ERRORS[name]


def _milliseconds(_context: click.Context, _parameter: click.Parameter, span: str | None) -> int | None:
    if span is None:
        return None
    matched = re.fullmatch(r"([0-9]{1,9})(ms|s)", span)
    if matched is None:
        raise OperatorError(f"{span!r} is not a delay: write 200ms or 2s")
    return int(matched[1]) * _MILLISECONDS[matched[2]]


def _operation(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    if name is not None and not any(one.name == name and one.injectable for one in OPERATIONS):
        raise OperatorError(f"there is no operation {name} that faults can be injected into")
    return name


@click.command()
@option("--error", "Error", type=click.Choice(list(_ERRORS)), callback=_error, help="How calls fail.")
@option(
    "--calls", "Calls", type=click.IntRange(1, MOST_CALLS),
    help="How many matching calls it counts. Default: its schedule once.",
)  # fmt: skip
@option(
    "--schedule", "Schedule", metavar="DIGITS",
    help="A digit for each call in turn: 1 is met, 0 passes. Default: 1.",
)  # fmt: skip
@option(
    "--forever", "Forever", is_flag=True, help="Go through the schedule over and over, until it is cleared."
)
@option(
    "--delay", "DelayInMilliseconds", callback=_milliseconds, metavar="SPAN",
    help="Calls take that much longer: 200ms, 2s; 25s at most.",
)  # fmt: skip
@option(
    "--operation", "Operation", callback=_operation, metavar="NAME",
    help="Calls of this operation. Default: all of KMS.",
)  # fmt: skip
@option("--key", "KeyId", callback=plain_text, metavar="KEY", help="Calls on this KMS key: its id or ARN.")
@option(
    "--principal", "Principal", callback=plain_text, metavar="PATTERN",
    help="Calls by principals whose ARN, or whose role's, is like this (* and ? are wildcards).",
)  # fmt: skip
@option("--account", callback=account_id, help="Calls by principals of this account. Default: all.")
@state_options
def inject(
    *, account: str | None, data_dir: Any, database_url: Any, root_key: Any, **asked: Any,  # noqa: ANN401 - click's own
) -> None:  # fmt: skip
    """Let the next calls that match fail, or be slow, and print the fault's id.

    For tests of a client's retries and timeouts, without load. Calls are counted one by one over all workers and hosts: the
    same schedule always gives the same sequence. Faults queue: a call is counted by the oldest one that matches and no other.

    \b
    The next three calls are throttled:
      kms-server quota inject --error throttled --calls 3
    Two Decrypts fail, one passes, one fails:
      kms-server quota inject --error internal --operation Decrypt --schedule 1101
    Every call by one role takes a fifth of a second longer:
      kms-server quota inject --delay 200ms --principal '*:role/app' --forever
    """
    members = base.load(InjectFaultRequest, asked)
    where = state_settings(data_dir=data_dir, database_url=database_url, root_key=root_key)
    with opened(where) as state:
        key_id = _key_id(state, members["KeyId"]) if "KeyId" in members else None
        fault = operations.described(members, account=account, key_id=key_id, now=state.clock.now())
        with change(
            state, "InjectFault", account or DEFAULT_ACCOUNT, **_recorded(asked), faultId=fault.fault_id
        ) as made:
            operations.add(made.tx, fault)
    click.echo(fault.fault_id)


@click.command()
@state_options
def injected(**where: Unpack[Where]) -> None:
    """List the injected faults, the oldest first, with how many calls each has counted."""
    with opened(state_settings(**where)) as state, state.database.read() as connection:
        operations.require_allowed(connection)
        found = injected_faults.every(connection)
    for fault in found:
        click.echo("  ".join(_shown(fault)))


@click.command("clear-injected")
@click.argument("fault_id", nargs=-1)
@state_options
def clear_injected(fault_id: tuple[str, ...], **where: Unpack[Where]) -> None:
    """Drop the injected faults with these ids, or all."""
    with opened(state_settings(**where)) as state:
        with state.database.read() as connection:
            found = {fault.fault_id: fault for fault in injected_faults.every(connection)}
        if missing := set(fault_id) - found.keys():
            raise OperatorError(f"there is no injected fault {', '.join(sorted(missing))}")
        for one in dict.fromkeys(fault_id or found):
            owner = found[one].account or DEFAULT_ACCOUNT
            with change(state, "RemoveInjectedFault", owner, faultId=one) as made:
                injected_faults.remove(made.tx, one)


def _key_id(state: State, named: str) -> str:
    arn = Arn.parse(named)
    key_id = arn.resource.removeprefix("key/") if arn else named
    with state.database.read() as connection:
        if not keys.members(connection, key_id):
            raise OperatorError(f"there is no key {named}")
    return key_id


def _recorded(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The members as records name them."""
    return {name[0].lower() + name[1:]: value for name, value in asked.items() if value}


def _shown(fault: InjectedFault) -> Iterator[str]:
    yield fault.fault_id
    yield f"{fault.seen} of {'all' if fault.calls is None else fault.calls} calls"
    yield fault.error or "no error"
    if fault.delay:
        yield f"{fault.delay * 1_000:.0f}ms"
    if fault.schedule != "1":
        yield f"schedule {fault.schedule}"
    matches = {
        "operation": fault.operation,
        "key": fault.key_id,
        "principal": fault.principal,
        "account": fault.account,
    }
    yield from (f"{name} {printable(value)}" for name, value in matches.items() if value is not None)
