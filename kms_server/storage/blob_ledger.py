"""Which blobs belong to something, and which are yet to be deleted."""

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Double, bindparam, delete, insert, select

from kms_server.storage.object_tables import doomed_blobs, parts

# Every database takes that many parameters in one statement.
_BATCH = 500


def batches(blob_ids: Collection[str]) -> Iterator[Sequence[str]]:
    """Ids in as many as one statement takes."""
    ordered = list(blob_ids)
    for first in range(0, len(ordered), _BATCH):
        yield ordered[first : first + _BATCH]


class Discard:
    """Removes the parts that a condition finds; their blobs are doomed."""

    def __init__(self, which: ColumnElement[bool]) -> None:
        blobs = select(parts.c.blob_id, bindparam("now", type_=Double)).where(which, parts.c.inline.is_(None))
        self._doom = insert(doomed_blobs).from_select(["blob_id", "doomed_at"], blobs)
        self._remove = delete(parts).where(which)

    def run(self, connection: Connection, **found: Any) -> None:  # noqa: ANN401 - columns have many types
        """Do so; `found` are the parameters of the condition."""
        connection.execute(self._doom, found | {"now": time.time()})
        connection.execute(self._remove, found)


def doomed(connection: Connection, limit: int, *, older_than: float = 0.0) -> list[str]:
    """Up to `limit` blobs that lost their part at least `older_than` seconds ago, the longest lost first."""
    statement = (
        select(doomed_blobs.c.blob_id)
        .where(doomed_blobs.c.doomed_at <= time.time() - older_than)
        .order_by(doomed_blobs.c.doomed_at)
    )
    return list(connection.execute(statement.limit(limit)).scalars())


def forget(connection: Connection, blob_ids: Collection[str]) -> None:
    """Take blobs that were deleted out of the ledger."""
    for batch in batches(blob_ids):
        # Those that another process is taking out just now are its own: two never wait for each other in a circle.
        free = select(doomed_blobs.c.blob_id).where(doomed_blobs.c.blob_id.in_(batch))
        chosen = free.with_for_update(skip_locked=True)
        connection.execute(delete(doomed_blobs).where(doomed_blobs.c.blob_id.in_(chosen)))


def unknown(connection: Connection, blob_ids: Collection[str]) -> set[str]:
    """Those of the ids that belong to no part and are not doomed either."""
    found = set(blob_ids)
    for batch in batches(blob_ids):
        for known in (parts.c.blob_id, doomed_blobs.c.blob_id):
            found.difference_update(connection.execute(select(known).where(known.in_(batch))).scalars())
    return found
