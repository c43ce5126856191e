"""`kms-server audit tail`: the newest records, and those that come."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Unpack

import click

from kms_server.audit.follower import Follower, heads
from kms_server.audit.lookup import stream
from kms_server.audit.matching import Filter, selector
from kms_server.audit.record import Row
from kms_server.cli.audit_filters import MOST_RECORDS, Asked, chosen, filter_options, places
from kms_server.cli.audit_formats import Table, as_jsonl
from kms_server.cli.operator import opened
from kms_server.cli.options import Where, option, state_options, state_settings
from kms_server.server.audit_trail import journals
from kms_server.server.state import State

_PAUSE = 0.25
_AT_ONCE = 500
_STYLES: Mapping[str, Callable[[list[Row]], Callable[[Iterable[Row]], None]]] = {
    "table": lambda first: Table(first).add,
    "jsonl": lambda _: as_jsonl,
}


class Options(Where, Asked):
    """All options that say where the server is and which records are wanted."""


@click.command()
@filter_options
@option("--follow", "-f", is_flag=True, help="Go on with the records that come, until Ctrl-C.")
@option(
    "--lines", "-n", type=click.IntRange(0, MOST_RECORDS), default=20, help="How many records to begin with."
)
@option("--format", "style", type=click.Choice(list(_STYLES)), default="table", help="How they are printed.")
@state_options
def tail(*, follow: bool, lines: int, style: str, **options: Unpack[Options]) -> None:
    """Print the newest records that fit, and with -f those that come.

    A record that is committed late comes late, also behind younger ones. Times are UTC.

    \b
    What happens to a key right now:
      kms-server audit tail -f --key alias/orders
    Refusals as they come:
      kms-server audit tail -f -n 0 --error any --format jsonl
    """
    where = Where(
        data_dir=options["data_dir"], database_url=options["database_url"], root_key=options["root_key"]
    )
    with opened(state_settings(**where)) as state, suppress(KeyboardInterrupt):
        wanted, category = chosen(state, options), options["category"]
        # Heads first: what comes between the two is seen by both.
        follower = _follower(state, category)
        newest = replace(wanted, newest_first=True, limit=lines)
        first = list(stream(places(state, category), newest))[::-1] if lines else []
        write = _STYLES[style](first)
        write(first)
        if follow:
            seen = {row.event_id for row in first}
            for rows in _coming(follower, wanted):
                write([row for row in rows if row.event_id not in seen])


def _follower(state: State, category: str | None) -> Follower:
    management, data = journals(state)
    followed = {"management": (management,), "data": (data,)}.get(category or "", (management, data))
    return Follower(followed, heads(followed))


def _coming(follower: Follower, wanted: Filter) -> Iterator[list[Row]]:
    selects = selector(wanted)
    while True:
        news = follower.news(_AT_ONCE)
        follower.take(news)
        found = [row for row in news.rows if selects(row)]
        if found:
            yield found
        elif not news.rows:
            time.sleep(_PAUSE)
