"""What is pruned of the tables of audit records: rows from the beginning of a chain up to the end of a batch."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from kms_server.storage import audit_writers
from kms_server.storage.audit_writers import Head

_SAMPLE = 256
# Most columns stand in indexes too, and each of the eight indexes has account, Region and event id, or as much.
_COPIES, _INDEXED = 3, 500


class Window(NamedTuple):
    """Rows of a chain behind number `after` up to the end of a batch; event ids are its smallest and largest."""

    after: int
    end: Head
    oldest: str
    newest: str


class Unchained(NamedTuple):
    """Rows of before there were chains, the oldest of them, up to event id `newest`."""

    rows: int
    oldest: str
    newest: str


def window(
    connection: Connection, table: Table, writer: str, after: int, ceiling: int, cutoff: str, rows: int
) -> Window | None:
    """The next rows of a chain behind number `after`, about `rows` of them, and none above number `ceiling`.

    They are all older than the event id `cutoff` where the first batch is; None: no whole batch is left.
    """
    columns = table.c
    mine = (columns.writer == writer) & (columns.seq > after) & (columns.seq <= ceiling)
    end = _first_end(connection, table, mine & (columns.seq >= after + rows)) or _last_end(
        connection, table, mine
    )
    if end is None:
        return None
    found = _between(connection, table, writer, after, end)
    if found.newest >= cutoff:
        young = mine & (columns.event_id >= cutoff) & (columns.seq <= end.seq)
        first_young = connection.execute(select(func.min(columns.seq)).where(young)).scalar_one()
        older = _last_end(connection, table, mine & (columns.seq < first_young))
        if older is not None:
            return _between(connection, table, writer, after, older)
    return found


def end_below(connection: Connection, table: Table, writer: str, seq: int) -> int:
    """The number of the last row of the newest batch that ends below number `seq`; 0: there is none."""
    columns = table.c
    found = _last_end(connection, table, (columns.writer == writer) & (columns.seq < seq))
    return found.seq if found else 0


def remove(connection: Connection, table: Table, writer: str, gone: Window) -> bool:
    """Delete the rows of a window; False: another process is at this chain, and nothing was deleted."""
    if not audit_writers.prune(connection, writer, gone.after, gone.end):
        return False
    columns = table.c
    mine = (columns.writer == writer) & (columns.seq > gone.after) & (columns.seq <= gone.end.seq)
    connection.execute(delete(table).where(mine))
    return True


def unchained(connection: Connection, table: Table, after: str, rows: int) -> Unchained | None:
    """The next `rows` rows without a chain behind the event id `after`."""
    columns = table.c
    ids = (
        select(columns.event_id)
        .where(columns.writer.is_(None), columns.event_id > after)
        .order_by(columns.event_id)
        .limit(rows)
        .subquery()
    )
    identifier = ids.c.event_id
    found = connection.execute(select(func.count(), func.min(identifier), func.max(identifier))).one()
    return Unchained(*found) if found[0] else None


def remove_unchained(connection: Connection, table: Table, gone: Unchained) -> None:
    """Delete rows without a chain."""
    columns = table.c
    old = columns.event_id.between(gone.oldest, gone.newest)
    connection.execute(delete(table).where(columns.writer.is_(None), old))


def count_unchained(connection: Connection, table: Table) -> int:
    """How many rows have no chain."""
    return connection.execute(select(func.count()).where(table.c.writer.is_(None))).scalar_one()


def row_bytes(connection: Connection, table: Table) -> int:
    """About how many bytes a row takes with its share of the indexes, by the newest rows; 0: there are none."""
    names = ("event_id", "account", "region", "event_name", "username", "access_key_id", "resource_1",
             "resource_2", "writer")  # fmt: skip
    newest = select(table).order_by(table.c.event_id.desc()).limit(_SAMPLE).subquery()
    looked_up = sum((func.coalesce(func.length(newest.c[name]), 0) for name in names), 0)
    mean = select(func.avg(func.length(newest.c.record) + _COPIES * looked_up + _INDEXED))
    return int(connection.execute(mean).scalar() or 0)


def _between(connection: Connection, table: Table, writer: str, after: int, end: Head) -> Window:
    columns = table.c
    mine = (columns.writer == writer) & (columns.seq > after) & (columns.seq <= end.seq)
    # The limit keeps PostgreSQL from going over all event ids in their order until it meets one of these.
    ids = select(columns.event_id).where(mine).order_by(columns.seq).limit(end.seq - after).subquery()
    ends = select(func.min(ids.c.event_id), func.max(ids.c.event_id))
    oldest, newest = connection.execute(ends).one()
    return Window(after, end, oldest, newest)


def _first_end(connection: Connection, table: Table, condition: ColumnElement[bool]) -> Head | None:
    return _end(connection, table, condition, table.c.seq.asc())


def _last_end(connection: Connection, table: Table, condition: ColumnElement[bool]) -> Head | None:
    return _end(connection, table, condition, table.c.seq.desc())


def _end(
    connection: Connection, table: Table, condition: ColumnElement[bool], order: ColumnElement[int]
) -> Head | None:
    ends = select(table.c.seq, table.c.link).where(condition, table.c.link.is_not(None))
    found = connection.execute(ends.order_by(order).limit(1)).one_or_none()
    return Head(*found) if found else None
