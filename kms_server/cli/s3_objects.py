"""`kms-server s3 verify`, `rewrap` and `sweep`: work on all objects, also while the server runs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from typing import Unpack

import click

from kms_server.cli.operator import change, opened
from kms_server.cli.options import Where, option, state_options, state_settings
from kms_server.cli.s3_position import Position
from kms_server.cli.terminal import progress
from kms_server.config import DEFAULT_ACCOUNT, Limits
from kms_server.errors import OperatorError
from kms_server.s3.blobs.store import StoreUnavailable
from kms_server.s3.leftovers import Leftovers, Swept
from kms_server.s3.rewrapping import Rewrapping
from kms_server.s3.verifying import Verdict, Verifying
from kms_server.server.s3_operator import operator_call, operator_services
from kms_server.server.state import State
from kms_server.storage import buckets, object_upkeep
from kms_server.storage.object_upkeep import EVERYTHING, Scope

_SAVE_SECONDS = 1.0


def _store_option(command: Callable[..., None]) -> Callable[..., None]:
    return option("--s3-store", help="Where sealed objects are kept, as the server was told.")(
        state_options(command)
    )


@contextmanager
def _reaching(s3_store: str | None, **where: Unpack[Where]) -> Iterator[State]:
    """The state of a server; a store that does not answer ends the command.

    Raises:
        OperatorError
    """
    try:
        with opened(replace(state_settings(**where), s3_store=s3_store)) as state:
            yield state
    except StoreUnavailable as error:
        raise OperatorError(f"the store of sealed objects does not answer: {error}") from None


@click.command()
@option("--bucket", help="Only this bucket.")
@option("--prefix", default="", help="Only keys of the bucket that begin so.")
@option("--resume", is_flag=True, help="Go on where the last run was interrupted.")
@_store_option
def verify(
    *, bucket: str | None, prefix: str, resume: bool, s3_store: str | None, **where: Unpack[Where]
) -> None:
    """Read and authenticate every version of every object, and name those that are damaged.

    What opens without its client is opened, with KMS keys of this server whatever their policies and states say; the
    run is audited. Of SSE-C objects, and of those whose KMS key is elsewhere, only the structure is checked.

    Exit code 1: something is damaged.
    """
    if prefix and bucket is None:
        raise OperatorError("--prefix is that of keys in a bucket: add --bucket")
    with _reaching(s3_store, **where) as state:
        services = operator_services(state)
        scope = _scope(state, bucket, prefix)
        position = Position.begin(state.settings, bucket, prefix, resume=resume)
        with change(state, "VerifyObjects", DEFAULT_ACCOUNT, bucket=bucket, prefix=prefix or None):
            pass
        with state.database.read() as connection:
            left = object_upkeep.total(connection, position.after, scope)
        with (
            progress(left.size + left.versions) as advance,
            position.saved_every(_SAVE_SECONDS) as save,
        ):
            verifying = Verifying(services, operator_call(services), advance)
            for verdict in verifying.run(scope, position.after):
                _tell(verdict)
                position.count(verdict)
                save()
                advance(1)
        leftovers = Leftovers(state.database, services.blobs)
        strangers = sum(leftovers.count_strangers(state.settings.limits.unsettled_grace))
    position.forget()
    click.echo(f"{position.summary()}, {strangers} blobs that belong to nothing")
    if position.damaged:
        sys.exit(1)


@click.command()
@_store_option
def rewrap(*, s3_store: str | None, **where: Unpack[Where]) -> None:
    """Rewrap all keys of objects that are under former backing keys of the SSE-S3 master.

    The server does it by itself, more slowly. Exit code 1: the keys of some objects do not open.
    """
    with _reaching(s3_store, **where) as state:
        rewrapping = Rewrapping(state.database, operator_services(state).encryption)
        with change(state, "RewrapObjects", DEFAULT_ACCOUNT):
            pass
        done = failures = 0
        with progress(rewrapping.count()) as advance:
            for batch in rewrapping.run():
                for bucket, key in batch.failed:
                    click.echo(f"{bucket}  {key!r}  its keys do not open")
                failures += len(batch.failed)
                done += batch.seen - len(batch.failed)
                advance(batch.seen)
    click.echo(f"{done} rewrapped, {failures} failed")
    if failures:
        sys.exit(1)


@click.command()
@option(
    "--older-than", type=click.IntRange(0), default=int(Limits().unsettled_grace),
    help="Seconds for which nobody wrote to a blob, or for which it has belonged to nothing.",
)  # fmt: skip
@_store_option
def sweep(*, older_than: int, s3_store: str | None, **where: Unpack[Where]) -> None:
    """Delete sealed bytes that belong to no object, as the server does by itself.

    Fewer seconds than a request takes delete what is being stored.
    """
    with _reaching(s3_store, **where) as state:
        leftovers = Leftovers(state.database, operator_services(state).blobs)
        with change(state, "SweepBlobs", DEFAULT_ACCOUNT, olderThan=older_than):
            pass
        swept = reduce(Swept.plus, leftovers.sweep(older_than, doomed_for=older_than), Swept())
    click.echo(f"{swept.doomed + swept.unknown} deleted, {swept.settled} settled")


def _scope(state: State, bucket: str | None, prefix: str) -> Scope:
    if bucket is None:
        return EVERYTHING
    with state.database.read() as connection:
        found = buckets.get(connection, bucket)
    if found is None:
        raise OperatorError(f"there is no bucket {bucket}")
    return Scope(found.bucket_id, prefix)


def _tell(verdict: Verdict) -> None:
    if verdict.problem is not None:
        version = verdict.version
        click.echo(f"{verdict.bucket}  {version.key!r}  {version.version_id}  {verdict.problem}")
