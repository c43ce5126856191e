"""What can keep records."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from kms_server.audit.record import Row


class Outdated(Exception):
    """Nothing was stored: the state that the rows tell of is older than `newest`, the stamp of the newest change."""

    def __init__(self, newest: int) -> None:
        super().__init__(newest)
        self.newest = newest


# Is called before the next append, when none has come for a while or at the end; may raise as appends do.
PutOff: TypeAlias = Callable[[], None]


class AuditLog(Protocol):
    """Keeps records for good."""

    def append(self, rows: Sequence[Row], decided_on: int | None = None) -> PutOff | None:
        """Store rows, one or more; they are on disk when this returns, and can be read once what it put off is done.

        Raises:
            Outdated: something has changed in a shared database since the stamp that they were `decided_on`.
        """

    def close(self) -> None:
        """Release files and connections."""
