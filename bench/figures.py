"""Figures of repeated measurements, as columns of a row."""

import math
from collections.abc import Sequence
from statistics import median

from bench.setup import Row


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least of sorted values that a share of them does not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(name: str, values: Sequence[float]) -> Row:
    """The median of a figure's repeats, with the least and the most."""
    return {name: median(values), f"{name} min": min(values), f"{name} max": max(values)}


def ratio(of: str, values: Sequence[float], reference: Sequence[float]) -> Row:
    """The median of the ratios of each turn: what slows down a whole turn does not change it."""
    return {f"of {of}": median(one / other for one, other in zip(values, reference, strict=True))}
