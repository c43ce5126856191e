"""What a check says."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Severity(StrEnum):
    """How bad it is: a problem is there now, a warning becomes one if nobody sees to it."""

    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what to do about it."""

    severity: Severity
    what: str
    advice: str


Findings: TypeAlias = Iterator[Finding]


class NotLookedAt(Exception):
    """A check does not apply here, or cannot be made; the text says why."""


def problem(what: str, advice: str) -> Finding:
    """Something is wrong."""
    return Finding(Severity.PROBLEM, what, advice)


def warning(what: str, advice: str) -> Finding:
    """Something will be wrong."""
    return Finding(Severity.WARNING, what, advice)
