"""`kms-server clock`: see the service's time and move it forward."""

import sys
import time
from collections.abc import Callable
from typing import Unpack

import click

from kms_server.audit.ledger import Ledger
from kms_server.cli.operator import change, opened
from kms_server.cli.options import Where, seconds_of, state_options, state_settings
from kms_server.clock import DAY, iso_seconds, real_now
from kms_server.config import DEFAULT_ACCOUNT
from kms_server.errors import OperatorError
from kms_server.operations.lifecycle import Lifecycle
from kms_server.server.root_holding import RootHolding
from kms_server.server.state import State
from kms_server.storage import keys, settings

_ERASE_SECONDS = 10.0


@click.group()
def clock() -> None:
    """The service's clock: rotation, deletion and event times follow it."""


@clock.command()
@state_options
def show(**where: Unpack[Where]) -> None:
    """Print the service's time."""
    with opened(state_settings(**where)) as state:
        click.echo(f"{iso_seconds(state.clock.now())}  {state.clock.offset:.0f} s ahead of real time")


@clock.command()
@click.argument("span")
@state_options
def advance(span: str, **where: Unpack[Where]) -> None:
    """Move the clock forward by SPAN (400d, 3h, 30m, 10s), carrying out all that falls due on the way."""
    seconds = seconds_of(span)
    with opened(state_settings(**where)) as state, RootHolding(state):
        _check(state, seconds)
        begin = state.clock.offset
        with click.progressbar(
            length=seconds, file=sys.stderr, hidden=not sys.stderr.isatty(), item_show_func=_count
        ) as bar:
            steps = _advance(
                state, begin + seconds, lambda offset, steps: bar.update(int(offset - begin) - bar.pos, steps)
            )
        click.echo(f"{iso_seconds(state.clock.now())}  {_count(steps)} carried out")


def _check(state: State, seconds: int) -> None:
    """Refuse what must not be; nothing has been changed yet."""
    with state.database.read() as connection:
        if settings.get(connection, settings.CLOCK_CONTROL) != "1":
            raise OperatorError(
                "this server's clock cannot be moved: it is allowed at the first start only, "
                "by --dev or KMS_SERVER_CLOCK_CONTROL=1"
            )
    if state.clock.offset + seconds > state.settings.limits.max_clock_lead:
        raise OperatorError(
            f"the clock may be 100 years ahead of real time at most, and is {state.clock.offset / DAY:.0f} days ahead now"
        )


def _count(steps: int | None) -> str:
    return f"{steps or 0} due step{'' if steps == 1 else 's'}"


def _advance(state: State, target: float, moved: Callable[[float, int], None]) -> int:
    """Step from due time to due time, so that each piece of work happens at its own."""
    lifecycle = Lifecycle(state.database, state.root_key, state.clock, Ledger(state.chain_key))
    steps = lifecycle.run_due()
    last = 0.0
    while True:
        with state.database.read() as connection:
            due = keys.next_due(connection, real_now() + target)
        if due is None or due <= last:
            break
        last = due
        # The clock counts milliseconds: one more makes sure that the due time is reached.
        _set_offset(state, min(target, max(state.clock.offset, due - real_now() + 0.001)))
        steps += lifecycle.run_due()
        moved(state.clock.offset, steps)
    _set_offset(state, target)
    steps += lifecycle.run_due()
    moved(target, steps)
    deadline = time.monotonic() + _ERASE_SECONDS
    while not lifecycle.erase() and time.monotonic() < deadline:
        time.sleep(0.05)
    return steps


def _set_offset(state: State, offset: float) -> None:
    with change(state, "AdvanceClock", DEFAULT_ACCOUNT, offset=round(offset, 3)) as made:
        # It only grows, also when two are at it.
        stored = float(settings.get(made.tx.connection, settings.CLOCK_OFFSET) or 0.0)
        settings.put(made.tx, settings.CLOCK_OFFSET, repr(max(offset, stored)))
    state.clock.advance_to(max(offset, stored))
