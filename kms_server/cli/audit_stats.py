"""`kms-server audit stats`: count the records that fit, over time."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import filterfalse
from typing import Unpack

import click

from kms_server.audit import event_id
from kms_server.audit.lookup import stream
from kms_server.audit.matching import is_copy
from kms_server.audit.record import Row
from kms_server.audit.statistics import DIMENSIONS, SPANS, Line, Periods, Tally
from kms_server.cli.audit_charts import CHARTS, Counted, periods_that_fit
from kms_server.cli.audit_filters import MOST_RECORDS, Asked, chosen, filter_options, places
from kms_server.cli.operator import opened
from kms_server.cli.options import Where, option, state_options, state_settings
from kms_server.cli.terminal import progress
from kms_server.clock import DAY, iso_seconds
from kms_server.errors import OperatorError

_STEP = 1_000  # records between two movements of the progress bar
_MOST_PERIODS = 10_000


class Options(Where, Asked):
    """All options that say where the server is and which records are wanted."""


@click.command()
@option(
    "--by",
    type=click.Choice([*DIMENSIONS, *SPANS]),
    default="key",
    help="What is counted. time, hour and day have a bar for each period.",
)
@option(
    "--top", type=click.IntRange(1, MOST_RECORDS), default=10, help="How many of the most frequent are shown."
)
@option(
    "--format",
    "style",
    type=click.Choice(list(CHARTS)),
    default="bars",
    help="Bars with a curve over time, one line for each value and period, or a JSON object.",
)
@filter_options
@state_options
def stats(*, by: str, top: int, style: str, **options: Unpack[Options]) -> None:
    """Count calls by key, principal, error or whatever else, and draw them over time.

    The records are those that `kms-server audit query` prints for the same options, by default those of the last 24
    hours. Each curve is scaled to its own highest period. A call with two keys (ReEncrypt) counts for both. A call of which
    several accounts have records counts once, or with --account for that account.

    \b
    Who is denied most, this week:
      kms-server audit stats --by principal --error AccessDenied --since 7d
    How busy a key is, hour by hour:
      kms-server audit stats --by hour --key alias/orders
    Which objects a principal reads:
      kms-server audit stats --by object --event Decrypt --principal arn:aws:iam::000000000000:user/mira
    """
    where = Where(
        data_dir=options["data_dir"], database_url=options["database_url"], root_key=options["root_key"]
    )
    with opened(state_settings(**where)) as state:
        wanted = chosen(state, options)
        until = state.clock.now() if wanted.until is None else wanted.until
        since = max(0.0, until - DAY) if wanted.since is None else wanted.since
        if since > until:
            raise OperatorError("--since is in the future: there are no records yet")
        rows = stream(places(state, options["category"]), replace(wanted, since=since, until=until))
        if wanted.account is None:
            rows = filterfalse(is_copy, rows)
        CHARTS[style](_counted(rows, by, top, since, until))


def _counted(rows: Iterable[Row], by: str, top: int, since: float, until: float) -> Counted:
    over_time = by in DIMENSIONS
    periods = Periods.between(since, until, most=periods_that_fit(), size=SPANS.get(by))
    if periods.count > _MOST_PERIODS:
        raise OperatorError(
            f"--by {by} would draw {periods.count} bars: choose a later --since, or --by time"
        )
    tally = Tally(periods)
    values = DIMENSIONS.get(by)
    for row, when in watched(rows, since, until):
        tally.add(values(row) if values else (by,), when)
    lines = tally.top(top) if over_time else _by_period(tally)
    return Counted(by, since, until, periods, tally.records, lines, over_time)


def _by_period(tally: Tally) -> list[Line]:
    """A line for each period, in their order; none if nothing was counted."""
    return [
        Line(iso_seconds(start), calls, ())
        for line in tally.top(1)
        for start, calls in zip(tally.periods.starts(), line.over_time, strict=True)
    ]


def watched(rows: Iterable[Row], since: float, until: float) -> Iterator[tuple[Row, float]]:
    """The rows with their times in epoch seconds; on stderr, a progress bar goes through the time."""
    with progress(max(1, int(until - since))) as advance:
        seen = since
        for number, row in enumerate(rows):
            when = event_id.time_of(row.event_id)
            if number % _STEP == 0:
                advance(int(when - seen))
                seen += int(when - seen)
            yield row, when
        advance(int(until - seen))
