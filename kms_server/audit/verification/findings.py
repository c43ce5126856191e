"""What a verification says."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Severity(StrEnum):
    """How bad it is: something is wrong, something could not be looked at, or something is worth knowing."""

    ERROR = "error"
    UNCHECKED = "unchecked"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: where, what it is, and what to do about it."""

    severity: Severity
    where: str
    what: str
    advice: str = ""


Findings: TypeAlias = Iterator[Finding]

_COMPARE = (
    "compare with a backup or with delivered log files, and find out who can write the database and its files"
)


def error(where: str, what: str, advice: str = _COMPARE) -> Finding:
    """Something is not as it was written."""
    return Finding(Severity.ERROR, where, what, advice)


def unchecked(where: str, what: str, advice: str) -> Finding:
    """Something could not be looked at."""
    return Finding(Severity.UNCHECKED, where, what, advice)


def notice(where: str, what: str, advice: str = "") -> Finding:
    """Something that is worth knowing, and not wrong."""
    return Finding(Severity.NOTICE, where, what, advice)
