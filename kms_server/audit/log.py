"""What can keep records."""

from collections.abc import Sequence
from typing import Protocol

from kms_server.audit.record import Row


class AuditLog(Protocol):
    """Keeps records for good."""

    def append(self, rows: Sequence[Row]) -> None:
        """Store rows; they are on disk when this returns. A row whose event id is there already is left alone."""

    def close(self) -> None:
        """Release files and connections."""
