"""`kms-server audit deliver` and `audit rotate-key`: what trails deliver, and the key that signs their digests."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Unpack

import click

from kms_server.audit.trail.backlog import Backlog, backlogs
from kms_server.audit.trail.delivery import PROBLEMS, Delivery
from kms_server.cli.operator import change, opened
from kms_server.cli.options import Where, bucket_options, option, state_options, state_settings
from kms_server.clock import iso_seconds
from kms_server.config import DEFAULT_ACCOUNT
from kms_server.errors import OperatorError
from kms_server.server.audit_proof import checkpoints_of
from kms_server.server.audit_trail import signing_keys
from kms_server.server.state import State
from kms_server.server.trail_buckets import trail_buckets
from kms_server.server.trail_delivery import delivery, planner
from kms_server.storage import trails


@click.command()
@option("--now", is_flag=True, help="Deliver what is pending; without it the backlog is printed.")
@option("--digest", is_flag=True, help="With --now: close the digests at once, too, not at the full hour.")
@bucket_options
@state_options
def deliver(
    *, now: bool, digest: bool, s3_store: str | None, kms_endpoint: str | None, **where: Unpack[Where]
) -> None:
    """Deliver log files of trails, and the digests that are due; or print what waits for delivery.

    Works beside a running server, which delivers by itself, and without one. Where buckets are stands in the file of
    --config, as for the server.

    Exit code 1: a destination failed, and something is left.
    """
    if digest and not now:
        raise OperatorError("--digest goes with --now")
    settings = replace(state_settings(**where), s3_store=s3_store, kms_endpoint=kms_endpoint)
    with opened(settings) as state:
        if now:
            failed = _deliver(state, digest=digest)
            left = [one for one in _backlogs(state) if one.trail.trail_id in failed]
        else:
            left = _backlogs(state)
        _tell(left)
    if now and left:
        sys.exit(1)


@click.command("rotate-key")
@state_options
def rotate_key(**where: Unpack[Where]) -> None:
    """Sign digests and checkpoints with a new key from now on; they rotate every 30 days by themselves.

    What the key before has signed stays valid.
    """
    with opened(state_settings(**where)) as state:
        made = signing_keys(state).rotate(state.clock.now()).public
        with change(state, "RotateSigningKey", DEFAULT_ACCOUNT, fingerprint=made.fingerprint):
            pass
        click.echo(f"{made.fingerprint}  until {iso_seconds(made.ends_at)}")


def _deliver(state: State, *, digest: bool) -> set[str]:
    """Deliver for all trails; the ids of those where that failed."""
    with change(state, "DeliverTrails", DEFAULT_ACCOUNT, digest=digest or None):
        pass
    with state.database.read() as connection:
        found = trails.every(connection)
    with trail_buckets(state) as buckets:
        made = delivery(state, buckets, checkpoints_of(state))
        return {trail.trail_id for trail in found if not _delivers(made, trail, digest=digest)}


def _delivers(made: Delivery, trail: trails.Trail, *, digest: bool) -> bool:
    try:
        for written in made.attend(trail, digest_at_once=digest):
            if written is not None:
                click.echo(f"{written.kind:8}  {written.place}")
    except PROBLEMS as problem:
        click.echo(f"kms-server: {trail.arn}: {problem.code}: {problem}", err=True)
        return False
    return True


def _backlogs(state: State) -> list[Backlog]:
    return backlogs(state.database, planner(state))


def _tell(left: Iterable[Backlog]) -> None:
    for one in left:
        since = "" if one.since is None else f" since {iso_seconds(one.since)}"
        error = "" if one.error is None else f"; the last attempt failed: {one.error}"
        click.echo(
            f"{one.trail.arn}: {one.rows} records to look at, {one.files} log files and {one.digests} digests to write"
            f"{since}{error}"
        )
