"""When a key rotates: by period, on demand, or once at a date (AWS "Rotating keys"; the date is our extension)."""

from enum import Enum

from kms_server.clock import DAY
from kms_server.errors import ValidationException
from kms_server.keys.key import KmsKey
from kms_server.keys.states import KeyState

ON_DEMAND_LIMIT = 25
_LATEST = 253_402_300_799.0  # the last second of year 9999, beyond which clients cannot show a date


class RotationType(Enum):
    """Why a rotation happens; a dated one is shown as ON_DEMAND but does not count towards its limit."""

    AUTOMATIC = "AUTOMATIC"
    ON_DEMAND = "ON_DEMAND"
    DATED = "DATED"


def validate_period(days: int) -> None:
    """Check a rotation period.

    Raises:
        ValidationException: it is not 90 to 2,560 days.
    """
    if not 90 <= days <= 2560:
        raise ValidationException("RotationPeriodInDays must be between 90 and 2560 days.")


def check_date(date: float, now: float) -> None:
    """Check the date of a dated rotation.

    Raises:
        ValidationException: it is not in the future, or after the year 9999.
    """
    if not now < date <= _LATEST:
        raise ValidationException("RotationDate must be in the future.")


def next_after(moment: float, period_days: int) -> float:
    """The next automatic rotation after one at `moment`, in epoch seconds."""
    return round(moment + period_days * DAY, 3)


def due_at(key: KmsKey, now: float) -> tuple[float, RotationType] | None:
    """The earliest rotation of `key` that is due at `now`; only enabled keys rotate.

    A key that was disabled at its date rotates when it is enabled again.
    """
    if key.state is not KeyState.ENABLED:
        return None
    planned = (
        (key.scheduled_rotation_at, RotationType.DATED),
        (key.next_rotation_at, RotationType.AUTOMATIC),
    )
    due = [(when, kind) for when, kind in planned if when is not None and when <= now]
    return min(due, key=lambda item: item[0], default=None)


def after_rotation(key: KmsKey, when: float, kind: RotationType) -> dict[str, object]:
    """The fields of `key` that a rotation at `when` changes."""
    if kind is RotationType.DATED:
        return {"scheduled_rotation_at": None}
    if kind is RotationType.ON_DEMAND:
        return {"on_demand_rotations": key.on_demand_rotations + 1}
    assert key.rotation_period_days is not None  # noqa: S101 - only a key with a period rotates by itself
    return {"next_rotation_at": next_after(when, key.rotation_period_days)}
