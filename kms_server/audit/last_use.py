"""The last uses of keys and access keys among records that are to be pruned."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

from pysqlite3 import dbapi2
from sqlalchemy import Column, ColumnElement, Connection, Select, func, select, true
from sqlalchemy.dialects import sqlite

from kms_server.arn import Arn
from kms_server.audit.record import Row, columns_of
from kms_server.storage import last_uses
from kms_server.storage.database import Database
from kms_server.storage.last_uses import AccessKeyUse, KeyUse, Use
from kms_server.storage.tables import audit_events

# What counts as a use of a KMS key (AWS "Determine past usage of a KMS key").
KEY_USES = (
    "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext", "Sign", "Verify", "GenerateMac", "VerifyMac", "DeriveSharedSecret",
    "Encapsulate", "Decapsulate",
)  # fmt: skip
_AT_ONCE = 200
_DIALECT = sqlite.dialect(paramstyle="named")


def use_of(row: Row) -> Use:
    """The use that a row records."""
    record = json.loads(row.record)
    return Use(
        row.event_id,
        event_time(record),
        row.event_name,
        row.event_source,
        row.region,
        record.get("requestID"),
    )


def event_time(record: Mapping[str, Any]) -> float:
    """The time of a record in epoch seconds."""
    return datetime.fromisoformat(record["eventTime"]).timestamp()


class Uses(NamedTuple):
    """The newest use of each key and access key in a part of the log."""

    of_keys: list[KeyUse]
    of_access_keys: list[AccessKeyUse]


def in_table(connection: Connection, within: ColumnElement[bool]) -> Uses:
    """The uses among those management events of the shared database that meet a condition."""
    return _uses(lambda statement: map(tuple, connection.execute(statement)), within)


def in_segment(path: Path) -> Uses:
    """The uses in a segment of management events.

    Raises:
        dbapi2.Error: the segment cannot be read.
    """
    with closing(dbapi2.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as connection:

        def execute(statement: Select[Any]) -> Iterable[tuple[Any, ...]]:
            made = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
            found: Iterable[tuple[Any, ...]] = connection.execute(made.string, dict(made.params))
            return found

        return _uses(execute, true())


def fold(database: Database, uses: Uses) -> None:
    """Keep uses for when their records are gone, in short transactions; a newer use stays."""
    for start in range(0, len(uses.of_keys), _AT_ONCE):
        with database.write() as tx:
            last_uses.fold_keys(tx, uses.of_keys[start : start + _AT_ONCE])
    for start in range(0, len(uses.of_access_keys), _AT_ONCE):
        with database.write() as tx:
            last_uses.fold_access_keys(tx, uses.of_access_keys[start : start + _AT_ONCE])


_Execute: TypeAlias = Callable[[Select[Any]], Iterable[tuple[Any, ...]]]


def _uses(execute: _Execute, within: ColumnElement[bool]) -> Uses:
    columns = audit_events.c
    succeeded = within & columns.event_name.in_(KEY_USES) & columns.error_code.is_(None)
    of_keys = [
        KeyUse(arn.account, arn.region, arn.resource.removeprefix("key/"), use_of(row))
        for column in (columns.resource_1, columns.resource_2)
        for subject, row in _newest(execute, succeeded, column)
        if (arn := Arn.parse(subject)) is not None and (arn.account, arn.region) == (row.account, row.region)
    ]
    of_access_keys = [
        AccessKeyUse(row.account, subject, use_of(row))
        for subject, row in _newest(execute, within, columns.access_key_id)
    ]
    return Uses(of_keys, of_access_keys)


def _newest(
    execute: _Execute, within: ColumnElement[bool], column: "Column[str | None]"
) -> Iterable[tuple[str, Row]]:
    """For each account, Region and value of a column the newest row."""
    columns = audit_events.c
    newest = (
        select(column.label("subject"), func.max(columns.event_id).label("event_id"))
        .where(within, column.is_not(None))
        .group_by(columns.account, columns.region, column)
        .subquery()
    )
    found = select(newest.c.subject, *columns_of(audit_events)).join(
        newest, columns.event_id == newest.c.event_id
    )
    return ((subject, Row._make(values)) for subject, *values in execute(found))
