"""`kms-server audit verify`: whether the log and what was delivered of it are as they were written."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Unpack

import click

from kms_server.audit import restores
from kms_server.audit.trail.destination import DestinationError
from kms_server.audit.verification import delivered_checkpoints
from kms_server.audit.verification.delivered_checkpoints import DeliveredCheckpoints
from kms_server.audit.verification.delivered_files import Opener
from kms_server.audit.verification.findings import Finding, Findings, Severity, notice, unchecked
from kms_server.audit.verification.log import Tally
from kms_server.audit.verification.trail import TrailVerification
from kms_server.cli.moments import Moment, moment
from kms_server.cli.operator import change, opened
from kms_server.cli.options import Where, bucket_options, option, state_options, state_settings
from kms_server.clock import iso_seconds
from kms_server.config import DEFAULT_ACCOUNT
from kms_server.errors import OperatorError
from kms_server.server.audit_proof import log_verification
from kms_server.server.audit_trail import journals, signing_keys
from kms_server.server.state import State
from kms_server.server.trail_buckets import trail_buckets
from kms_server.storage import trails
from kms_server.storage.trails import Trail


@click.command()
@option("--log/--no-log", default=True, help="Whether the log in the database is looked at.")
@option(
    "--trail",
    "wanted",
    multiple=True,
    metavar="NAME|ARN",
    help="Only such trails; may be repeated. Default: all.",
)
@option("--since", callback=moment, help="Read log files that were delivered from this time on .")
@option("--until", callback=moment, help="Read log files that were delivered up to this time.")
@option("--format", "style", type=click.Choice(["text", "json"]), default="text")
@bucket_options
@state_options
def verify(
    *, log: bool, wanted: tuple[str, ...], since: Moment | None, until: Moment | None, style: str,
    s3_store: str | None, kms_endpoint: str | None, **where: Unpack[Where],
) -> None:  # fmt: skip
    """Verify the chains of the log, its checkpoints, and what trails have delivered.

    Works while the server runs, and is audited. Exit code 0: all is as it was written, 1: something is not, 2: something
    could not be looked at.
    """
    settings = replace(state_settings(**where), s3_store=s3_store, kms_endpoint=kms_endpoint)
    with opened(settings) as state, trail_buckets(state) as buckets:
        run = Run(state, _chosen(state, wanted), lambda trail: buckets(trail, trail.bucket))
        first, last = (one.at(state.clock.now()) if one else None for one in (since, until))
        with change(
            state, "VerifyAuditLog", DEFAULT_ACCOUNT, log=log, trails=[one.arn for one in run.trails] or None
        ):
            pass
        found = list(_shown(run.findings(first, last, log=log), style))
    _summary(found, run.tally, style)
    sys.exit(_exit_code(found))


class Run:
    """One run over a server's log and the trails that were chosen; `opener` gives the bucket of a trail."""

    def __init__(self, state: State, chosen: Sequence[Trail], opener: Opener) -> None:
        self.trails = chosen
        self.tally: Tally | None = None
        self._state = state
        self._keys = signing_keys(state)
        with state.database.read() as connection:
            self._restores = restores.declared(connection, state.chain_key)
        self._looks = [
            TrailVerification(trail, opener, state.database, self._keys, journals(state), self._restores)
            for trail in chosen
        ]
        self._delivered = DeliveredCheckpoints(self._restores)

    def findings(self, since: float | None, until: float | None, *, log: bool) -> Findings:
        """What is wrong; delivered checkpoints are read first, since the log must have all that they name."""
        for one in self._restores:
            yield notice(
                f"restore of {iso_seconds(one.time)}",
                f"what was logged between {iso_seconds(one.taken_at)}, when backup {one.backup} was taken, and then is lost",
            )
        reachable = []
        for trail, look in zip(self.trails, self._looks, strict=True):
            try:
                self._delivered.read(look.buckets, self._keys)
                reachable.append((trail, look))
            except DestinationError as problem:
                yield _unreachable(trail, problem)
        yield from self._delivered.findings
        yield from delivered_checkpoints.against(self._state.database, self._delivered.complete.items())
        if log:
            yield from self._log()
        with _bar(sum(look.files for _, look in reachable), "log files") as advance:
            for trail, look in reachable:
                try:
                    yield from look.run(since, until, advance)
                except DestinationError as problem:
                    yield _unreachable(trail, problem)

    def _log(self) -> Findings:
        looking = log_verification(self._state)
        with _bar(looking.begin(self._delivered.claims), "rows") as advance:
            self.tally = looking.tally()
            yield from looking.run(self._state.clock.now(), advance)


def _chosen(state: State, wanted: Iterable[str]) -> list[Trail]:
    with state.database.read() as connection:
        every = trails.every(connection)
    unknown = set(wanted) - {name for trail in every for name in (trail.name, trail.arn)}
    if unknown:
        raise OperatorError(f"there is no trail {min(unknown)}")
    return [trail for trail in every if not wanted or trail.name in wanted or trail.arn in wanted]


def _unreachable(trail: Trail, problem: DestinationError) -> Finding:
    return unchecked(
        f"trail {trail.name}", f"the bucket {trail.bucket} does not give what was delivered: {problem}",
        "see that the bucket is there and can be read, and verify again",
    )  # fmt: skip


def _shown(found: Iterable[Finding], style: str) -> Iterator[Finding]:
    for finding in found:
        if style == "text":
            click.echo(f"{finding.severity}: {finding.where}: {finding.what}")
            if finding.advice:
                click.echo(f"    {finding.advice}")
        yield finding


def _summary(found: Sequence[Finding], tally: Tally | None, style: str) -> None:
    if style == "json":
        told = {"findings": [asdict(one) for one in found], "log": asdict(tally) if tally else None}
        click.echo(json.dumps(told, indent=2))
        return
    if tally is not None:
        newest = iso_seconds(tally.newest) if tally.newest is not None else "none"
        older = f", {tally.unchained} rows from before there were chains" if tally.unchained else ""
        click.echo(
            f"{tally.rows} rows in {tally.chains} chains, {tally.checkpoints} checkpoints, the newest {newest}{older}"
        )
    errors = sum(one.severity is Severity.ERROR for one in found)
    click.echo(f"{errors} errors" if errors else "no errors")


def _exit_code(found: Sequence[Finding]) -> int:
    severities = {one.severity for one in found}
    if Severity.ERROR in severities:
        return 1
    return 2 if Severity.UNCHECKED in severities else 0


@contextmanager
def _bar(length: int, label: str) -> Iterator[Callable[[int], None]]:
    """A progress bar for people, and what moves it."""
    with click.progressbar(
        length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        yield bar.update
