"""The charts of a run: rates beside the references, and latencies against the rate."""

import math
from collections.abc import Mapping, Sequence

from bench import svg
from bench.setup import Row
from bench.svg import Mark

_BARS = {"bare loop": "grey", "redis": "red", "kms-server": "blue", "moto": "yellow"}
_BAR_OPERATIONS = ("Encrypt", "SET")
_LINES = {"kms-server": "blue", "raw group commit": "grey"}
_DASHES = {"p50 ms": svg.SOLID, "p99 ms": "7 4", "p99.9 ms": "2 4"}


def drawn(sections: Mapping[str, Sequence[Row]]) -> str | None:
    """An SVG of the closed and of the open loop; None where neither was measured."""
    charts = [
        draw(sections[name]) for name, draw in (("closed", rates), ("open", latencies)) if name in sections
    ]
    return svg.document(charts) if charts else None


def rates(rows: Sequence[Row]) -> str:
    """Bars: Encrypt and the references at each number of connections."""
    found = {
        (str(row["conns"]), str(row["server"])): _figure(row, "req/s")
        for row in rows
        if row["operation"] in _BAR_OPERATIONS
    }
    groups = list(dict.fromkeys(group for group, _ in found))
    top = max(found.values()) * 1.05
    parts = [svg.frame("Requests a second by connections: Encrypt beside the references", "req/s")]
    parts += [svg.grid(step / top, f"{step:,.0f}") for step in _steps(top)]
    room = (svg.across(1) - svg.across(0)) / len(groups)
    width = room * 0.8 / len(_BARS)
    for number, group in enumerate(groups):
        left = svg.across(number / len(groups)) + room * 0.1
        parts.append(svg.below(left + room * 0.4, group))
        for place, (name, colour) in enumerate(_BARS.items()):
            rate = found[group, name]
            parts.append(svg.bar(colour, left + place * width, width * 0.9, rate / top, _short(rate)))
    parts.append(svg.legend([Mark(colour, None, name) for name, colour in _BARS.items()]))
    return "".join(parts)


def latencies(rows: Sequence[Row]) -> str:
    """Lines: percentiles of latencies against the rate, logarithmic."""
    figures = [_figure(row, column) for row in rows for column in _DASHES]
    low, high = math.floor(math.log10(min(figures))), math.floor(math.log10(max(figures))) + 1
    fastest = max(_figure(row, "req/s") for row in rows) * 1.1

    def place(row: Row, column: str) -> tuple[float, float]:
        share = (math.log10(_figure(row, column)) - low) / (high - low)
        return svg.across(_figure(row, "req/s") / fastest), svg.down(share)

    title = "Latency of Encrypt by rate, from the time it was due; beside it the group commit alone"
    parts = [svg.frame(title, "ms")]
    parts += [svg.grid((power - low) / (high - low), f"{10.0**power:g}") for power in range(low, high + 1)]
    for rate in dict.fromkeys(_figure(row, "req/s") for row in rows):
        parts.append(svg.below(svg.across(rate / fastest), f"{_short(rate)} req/s"))
    marks = []
    for name, colour in _LINES.items():
        for column, dashes in _DASHES.items():
            points = [place(row, column) for row in rows if row["what"] == name]
            parts.append(svg.line(colour, dashes, points))
            meaning = f"{name.removeprefix('raw ')} {column.removesuffix(' ms')}"
            marks.append(Mark(colour, dashes, meaning))
    return "".join((*parts, svg.legend(marks)))


def _figure(row: Row, column: str) -> float:
    value = row[column]
    assert isinstance(value, int | float)
    return float(value)


def _steps(top: float) -> list[float]:
    """Four to ten round figures up to the top."""
    size = 10.0 ** math.floor(math.log10(top))
    step = next(part * size for part in (1.0, 0.5, 0.2) if top / (part * size) >= 4 or part == 0.2)
    return [step * number for number in range(int(top / step) + 1)]


def _short(rate: float) -> str:
    return f"{rate:.0f}" if rate < 1_000 else f"{rate / 1_000:.1f}k"
