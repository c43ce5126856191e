"""Connections to PostgreSQL that do not wait for good.

The kernel notices when the other end is gone (see `database`). It does not when something in between keeps a
connection open and passes nothing on any more: a proxy that lost its other side, a server that hangs.
"""

from typing import Any

import psycopg

from kms_server.storage.waits import Waits

# Times as long as clients are patient: an answer so late is no use to anybody, and nothing of the server's own takes as long.
_PATIENCE = 6.0
_LEAST_SECONDS = 5.0


class PatientConnection(psycopg.Connection[Any]):
    """Gives a statement up that takes six times as long as `waits` allow, but no less than 5 s, and itself with it."""

    waits: Waits

    def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as psycopg has it
        """Wait for the server's answer.

        Raises:
            psycopg.OperationalError: it did not come in time; whether the statement had its effect is unknown.
        """
        limit = max(_LEAST_SECONDS, _PATIENCE * self.waits.patience)
        named.setdefault("timeout", limit if self.waits.is_bounded else None)
        try:
            return super().wait(gen, *arguments, **named)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                self.pgconn.finish()  # its answer may still come, and would be taken for another's
            raise
