"""What a terminal can show: its width, bars and curves of characters, texts that fit."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

import click


def width() -> int | None:
    """How many columns there are; None where the output goes to a file or to another program."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    return None


def height() -> int | None:
    """How many lines there are; None where the output goes to a file or to another program."""
    return shutil.get_terminal_size().lines if sys.stdout.isatty() else None


@contextmanager
def progress(length: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr for people, and what moves it by so many steps of `length`."""
    with click.progressbar(length=length, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield bar.update


def printable(text: str) -> str:
    """The text without what would move the cursor: names of objects may have any character."""
    return text if text.isprintable() else "".join(one if one.isprintable() else "?" for one in text)


@dataclass(frozen=True, slots=True)
class Drawing:
    """Characters to draw with: parts of a bar's cell, steps of a curve from nothing to the most, and what was cut."""

    cells: str
    steps: str
    cut: str

    def bar(self, value: int, most: int, columns: int) -> str:
        """A bar of up to `columns` cells; what is not 0 is seen."""
        parts = len(self.cells)
        filled = -(-value * columns * parts // most) if most else 0
        whole, rest = divmod(filled, parts)
        return self.cells[-1] * whole + (self.cells[rest - 1] if rest else "")

    def curve(self, values: Sequence[int]) -> str:
        """One character for each value, in proportion to the highest; only 0 is blank."""
        most, top = max(values, default=0), len(self.steps) - 1
        return "".join(self.steps[-(-value * top // most) if most else 0] for value in values)

    def end_of(self, text: str, columns: int) -> str:
        """A text that fits, cut in front: names are told apart by their ends."""
        return text if len(text) <= columns else self.cut + text[len(text) - columns + len(self.cut) :]

    def start_of(self, text: str, columns: int) -> str:
        """A text that fits, cut behind."""
        return text if len(text) <= columns else text[: columns - len(self.cut)] + self.cut


_BLOCKS = Drawing("▏▎▍▌▋▊▉█", " ▁▂▃▄▅▆▇█", "…")
_ASCII = Drawing("#", " .:-=+*#@", "..")


def drawing(stream: TextIO | None = None) -> Drawing:
    """Block characters where the output can have them; ASCII for other encodings, for TERM=dumb and with NO_COLOR."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    try:
        "".join((_BLOCKS.cells, _BLOCKS.steps, _BLOCKS.cut)).encode(
            (stream or sys.stdout).encoding or "ascii"
        )
    except (UnicodeEncodeError, LookupError):
        return _ASCII
    return _ASCII if plain else _BLOCKS
