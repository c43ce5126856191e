"""Times on the command line: a date, or how long ago by the service's clock, such as 2h."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from kms_server.errors import OperatorError

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_AGO = re.compile(r"([0-9]{1,9})([smhdw])")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in epoch seconds, or a time that many seconds `ago`."""

    epoch: float = 0.0
    ago: float | None = None

    def at(self, now: float) -> float:
        """The time in epoch seconds when it is `now`; never before 1970."""
        return max(0.0, self.epoch if self.ago is None else now - self.ago)


def moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Moment | None:
    """A callback that reads a time; one without a zone is UTC.

    Raises:
        OperatorError: it is none.
    """
    if text is None:
        return None
    if (ago := _AGO.fullmatch(text)) is not None:
        return Moment(ago=float(ago[1]) * _SECONDS[ago[2]])
    try:
        read = datetime.fromisoformat(text)
        return Moment((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
    except ValueError:
        raise OperatorError(
            f"{text!r} is not a time: write 2026-11-20T09:14:07Z, or how long ago, such as 90s, 30m, 2h, 3d, 1w"
        ) from None
