"""The charts of a run, as an SVG that reads well on a light and on a dark page."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from bench.setup import Row

_WIDTH, _HEIGHT = 900, 340  # of one chart, in pixels, with its title and legend
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 64, 46
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.small { font-size: 10px; }
.axis { stroke: #8c959f; } .grid { stroke: #d0d7de; }
.line { fill: none; stroke-width: 2; }
.c0 { fill: #8c959f; stroke: #8c959f; } .c1 { fill: #cf222e; stroke: #cf222e; }
.c2 { fill: #0969da; stroke: #0969da; } .c3 { fill: #bf8700; stroke: #bf8700; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .axis { stroke: #6e7681; } .grid { stroke: #30363d; }
  .c0 { fill: #8b949e; stroke: #8b949e; } .c1 { fill: #ff7b72; stroke: #ff7b72; }
  .c2 { fill: #58a6ff; stroke: #58a6ff; } .c3 { fill: #e3b341; stroke: #e3b341; }
}
"""
_BARS = {"bare loop": "c0", "redis": "c1", "kms-server": "c2", "moto": "c3"}
_BAR_OPERATIONS = ("Encrypt", "SET")
_LINES = {"kms-server": "c2", "raw group commit": "c0"}
_DASHES = {"p50 ms": "", "p99 ms": "7 4", "p99.9 ms": "2 4"}


class Mark(NamedTuple):
    """An entry of a legend: its class, its dashes (empty for a bar or a whole line), what it means."""

    kind: str
    dashes: str
    text: str


def charts(sections: Mapping[str, Sequence[Row]]) -> str:
    """The rates of the closed loop and the latencies of the open one, as far as they were measured."""
    drawn = [
        chart for chart in (_rates(sections.get("closed", ())), _latencies(sections.get("open", ()))) if chart
    ]
    height = max(1, len(drawn)) * _HEIGHT
    body = "".join(
        f'<g transform="translate(0 {place * _HEIGHT})">{chart}</g>' for place, chart in enumerate(drawn)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">'
        f"<style>{_STYLE}</style>{body or _text(_LEFT, 40, 'neither the closed nor the open loop was measured')}</svg>\n"
    )


def _rates(rows: Sequence[Row]) -> str:
    """Bars: Encrypt and the references at each number of connections."""
    found = {
        (str(row["conns"]), str(row["server"])): _figure(row, "req/s")
        for row in rows
        if row["operation"] in _BAR_OPERATIONS
    }
    if not found:
        return ""
    groups = list(dict.fromkeys(group for group, _ in found))
    top = max(found.values()) * 1.05
    room = (_WIDTH - _LEFT - _RIGHT) / len(groups)
    width = room * 0.8 / len(_BARS)
    parts = [_frame("Requests a second by connections: Encrypt beside the references", "req/s")]
    parts += [_grid(_down(step / top), f"{step:,.0f}") for step in _steps(top)]
    for number, group in enumerate(groups):
        left = _LEFT + number * room + room * 0.1
        parts.append(_text(left + room * 0.4, _HEIGHT - _BOTTOM + 18, group, anchor="middle"))
        for place, (name, kind) in enumerate(_BARS.items()):
            rate = found.get((group, name), 0.0)
            x, y = left + place * width, _down(rate / top)
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width * 0.9:.1f}" '
                f'height="{_HEIGHT - _BOTTOM - y:.1f}"/>'
            )
            parts.append(_text(x + width * 0.45, y - 4, _short(rate), anchor="middle", kind="small"))
    return "".join((*parts, _legend([Mark(kind, "", name) for name, kind in _BARS.items()])))


def _latencies(rows: Sequence[Row]) -> str:
    """Lines: percentiles of latencies against the rate, logarithmic."""
    if not rows:
        return ""
    most = max(_figure(row, column) for row in rows for column in _DASHES)
    least = min(_figure(row, column) for row in rows for column in _DASHES)
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most) + 1e-9)
    fastest = max(_figure(row, "req/s") for row in rows) * 1.1

    def place(row: Row, column: str) -> tuple[float, float]:
        x = _LEFT + _figure(row, "req/s") / fastest * (_WIDTH - _LEFT - _RIGHT)
        return x, _down((math.log10(_figure(row, column)) - low) / (high - low))

    parts = [_frame("Latency of Encrypt by rate, from the time it was due; beside it the group commit alone", "ms")]  # fmt: skip
    parts += [_grid(_down((power - low) / (high - low)), f"{10.0**power:g}") for power in range(low, high + 1)]  # fmt: skip
    marks = []
    for name, kind in _LINES.items():
        of_name = [row for row in rows if row["what"] == name]
        for column, dashes in _DASHES.items():
            points = [place(row, column) for row in of_name]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f'<polyline class="{kind} line" fill="none" stroke-dasharray="{dashes or "none"}" points="{path}" style="fill:none"/>')  # fmt: skip
            parts += [f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points]
            marks.append(Mark(kind, dashes or "none", f"{name} {column.removesuffix(' ms')}"))
        parts += [
            _text(place(row, "p50 ms")[0], _HEIGHT - _BOTTOM + 18, f"{_short(_figure(row, 'req/s'))} req/s", anchor="middle")
            for row in of_name[: len(of_name) if kind == "c2" else 0]
        ]  # fmt: skip
    return "".join((*parts, _legend(marks)))


def _figure(row: Row, column: str) -> float:
    value = row[column]
    assert isinstance(value, int | float)
    return float(value)


def _down(share: float) -> float:
    """Where a share of the height stands, from above."""
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _steps(top: float) -> list[float]:
    """Four to nine round figures below the top."""
    size = 10.0 ** math.floor(math.log10(top))
    step = next(part * size for part in (1.0, 0.5, 0.2, 0.1) if top / (part * size) >= 4)
    return [step * number for number in range(int(top / step) + 1)]


def _short(rate: float) -> str:
    return f"{rate:.0f}" if rate < 1_000 else f"{rate / 1_000:.1f}k"


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _frame(title: str, unit: str) -> str:
    base = _HEIGHT - _BOTTOM
    axes = f'<path class="axis" fill="none" d="M{_LEFT} {_TOP - 4}V{base}H{_WIDTH - _RIGHT}"/>'
    return _text(_LEFT, 22, title, kind="title") + _text(_LEFT - 8, _TOP - 12, unit, anchor="end") + axes


def _grid(y: float, label: str) -> str:
    line = f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + _text(_LEFT - 8, y + 4, label, anchor="end")


def _legend(marks: Sequence[Mark]) -> str:
    parts, room = [], (_WIDTH - _LEFT - _RIGHT) / len(marks)
    for number, mark in enumerate(marks):
        x = _LEFT + number * room
        if mark.dashes:
            dashes = f'stroke-dasharray="{mark.dashes}"'
            parts.append(f'<line class="{mark.kind}" stroke-width="2" {dashes} x1="{x:.1f}" x2="{x + 22:.1f}" y1="40" y2="40"/>')  # fmt: skip
        else:
            parts.append(f'<rect class="{mark.kind}" x="{x:.1f}" y="34" width="12" height="12"/>')
        parts.append(_text(x + (26 if mark.dashes else 18), 44, mark.text, kind="small"))
    return "".join(parts)
