"""A log that leaves the disk's reserve alone."""

import errno
from collections.abc import Sequence

from kms_server.audit.log import AuditLog, PutOff
from kms_server.audit.record import Row
from kms_server.storage.reserve import Reserve


class ReservedLog:
    """An `AuditLog` on the disk of this host that takes nothing while only the reserve is left."""

    def __init__(self, log: AuditLog, reserve: Reserve) -> None:
        self._log = log
        self._reserve = reserve

    def append(self, rows: Sequence[Row], decided_on: int | None = None) -> PutOff | None:
        """Store rows durably.

        Raises:
            OSError: the disk is full but for the reserve; nothing was stored.
        """
        if self._reserve.is_used():
            raise OSError(errno.ENOSPC, "the disk is full but for its reserve")
        return self._log.append(rows, decided_on)

    def close(self) -> None:
        """Release files and connections."""
        self._log.close()
