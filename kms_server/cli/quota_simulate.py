"""`kms-server quota simulate`: what other limits would have throttled."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypedDict, Unpack

import click
import orjson

from kms_server.audit import event_id, record_files
from kms_server.audit.lookup import stream
from kms_server.audit.matching import Filter
from kms_server.cli.audit_stats import watched
from kms_server.cli.moments import Moment, moment
from kms_server.cli.operator import opened
from kms_server.cli.options import Where, option, profile_name, state_options, state_settings
from kms_server.cli.simulation_formats import FORMATS, Simulated
from kms_server.cli.terminal import progress
from kms_server.clock import real_now
from kms_server.errors import OperatorError
from kms_server.operations.counted import attempt_of
from kms_server.quotas import profiles
from kms_server.quotas.attempts import Attempt, Attempts
from kms_server.quotas.replay import Replay
from kms_server.quotas.rules import Rules
from kms_server.server.audit_trail import audit_sources
from kms_server.server.state import State
from kms_server.storage import limits

_LOG = "log"


class Asked(TypedDict):
    """What the options say of the calls and of the limits."""

    sources: tuple[str, ...]
    profile: str
    with_set_limits: bool
    since: Moment | None
    until: Moment | None


class Options(Where, Asked):
    """All options that are about the simulation, or about the server."""


class _Span(NamedTuple):
    """From when to when, in epoch seconds; both are included, None is open."""

    since: float | None
    until: float | None

    def has(self, attempt: Attempt) -> bool:
        """Whether an attempt lies within; the end's second is included whole."""
        second = attempt.time // 1_000
        since, until = self
        return (since is None or int(since) <= second) and (until is None or second <= int(until))


@click.command()
@option(
    "--from", "sources", multiple=True, default=(_LOG,), metavar="log|PATH",
    help="The server's own audit log, or a file or directory: JSON lines of `audit query`, or log files of CloudTrail, also "
    "compressed. Again for several.",
)  # fmt: skip
@option(
    "--profile", required=True, callback=profile_name,
    help="The limits to try: relaxed, aws, aws-REGION, unlimited, or FILE.toml.",
)  # fmt: skip
@option(
    "--with-set-limits", is_flag=True, help="Let the limits that are set on quotas hold over the profile's."
)
@option(
    "--since", callback=moment, metavar="TIME", help="From 2026-11-20T09:14:07Z on, or from 2h or 3d ago."
)
@option("--until", callback=moment, metavar="TIME", help="Up to this time, which is included.")
@option(
    "--format", "style", type=click.Choice(list(FORMATS)), default="table", help="How the report is printed."
)
@state_options
def simulate(*, style: str, **options: Unpack[Options]) -> None:
    """Tell what a profile would have throttled of the calls in an audit log.

    Each call counts as it would at the server, with the server's own arithmetic: which limit, how many of its calls, when,
    and the worst second. Nothing is called and nothing changes. Calls that the log dates to the second alone, as AWS's do,
    give a range: the least and the most that could have been throttled.

    A log has attempts as they were made: it does not tell which calls a client would have repeated, or slowed down.

    \b
    Would the traffic of this week fit into AWS's limits?
      kms-server quota simulate --profile aws-eu-west-1 --since 7d
    What would limits of your own do to an account on AWS?
      kms-server quota simulate --profile mine.toml --from AWSLogs/111122223333/CloudTrail
    """
    where = Where(
        data_dir=options["data_dir"], database_url=options["database_url"], root_key=options["root_key"]
    )
    needs_state = _LOG in options["sources"] or options["with_set_limits"]
    with opened(state_settings(**where)) if needs_state else nullcontext() as state:
        rules = Rules(_set_limits(state, options), profiles.find(options["profile"]))
        simulation = _Simulation(state, _span(state, options), Replay(rules))
        simulation.run(options["sources"])
    told = Simulated(options["profile"], simulation.records, simulation.replay)
    FORMATS[style](told)


def _span(state: State | None, asked: Asked) -> _Span:
    now = state.clock.now() if state else real_now()
    since, until = (one.at(now) if one else None for one in (asked["since"], asked["until"]))
    if since is not None and until is not None and since > until:
        raise OperatorError("--since is later than --until: no record can be both")
    return _Span(since, until)


def _set_limits(state: State | None, asked: Asked) -> Mapping[str, limits.SetLimit]:
    if state is None or not asked["with_set_limits"]:
        return {}
    with state.database.read() as connection:
        return limits.all_limits(connection)


class _Simulation:
    """One run; `records` is how many were read."""

    def __init__(self, state: State | None, span: _Span, replay: Replay) -> None:
        self.records = 0
        self.replay = replay
        self._state = state
        self._span = span

    def run(self, sources: Sequence[str]) -> None:
        """Replay what the sources have. The log alone is in order already."""
        if self._state is not None and set(sources) == {_LOG}:
            for attempt in self._attempts(self._from_log(self._state)):
                self.replay.add(attempt)
            return
        with Attempts() as attempts:
            for attempt in self._attempts(self._from_all(sources)):
                attempts.add(attempt)
            for attempt in attempts:
                self.replay.add(attempt)

    def _attempts(self, read: Iterator[Attempt | None]) -> Iterator[Attempt]:
        for attempt in read:
            self.records += 1
            if attempt is not None and self._span.has(attempt):
                yield attempt

    def _from_all(self, sources: Sequence[str]) -> Iterator[Attempt | None]:
        if self._state is not None and _LOG in sources:
            yield from self._from_log(self._state)
        files = [file for one in sources if one != _LOG for file in record_files.files_at(Path(one))]
        with progress(sum(map(record_files.size_of, files))) as advance:
            for file in files:
                yield from record_files.read(file, attempt_of, advance)

    def _from_log(self, state: State) -> Iterator[Attempt | None]:
        since, until = self._span
        rows = stream(audit_sources(state), Filter(since=since, until=until))
        first = next(rows, None)
        if first is not None:
            begin = event_id.time_of(first.event_id)
            end = state.clock.now() if until is None else until
            for row, _ in watched(chain([first], rows), begin, end):
                yield attempt_of(orjson.loads(row.record))
