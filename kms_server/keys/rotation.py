"""When a key rotates: by period, on demand, or once at a date (AWS "Rotating keys"; the date is our extension)."""

from enum import Enum

from kms_server.clock import DAY
from kms_server.errors import ConflictException, LimitExceededException, ValidationException
from kms_server.keys.key import KmsKey
from kms_server.keys.states import KeyState

_TOO_CLOSE = 1_200.0
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
    """The earliest rotation of `key` that is due at `now`; only enabled keys rotate, replicas with their primary."""
    if key.state is not KeyState.ENABLED or key.is_replica:
        return None
    planned = (
        (key.scheduled_rotation_at, RotationType.DATED),
        (key.next_rotation_at, RotationType.AUTOMATIC),
    )
    due = [(when, kind) for when, kind in planned if when is not None and when <= now]
    return min(due, key=lambda item: item[0], default=None)


def overdue(key: KmsKey, now: float) -> dict[str, float]:
    """The dates that passed while a key was disabled, set to `now`: it rotates once when it is enabled again."""
    if key.is_replica:
        return {}
    dates = {
        "next_rotation_at": key.next_rotation_at,
        "scheduled_rotation_at": key.scheduled_rotation_at,
    }
    return {name: now for name, when in dates.items() if when is not None and when < now}


def check_on_demand(key: KmsKey, now: float, most: int) -> None:
    """Check that a key may be rotated on demand, which it may be `most` times.

    Raises:
        LimitExceededException: it was, as often.
        ConflictException: it rotates by itself within 20 minutes.
    """
    if key.on_demand_rotations >= most:
        raise LimitExceededException(
            "The on-demand rotations limit has been reached for the given keyId. "
            f"No more on-demand rotations can be performed for this key: {key.arn}"
        )
    if key.next_rotation_at is not None and key.next_rotation_at - now <= _TOO_CLOSE:
        raise ConflictException(f"{key.arn} is about to be rotated automatically.")


def after_rotation(key: KmsKey, when: float, kind: RotationType) -> dict[str, object]:
    """The fields of `key` that a rotation at `when` changes."""
    if kind is RotationType.DATED:
        return {"scheduled_rotation_at": None}
    if kind is RotationType.ON_DEMAND:
        return {"on_demand_rotations": key.on_demand_rotations + 1}
    assert key.rotation_period_days is not None  # noqa: S101 - only a key with a period rotates by itself
    return {"next_rotation_at": next_after(when, key.rotation_period_days)}
