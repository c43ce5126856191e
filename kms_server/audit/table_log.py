"""The audit log in the table of a shared database."""

import secrets
from collections.abc import Sequence

from sqlalchemy import BigInteger, Engine, Select, Table, Text, bindparam, exists, insert, select, update
from sqlalchemy.exc import DBAPIError

from kms_server.audit import table_rows
from kms_server.audit.chain import COLUMNS, ChainKey, next_head
from kms_server.audit.log import Outdated
from kms_server.audit.record import Row
from kms_server.storage.audit_tables import audit_data_events, audit_writers
from kms_server.storage.audit_writers import START, Head
from kms_server.storage.conflicts import may_pass
from kms_server.storage.database import NEWEST

_NEVER_OUTDATED = 2**63 - 1


class TableLog:
    """Appends to a table of PostgreSQL, in one statement per batch; one thread at a time.

    It is the only one to append to its chain, so it knows where that ends without reading. After a failure nobody
    knows, and another chain begins. Where the connection was lost the database may have stored a batch and not said so:
    what it has not is tried once more. Event ids are unique, so what is there under one is not stored again.
    """

    def __init__(self, engine: Engine, table: Table, key: ChainKey) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._table = table
        self._key = key
        # Compiled once: to find that it was compiled before takes SQLAlchemy longer than to send it.
        self._beginning = _append(table, first=True).compile(engine)
        self._continuing = _append(table, first=False).compile(engine)
        self._writer, self._head = _fresh()

    def append(self, rows: Sequence[Row], decided_on: int | None = None) -> None:
        """Store rows durably, unless something has changed since what they were `decided_on`.

        The newest stamp is looked at when the statement begins, after all calls of the batch were decided: it is at least
        that of every change which was acknowledged before any of them came.

        Raises:
            Outdated: something has; nothing was stored.
        """
        limit = _NEVER_OUTDATED if decided_on is None else decided_on
        try:
            self._store(rows, limit)
        except DBAPIError as error:
            if not may_pass(error):
                raise
            left = self._not_stored(rows)
            if left:
                self._store(left, limit)

    def _store(self, rows: Sequence[Row], limit: int) -> None:
        writer, head = self._writer, self._head
        self._writer, self._head = _fresh()
        while (end := self._extended(writer, head, rows, limit)) is None:  # pruned wholly meanwhile
            writer, head = _fresh()
        self._writer, self._head = writer, end

    def _extended(self, writer: str, head: Head, rows: Sequence[Row], limit: int) -> Head | None:
        """Where a chain ends that `rows` have made longer; None if it did not end at `head`."""
        end = next_head(self._key, writer, head, rows)
        values = table_rows.sent(rows) | {
            "chain": writer,
            "was": head.seq,
            "now": end.seq,
            "end": end.link,
            "limit": limit,
        }
        statement = self._beginning if head == START else self._continuing
        with self._engine.connect() as connection:
            newest, stored = connection.exec_driver_sql(
                str(statement), statement.construct_params(values)
            ).one()
        if newest > limit:
            self._writer, self._head = writer, head
            raise Outdated(newest)
        return end if stored else None

    def _not_stored(self, rows: Sequence[Row]) -> list[Row]:
        stored = self._table.c.event_id
        asked = select(stored).where(stored.in_([row.event_id for row in rows]))
        with self._engine.connect() as connection:
            there = set(connection.execute(asked).scalars())
        return [row for row in rows if row.event_id not in there]

    def close(self) -> None:
        """Nothing to release: the engine belongs to the database."""


def _append(table: Table, *, first: bool) -> Select[int, bool]:
    """One statement, which is a transaction by itself: move the chain's end and, if it was there, add the rows."""
    chains, newest = audit_writers.c, NEWEST.scalar_subquery()
    current = newest <= bindparam("limit", type_=BigInteger)
    values = {"seq": bindparam("now", type_=BigInteger), "link": bindparam("end", type_=chains.link.type)}
    if first:
        names = ["writer", "is_data", *values]
        begun = select(
            bindparam("chain", type_=Text), bindparam("is_data", table is audit_data_events), *values.values()
        )
        moved = (
            insert(audit_writers).from_select(names, begun.where(current)).returning(chains.seq).cte("moved")
        )
    else:
        ends_there = (chains.writer == bindparam("chain")) & (chains.seq == bindparam("was"))
        moved = (
            update(audit_writers).where(ends_there, current).values(values).returning(chains.seq).cte("moved")
        )
    rows = table_rows.received(table).where(exists(select(moved.c.seq)))
    added = insert(table).from_select(list(COLUMNS), rows).returning(table.c.seq)
    return select(newest, exists(select(moved.c.seq))).add_cte(added.cte("added"))


def _fresh() -> tuple[str, Head]:
    return secrets.token_hex(8), START
