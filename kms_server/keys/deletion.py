"""When a key is deleted (AWS ScheduleKeyDeletion, "Deleting multi-Region keys")."""

from collections.abc import Sequence

from kms_server.clock import DAY
from kms_server.keys.key import KmsKey
from kms_server.keys.states import KeyState


def scheduled(key: KmsKey, regions: Sequence[str], now: float, window_days: int) -> dict[str, object]:
    """The fields of `key` that change when its deletion is scheduled.

    A primary with replicas waits for them first; `regions` are those of all members.
    """
    if key.primary_region == key.region and len(regions) > 1:
        return {"state": KeyState.PENDING_REPLICA_DELETION, "pending_window_days": window_days}
    return {"state": KeyState.PENDING_DELETION, "deletion_date": round(now + window_days * DAY, 3)}


def after_last_replica(primary: KmsKey, now: float) -> dict[str, object]:
    """The fields of a waiting primary that change when its last replica is gone: its own window begins."""
    window = primary.pending_window_days
    assert window is not None  # noqa: S101 - it waits
    return {"pending_window_days": None, **scheduled(primary, [primary.region], now, window)}


def is_due(key: KmsKey, now: float) -> bool:
    """Whether the time of a key is over; from then on its deletion may be under way."""
    return key.deletion_date is not None and key.deletion_date <= now
