"""When which trail is attended to: in turn, each at its own pace."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from kms_server.audit.trail.delivery import PROBLEMS, Delivery
from kms_server.storage import trails
from kms_server.storage.trails import Trail

_LOG = logging.getLogger(__name__)
# A trail with so many rows to look at is not left waiting for its time; that is looked up so often.
_MANY_ROWS = 10_000
_LOOK_SECONDS = 5.0
# After a failure, doubled each time; seconds of real time.
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 600.0


@dataclass(slots=True)
class _Turn:
    """What is known of a trail since it was attended to; `digest_due` is of the service's clock, the rest monotonic."""

    settings: tuple[object, ...]
    next_time: float = 0.0
    next_look: float = 0.0
    digest_due: float = inf
    pause: float = 0.0

    def put_off(self) -> None:
        """Wait longer than the last time."""
        self.pause = min(_LONGEST_PAUSE, self.pause * 2 or _FIRST_PAUSE)
        self.next_time = time.monotonic() + self.pause


class Schedule:
    """A chore for all trails; `interval` are the seconds between two deliveries of one that works."""

    def __init__(self, delivery: Delivery, interval: float) -> None:
        self._delivery = delivery
        self._interval = interval
        self._turns: dict[str, _Turn] = {}

    def run(self) -> Iterator[object]:
        """Attend to whose turn it is, in short steps. What fails is tried again later, and holds up no other for long."""
        with self._delivery.database.read() as connection:
            found = trails.every(connection)
        self._turns = {one.trail_id: self._turns.get(one.trail_id) or _Turn(()) for one in found}
        for trail in found:
            if self._is_due(trail, self._turns[trail.trail_id]):
                yield from self._attend(trail, self._turns[trail.trail_id])

    def _is_due(self, trail: Trail, turn: _Turn) -> bool:
        now = time.monotonic()
        if now >= turn.next_time or turn.settings != _settings(trail):
            return True
        if turn.pause:
            return False
        if self._delivery.now() >= turn.digest_due:
            return True
        if now < turn.next_look:
            return False
        turn.next_look = now + _LOOK_SECONDS
        return self._delivery.planner.backlog(trail) > _MANY_ROWS

    def _attend(self, trail: Trail, turn: _Turn) -> Iterator[object]:
        turn.settings = _settings(trail)
        try:
            yield from self._delivery.attend(trail)
        except PROBLEMS as problem:
            turn.put_off()
            _LOG.warning("the trail %s could not deliver: %s", trail.arn, problem.code)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not hold up the other trails
            turn.put_off()
            _LOG.error("the delivery of the trail %s failed: %s", trail.arn, type(error).__name__)
            return
        turn.pause = 0.0
        turn.next_time = time.monotonic() + self._interval
        turn.digest_due = self._delivery.closer.next_due(trail)


def _settings(trail: Trail) -> tuple[object, ...]:
    """What of a trail, once it changes, is heeded at once."""
    return (
        trail.logging,
        trail.started_at,
        trail.stopped_at,
        trail.deleted_at,
        trail.validation,
        trail.multi_region,
    )
