"""`kms-server audit prune`: remove old audit records now, as the server does by itself."""

import sys
from collections.abc import Generator
from dataclasses import replace
from typing import Unpack

import click

from kms_server.audit import event_id
from kms_server.audit.pruning import Plan
from kms_server.cli.operator import change, opened
from kms_server.cli.options import Where, option, retention_options, seconds_of, state_options, state_settings
from kms_server.config import DEFAULT_ACCOUNT
from kms_server.server.audit_proof import checkpoints_of
from kms_server.server.audit_retention import policy_of, pruner_of, whole_log


@click.command()
@option("--dry-run", is_flag=True, help="Tell what would go, and change nothing.")
@option("--older-than", metavar="SPAN", help="All that is older goes (30d, 12h), also within the limits.")
@option(
    "--include-undelivered", is_flag=True,
    help="What a trail or a stream has not delivered yet goes too. It is lost to them.",
)  # fmt: skip
@retention_options
@state_options
def prune(
    *, dry_run: bool, older_than: str | None, include_undelivered: bool, audit_retention_days: int,
    audit_retention_size: int, **where: Unpack[Where],
) -> None:  # fmt: skip
    """Remove audit records that are beyond the limits, whole files and batches at a time.

    The server does it by itself every ten minutes. Last uses of keys are kept, and verification knows what was pruned.
    """
    span = None if older_than is None else seconds_of(older_than)
    settings = replace(
        state_settings(**where), audit_retention_days=audit_retention_days, audit_retention_size=audit_retention_size
    )  # fmt: skip
    with opened(settings) as state:
        policy, pruner, now = policy_of(settings), pruner_of(state, checkpoints_of(state)), state.clock.now()
        cutoff = policy.cutoff(now)
        if span is not None:
            cutoff = max(cutoff, event_id.floor(now - span))
        if not dry_run:
            with change(state, "PruneAuditLog", DEFAULT_ACCOUNT, olderThan=older_than,
                        includeUndelivered=include_undelivered or None):  # fmt: skip
                pass
        plan = _result(pruner.plan(cutoff, policy.most, undelivered=include_undelivered))
        records = sum(unit.rows for unit in plan.units)
        if dry_run:
            click.echo(f"{records} records would go, {_size(sum(unit.size for unit in plan.units))}")
        else:
            with click.progressbar(length=records, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
                rows = size = 0
                for freed in pruner.carry_out(plan):
                    rows, size = rows + freed.rows, size + freed.size
                    bar.update(freed.rows)
            pruner.clear_remains()
            click.echo(f"{rows} records pruned, {_size(size)} freed")
        held = whole_log(state).held(pruner.holds())
    if held and not include_undelivered:
        click.echo(f"{_size(held)} are not delivered yet and stay")


def _result(planning: Generator[None, None, Plan]) -> Plan:
    while True:
        try:
            next(planning)
        except StopIteration as end:
            plan: Plan = end.value
            return plan


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"
