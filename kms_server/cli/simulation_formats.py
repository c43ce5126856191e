"""How a simulation is printed: a table for people, or JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from kms_server.clock import iso_millis, iso_seconds
from kms_server.quotas.replay import Load, Replay, Second

_HEAD = ("account", "Region", "quota", "calls", "peak/s", "limit/s", "burst", "throttled", "share")
_TEXTS = 3  # columns that begin at the left
_ATTEMPTS = "The log has attempts as they were made: what a client repeats, or keeps back, when it is throttled is in no log."
_CUT = "{:,} calls are dated to the second alone: the least that could have been throttled, and the most."


@dataclass(frozen=True, slots=True)
class Simulated:
    """What was replayed under which profile, of how many records."""

    profile: str
    records: int
    replay: Replay


def as_table(told: Simulated) -> None:
    """Print a line for each quota that was asked for; below those that throttle, when they did."""
    loads = told.replay.loads()
    click.echo(_heading(told))
    if not loads:
        return
    rows = [_HEAD, *map(_row, loads)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, load in zip(rows, [None, *loads], strict=True):
        cells = [
            f"{text:{width}}" if number < _TEXTS else f"{text:>{width}}"
            for number, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(cells))
        if load is not None and load.most:
            click.echo(f"    {_when(load)}")
    if told.replay.cut:
        click.echo(_CUT.format(told.replay.cut))
    click.echo(_ATTEMPTS)


def as_json(told: Simulated) -> None:
    """Print one JSON object; a limit that is null is none."""
    replay = told.replay
    document = {
        "profile": told.profile, "records": told.records, "calls": replay.calls, "datedToTheSecond": replay.cut,
        "first": _time(replay.first, replay.calls), "last": _time(replay.last, replay.calls),
        "quotas": [_object(load) for load in replay.loads()],
    }  # fmt: skip
    click.echo(json.dumps(document, indent=2))


FORMATS: Mapping[str, Callable[[Simulated], None]] = {"table": as_table, "json": as_json}


def _heading(told: Simulated) -> str:
    replay = told.replay
    span = (
        f", {iso_seconds(replay.first / 1_000)} to {iso_seconds(replay.last / 1_000)}" if replay.calls else ""
    )
    return f"{replay.calls:,} calls in {told.records:,} records{span}, under {told.profile}"


def _row(load: Load) -> Sequence[str]:
    allowed = load.allowed
    return (
        load.account, load.region, load.quota_id, f"{load.calls:,}", f"{load.peak.tokens:,}",
        f"{allowed.value:,.10g}" if allowed else "unlimited", f"{allowed.at_once:,.10g}" if allowed else "",
        _range(f"{load.least:,}", f"{load.most:,}"), _range(_share(load.least, load), _share(load.most, load)),
    )  # fmt: skip


def _range(least: str, most: str) -> str:
    return most if least == most else f"{least} to {most}"


def _share(throttled: int, load: Load) -> str:
    return f"{throttled / load.calls:.1%}"


def _when(load: Load) -> str:
    first, last = iso_seconds(load.first / 1_000), iso_seconds(load.last / 1_000)
    worst, known = load.worst, "" if load.least == load.most else "up to "
    return (
        f"{first} to {last}, worst {iso_seconds(worst.start)}: {known}{worst.throttled:,} of {worst.tokens:,}"
    )


def _object(load: Load) -> dict[str, Any]:
    allowed = load.allowed
    return {
        "account": load.account, "region": load.region, "quota": load.quota_id, "rate": allowed and allowed.value,
        "burst": allowed and allowed.at_once,
        "calls": load.calls, "peak": _second(load.peak), "throttledLeast": load.least, "throttledMost": load.most,
        "shareLeast": load.least / load.calls, "shareMost": load.most / load.calls,
        "firstThrottled": _time(load.first, load.most), "lastThrottled": _time(load.last, load.most),
        "worst": _second(load.worst) if load.most else None,
    }  # fmt: skip


def _second(second: Second) -> dict[str, Any]:
    return {"time": iso_seconds(second.start), "counted": second.tokens, "throttledMost": second.throttled}


def _time(milliseconds: int, known: int) -> str | None:
    return iso_millis(milliseconds / 1_000) if known else None
