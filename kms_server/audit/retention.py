"""How long records are kept, and what health says of it."""

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kms_server.audit import event_id
from kms_server.audit.log_size import Log
from kms_server.audit.pruning import BackupUnderWay, Pruner
from kms_server.clock import DAY, Clock

_ENOUGH = 0.8
_TOO_LARGE = 1.1
_ROOM = 2**30


@dataclass(frozen=True, slots=True)
class Policy:
    """Records stay for `age` seconds, as long as there are at most `size` bytes; 0: no such limit."""

    age: float
    size: int

    def cutoff(self, now: float) -> str:
        """Events with smaller ids are too old at `now` (epoch seconds)."""
        return event_id.floor(now - self.age) if self.age else ""

    @property
    def most(self) -> int | None:
        """The most bytes; None: no limit."""
        return self.size or None


class Retention:
    """Prunes by a policy, at first at once and then every `interval` seconds of real time."""

    def __init__(self, pruner: Pruner, policy: Policy, clock: Clock, interval: float) -> None:
        self._pruner = pruner
        self._policy = policy
        self._clock = clock
        self._interval = interval
        self._next = 0.0

    def prune(self) -> Iterator[object]:
        """Prune if it is due; a chore.

        Raises:
            OperatorError: some of the log could not be pruned.
        """
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._interval
        self._pruner.clear_remains()
        plan = yield from self._pruner.plan(self._policy.cutoff(self._clock.now()), self._policy.most)
        try:
            yield from self._pruner.carry_out(plan)
        except BackupUnderWay:
            return
        self._pruner.forget_positions()


def undelivered_warning(log: Log, pruner: Pruner, policy: Policy) -> str | None:
    """What to say when records that nobody has delivered yet fill most of what the log may have."""
    held = log.held(pruner.holds())
    if not policy.size or held <= _ENOUGH * policy.size:
        return None
    return (
        f"audit records that are not delivered yet fill {held / policy.size:.0%} of the log's limit, and are not "
        "pruned: see to the delivery of trails"
    )


def size_warning(log: Log, policy: Policy) -> str | None:
    """What to say when pruning does not keep the log within its limit."""
    size = log.size()
    if not policy.size or size <= _TOO_LARGE * policy.size:
        return None
    return f"the audit log is larger than its limit by {size / policy.size - 1:.0%}: it cannot be pruned"


def disk_warning(log: Log) -> str | None:
    """What to say when a day like the last would fill the disk that the embedded log is on, or it is all but full."""
    directories = [part.segments for part in log.parts if part.segments is not None]
    if not directories:
        return None
    disk = shutil.disk_usage(directories[0])
    if disk.free >= max(sum(map(_grown_lately, directories)), min(disk.total // 10, _ROOM)):
        return None
    return f"the disk of the audit log has {disk.free / 2**20:,.0f} MiB left"


def _grown_lately(directory: Path) -> int:
    """The bytes of the segments that were written to within a day."""
    since, grown = time.time() - DAY, 0
    for path in directory.glob("*.db"):
        with suppress(FileNotFoundError):  # pruned meanwhile
            status = path.stat()
            grown += status.st_size if status.st_mtime >= since else 0
    return grown
