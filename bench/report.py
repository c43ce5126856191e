"""What a run found, as tables of text."""

from collections.abc import Iterable, Sequence

from bench.setup import Row, Value

BUSY = "load busy"
_BOTTLENECK = 0.95
_MARK = " *"
_NOTE = "* the load generator was busy all the time: the server may do more"


def is_bottleneck(row: Row) -> bool:
    """Whether the generator, rather than the server, set a row's figures."""
    busy = row.get(BUSY)
    return isinstance(busy, float) and busy > _BOTTLENECK


def number(value: float) -> str:
    """A figure with three digits or more, and no more than tell something."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 1 else f"{value:.3f}"


def _cell(row: Row, column: str) -> str:
    value = row.get(column)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if column.startswith("of "):
        return f"{number(value)}x" if value >= 1 else f"1/{number(1 / value)}"
    if column == BUSY:
        return f"{value:.0%}{_MARK if is_bottleneck(row) else ''}"
    low, high = row.get(f"{column} min"), row.get(f"{column} max")
    if isinstance(low, int | float) and isinstance(high, int | float) and low < high:
        return f"{number(value)} ({number(low)}-{number(high)})"
    return number(value)


def _columns(rows: Iterable[Row]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row)
    return [
        name for name in names if not (name.endswith((" min", " max")) and name.rpartition(" ")[0] in names)
    ]


def _is_text(values: Iterable[Value]) -> bool:
    return any(isinstance(value, str) for value in values)


def table(title: str, rows: Sequence[Row]) -> str:
    """A table with its title; texts stand left and figures right."""
    columns = _columns(rows)
    cells = [columns, *([_cell(row, column) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = [_is_text(row.get(column) for row in rows) for column in columns]
    lines = [
        "  ".join(
            cell.ljust(width) if is_left else cell.rjust(width)
            for cell, width, is_left in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in cells
    ]
    notes = [_NOTE] if any(map(is_bottleneck, rows)) else []
    return "\n".join(("", title, *lines, *notes))
