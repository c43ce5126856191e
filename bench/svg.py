"""Charts of a run."""

from collections.abc import Mapping, Sequence

from bench.setup import Row


def charts(sections: Mapping[str, Sequence[Row]]) -> str:
    """An SVG."""
    return str(sections)
