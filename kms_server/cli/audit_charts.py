"""How counts are printed: bars with a curve over time, CSV, or JSON."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from os.path import commonprefix

import click

from kms_server.audit.statistics import Line, Periods
from kms_server.cli.terminal import drawing, printable, width
from kms_server.clock import iso_seconds

_ELSEWHERE = 100  # columns where the output is no terminal
_LEAST_LABEL, _MOST_LABEL, _LEAST_BAR = 12, 76, 10
_UNITS = ((604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted: `by` is what, `lines` are in the order in which they are shown."""

    by: str
    since: float
    until: float
    periods: Periods
    records: int
    lines: Sequence[Line]
    over_time: bool


def periods_that_fit() -> int:
    """How many periods a curve has room for beside its label and its bar."""
    columns = width() or _ELSEWHERE
    return 12 if columns < _ELSEWHERE else 24 if columns < 2 * _MOST_LABEL else 48


def as_bars(counted: Counted) -> None:
    """Print a bar for each line, scaled to the longest, and its curve, scaled to its own highest period."""
    draw = drawing()
    click.echo(_heading(counted))
    if not counted.lines:
        return
    shared = _shared(counted)
    if shared:
        click.echo(f"all names begin with {printable(shared)}")
    labels = [_label(line.value, shared) for line in counted.lines]
    most = max(line.calls for line in counted.lines)
    digits = len(f"{most:,}")
    curves = [draw.curve(line.over_time) if counted.over_time else "" for line in counted.lines]
    room = (width() or _ELSEWHERE) - digits - len(curves[0]) - (6 if counted.over_time else 4)
    widest = min(max(map(len, labels)), _MOST_LABEL, max(room - _LEAST_BAR, _LEAST_LABEL))
    columns = max(room - widest, 1)
    for label, line, curve in zip(labels, counted.lines, curves, strict=True):
        parts = (
            f"{draw.end_of(label, widest):{widest}}",
            *([curve] if counted.over_time else []),
            f"{line.calls:{digits},}",
            draw.bar(line.calls, most, columns),
        )
        click.echo("  ".join(parts).rstrip())


def as_csv(counted: Counted) -> None:
    """Print one line for each value and period in which there was any; the value of all others is empty."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((counted.by, "start", "calls") if counted.over_time else (counted.by, "calls"))
    for line in counted.lines:
        if counted.over_time:
            starts = zip(counted.periods.starts(), line.over_time, strict=True)
            writer.writerows((line.value, iso_seconds(start), calls) for start, calls in starts if calls)
        else:
            writer.writerow((line.value, line.calls))
    click.echo(out.getvalue(), nl=False)


def as_json(counted: Counted) -> None:
    """Print one JSON object; the value of all others is null."""
    told = {
        "by": counted.by, "since": iso_seconds(counted.since), "until": iso_seconds(counted.until),
        "records": counted.records, "periodSeconds": counted.periods.size,
        "firstPeriod": iso_seconds(counted.periods.first),
        "lines": [
            {"value": line.value, "calls": line.calls}
            | ({"overTime": list(line.over_time)} if counted.over_time else {})
            for line in counted.lines
        ],
    }  # fmt: skip
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))


CHARTS: Mapping[str, Callable[[Counted], None]] = {"bars": as_bars, "csv": as_csv, "json": as_json}


def _heading(counted: Counted) -> str:
    records = "record" if counted.records == 1 else "records"
    span = f"{iso_seconds(counted.since)} to {iso_seconds(counted.until)}"
    each = f"; one column is {_period(counted.periods.size)}" if counted.over_time else ""
    return f"{counted.records:,} {records} by {counted.by}, {span}{each}"


def _period(seconds: int) -> str:
    size, name = next((size, name) for size, name in _UNITS if seconds % size == 0)
    count = seconds // size
    return f"{count} {name}{'' if count == 1 else 's'}"


def _shared(counted: Counted) -> str:
    """The beginning that all ARNs share and that people need to read once; empty where there is none."""
    arns = [line.value for line in counted.lines if line.value is not None and line.value.startswith("arn:")]
    shared = commonprefix(arns) if len(arns) > 1 else ""  # noqa: RUF071 - cut at a separator below
    return shared[: max(shared.rfind(":"), shared.rfind("/")) + 1]


def _label(value: str | None, shared: str) -> str:
    return "(others)" if value is None else printable(value.removeprefix(shared) or value)
