"""SVG by hand: the frame, the grid, the marks and the legend of a chart, for a light and for a dark page."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 900, 340  # of one chart, in pixels, with its title and legend
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 64, 46
SOLID = "none"
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; } .small { font-size: 10px; }
.page { fill: #ffffff; } .axis { stroke: #8c959f; } .grid { stroke: #d0d7de; }
.grey { fill: #8c959f; stroke: #8c959f; } .red { fill: #cf222e; stroke: #cf222e; }
.blue { fill: #0969da; stroke: #0969da; } .yellow { fill: #bf8700; stroke: #bf8700; }
.line { fill: none !important; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .page { fill: #0d1117; } .axis { stroke: #6e7681; } .grid { stroke: #30363d; }
  .grey { fill: #8b949e; stroke: #8b949e; } .red { fill: #ff7b72; stroke: #ff7b72; }
  .blue { fill: #58a6ff; stroke: #58a6ff; } .yellow { fill: #e3b341; stroke: #e3b341; }
}
"""


class Mark(NamedTuple):
    """An entry of a legend: its colour, the dashes of a line (None for a bar), what it means."""

    colour: str
    dashes: str | None
    meaning: str


def document(charts: Sequence[str]) -> str:
    """The charts, one below the other."""
    size = f'width="{WIDTH}" height="{len(charts) * HEIGHT}"'
    placed = "\n".join(
        f'<g transform="translate(0 {place * HEIGHT})">{chart}</g>' for place, chart in enumerate(charts)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {len(charts) * HEIGHT}" {size}>\n'
        f'<style>{_STYLE}</style>\n<rect class="page" {size}/>\n{placed}\n</svg>\n'
    )


def across(share: float) -> float:
    """Where a share of the width stands, from the left."""
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def down(share: float) -> float:
    """Where a share of the height stands, from above."""
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "plain") -> str:
    """A text that begins, ends or has its middle at a place."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def below(x: float, words: str) -> str:
    """What a place on the horizontal axis stands for."""
    return text(x, HEIGHT - BOTTOM + 18, words, "middle")


def frame(title: str, unit: str) -> str:
    """The title, both axes, and the unit of the vertical one."""
    axes = f'<path class="axis line" d="M{LEFT} {TOP - 4}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>'
    return text(LEFT, 22, title, kind="title") + text(LEFT - 8, TOP - 12, unit, "end") + axes


def grid(share: float, label: str) -> str:
    """A line across at a share of the height."""
    y = down(share)
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + text(LEFT - 8, y + 4, label, "end")


def bar(colour: str, x: float, width: float, share: float, label: str) -> str:
    """A bar with its figure on top."""
    y = down(share)
    size = f'width="{width:.1f}" height="{HEIGHT - BOTTOM - y:.1f}"'
    return f'<rect class="{colour}" x="{x:.1f}" y="{y:.1f}" {size}/>' + text(
        x + width / 2, y - 4, label, "middle", "small"
    )


def line(colour: str, dashes: str, points: Iterable[tuple[float, float]]) -> str:
    """A line through places, with a dot on each."""
    places = [f"{x:.1f},{y:.1f}" for x, y in points]
    dots = "".join(
        f'<circle class="{colour}" cx="{x}" cy="{y}" r="3"/>'
        for x, y in (place.split(",") for place in places)
    )
    return f'<polyline class="{colour} line" stroke-dasharray="{dashes}" points="{" ".join(places)}"/>' + dots


def legend(marks: Sequence[Mark]) -> str:
    """What the marks mean, in one row."""
    parts = []
    for place, mark in enumerate(marks):
        x = across(place / len(marks))
        if mark.dashes is None:
            parts.append(f'<rect class="{mark.colour}" x="{x:.1f}" y="34" width="12" height="12"/>')
        else:
            ends = f'x1="{x:.1f}" x2="{x + 20:.1f}" y1="40" y2="40"'
            parts.append(f'<line class="{mark.colour} line" stroke-dasharray="{mark.dashes}" {ends}/>')
        parts.append(text(x + 24, 44, mark.meaning, kind="small"))
    return "".join(parts)
