"""`kms-server quota usage`: how much of each limit is used now."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Unpack

import click

from kms_server.cli.operator import opened
from kms_server.cli.options import Where, account_id, option, region_name, state_options, state_settings
from kms_server.cli.terminal import Drawing, drawing, height, printable, width
from kms_server.quotas import meters, profiles, subjects
from kms_server.quotas.rules import Rules
from kms_server.quotas.subjects import Subject
from kms_server.quotas.usage import Usage
from kms_server.quotas.usage import usage as usage_of
from kms_server.server.state import State
from kms_server.storage import limits

_SECOND = 1.0
_LEAST_LABEL, _LEAST_BAR, _BAR = 20, 8, 20
_PARTS = 1_000
_HEADS = ("limit", "calls/s", "allowed", "throttled/s", "in all")
_NAMED_KINDS = {subjects.KEY, subjects.TAG, subjects.PRINCIPAL}  # an alias or a quota says itself what it is


class Reading(NamedTuple):
    """One limit over about a second; `rate` and `refused` are calls per second."""

    usage: Usage
    rate: float
    refused: float

    @property
    def allowed(self) -> float | None:
        """Calls per second; None where there is no limit any more."""
        return self.usage.held.allowed.value if self.usage.held else None

    @property
    def share(self) -> float | None:
        """How full the limit is, 0 to 1; None where it is gone, or where those that it is for have tokens of their own."""
        if self.allowed is None or not self.usage.is_one:
            return None
        return min(self.rate / self.allowed, 1.0)


@click.command()
@option("--watch", is_flag=True, help="Go on, second after second, until Ctrl-C.")
@option(
    "--account", callback=account_id, help="Only limits of this account, not those on keys and principals."
)
@option(
    "--region", callback=region_name, help="Only limits of this Region, not those on keys and principals."
)
@option("--all", "all_", is_flag=True, help="Also limits that were set and are not used yet.")
@option(
    "--format", "style", type=click.Choice(["bars", "json"]), default="bars",
    help="Bars, or a JSON array on one line.",
)  # fmt: skip
@state_options
def usage(
    *, watch: bool, account: str | None, region: str | None, all_: bool, style: str, **where: Unpack[Where]
) -> None:
    """Show how much of each limit is used now, the fullest first.

    Calls are counted for a second, those of all workers of this host. A call that is refused counts as throttled for each
    limit that it needed, so the limit to look at is the one that is full. A limit on aliases, tags or principals is shown
    with the calls of all that it is for; as each of these has tokens of its own, there is no bar.

    \b
    What is throttled right now:
      kms-server quota usage --watch
    """
    with opened(state_settings(**where)) as state, suppress(KeyboardInterrupt):
        for readings in _readings(state):
            shown = [one for one in readings if _is_of(one.usage.about, account, region)]
            shown = sorted((one for one in shown if all_ or any(one.usage.calls)), key=_rank)
            if watch and style == "bars":
                click.clear()
                shown = shown[: (height() or len(shown) + 2) - 2]
            STYLES[style](shown)
            if not watch:
                break


def _readings(state: State) -> Iterator[list[Reading]]:
    """All limits, second after second."""
    directory = state.settings.usage_dir
    profile = profiles.find(profiles.noted(state.settings.state_dir))
    began, before = time.monotonic(), meters.read(directory)
    while True:
        time.sleep(_SECOND)
        now, counts = time.monotonic(), meters.read(directory)
        with state.database.read() as connection:
            rules = Rules(limits.all_limits(connection), profile)
        earlier = {one.about: one.calls for one in usage_of(before, rules)}
        yield [
            _reading(one, earlier.get(one.about, meters.NONE), now - began) for one in usage_of(counts, rules)
        ]
        began, before = now, counts


def _reading(one: Usage, earlier: meters.Count, seconds: float) -> Reading:
    passed, refused = one.calls
    return Reading(one, (passed - earlier.passed) / seconds, (refused - earlier.refused) / seconds)


def _is_of(about: Subject | None, account: str | None, region: str | None) -> bool:
    if account is None and region is None:
        return True
    place = about.place if about else None
    return place is not None and account in (None, place.account) and region in (None, place.region)


def _rank(one: Reading) -> tuple[float, ...]:
    """The fullest first; then what was refused, or used, most."""
    return -(one.share or 0.0), -one.refused, -one.rate, -one.usage.calls.refused


def _as_bars(readings: Sequence[Reading]) -> None:
    if not readings:
        click.echo("no limit has been used")
        return
    draw = drawing()
    table = [_HEADS, *map(_cells, readings)]
    labels, *numbers = zip(*table, strict=True)
    widths = [max(map(len, column)) for column in numbers]
    widest, bar_columns = _room(max(map(len, labels)), sum(widths) + 2 * len(_HEADS))
    bars = ["used", *(_bar(draw, one, bar_columns) for one in readings)]
    for (label, *cells), bar in zip(table, bars, strict=True):
        rate, allowed, *refused = (f"{cell:>{columns}}" for cell, columns in zip(cells, widths, strict=True))
        line = (f"{draw.end_of(label, widest):{widest}}", rate, allowed, f"{bar:{bar_columns}}", *refused)
        click.echo("  ".join(line))


def _room(label: int, others: int) -> tuple[int, int]:
    """How wide labels and bars are; what goes elsewhere than to a terminal is not cut."""
    columns = width()
    if columns is None:
        return label, _BAR
    room = columns - others
    bar = max(min(room - label, _BAR), _LEAST_BAR)
    return min(label, max(room - bar, _LEAST_LABEL)), bar


def _cells(one: Reading) -> tuple[str, ...]:
    allowed = "-" if one.allowed is None else f"{one.allowed:,.10g}"
    return (
        _label(one.usage.about),
        _shown(one.rate),
        allowed,
        _shown(one.refused),
        f"{one.usage.calls.refused:,}",
    )


def _shown(rate: float) -> str:
    return f"{rate:,.1f}" if 0 < rate < 9.95 else f"{rate:,.0f}"


def _bar(draw: Drawing, one: Reading, columns: int) -> str:
    return "" if one.share is None else draw.bar(round(one.share * _PARTS), _PARTS, columns)


def _label(about: Subject | None) -> str:
    """What people call a limit; its end tells most, since a narrow terminal cuts the beginning."""
    if about is None:
        return "(others)"
    name = f"{about.name}={about.value}" if about.kind == subjects.TAG else about.name
    kind = [about.kind] if about.kind in _NAMED_KINDS else []
    return printable(" ".join([*(about.place or ()), *kind, name]))


def _as_json(readings: Sequence[Reading]) -> None:
    """A line for programs."""
    told = [
        {
            **one.usage.labels, "callsPerSecond": round(one.rate, 3), "allowed": one.allowed,
            "used": one.share and round(one.share, 3), "throttledPerSecond": round(one.refused, 3),
            "calls": one.usage.calls.passed, "throttled": one.usage.calls.refused,
        }
        for one in readings
    ]  # fmt: skip
    click.echo(json.dumps(told, ensure_ascii=False))


STYLES: Mapping[str, Callable[[Sequence[Reading]], None]] = {"bars": _as_bars, "json": _as_json}
