"""What can keep records."""

from collections.abc import Sequence
from typing import Protocol

from kms_server.audit.record import Row


class AuditLog(Protocol):
    """Keeps records for good."""

    def append(self, rows: Sequence[Row]) -> None:
        """Store rows, one or more; they are on disk when this returns."""

    def close(self) -> None:
        """Release files and connections."""
