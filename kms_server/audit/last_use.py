"""The last uses of keys and access keys among records that are to be pruned."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from pysqlite3 import dbapi2
from sqlalchemy import Column, ColumnElement, Connection, Select, func, select, true
from sqlalchemy.dialects import sqlite

from kms_server.arn import Arn
from kms_server.audit.record import Row, columns_of
from kms_server.storage import last_uses
from kms_server.storage.audit_tables import audit_events
from kms_server.storage.database import Database
from kms_server.storage.last_uses import AccessKeyUse, KeyUse, Use

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


@dataclass(frozen=True, slots=True)
class Uses:
    """The newest uses in a part of the log, by Region and id of the KMS key, and by access key id."""

    of_keys: dict[tuple[str, str], KeyUse] = field(default_factory=dict)
    of_access_keys: dict[str, AccessKeyUse] = field(default_factory=dict)

    def add(self, keys: Iterable[KeyUse], access_keys: Iterable[AccessKeyUse]) -> None:
        """Take what is newer."""
        for one in keys:
            place = (one.region, one.key_id)
            self.of_keys[place] = max(one, self.of_keys.get(place, one), key=_when)
        for other in access_keys:
            name = other.access_key_id
            self.of_access_keys[name] = max(other, self.of_access_keys.get(name, other), key=_when)


def _when(one: KeyUse | AccessKeyUse) -> str:
    return one.use.event_id


def add_of_table(uses: Uses, connection: Connection, within: ColumnElement[bool]) -> None:
    """Add the uses among those management events of the shared database that meet a condition."""
    _add(uses, lambda statement: map(tuple, connection.execute(statement)), within)


def add_of_segment(uses: Uses, path: Path) -> None:
    """Add the uses in a segment of management events.

    Raises:
        dbapi2.Error: the segment cannot be read.
    """
    with closing(dbapi2.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as connection:

        def execute(statement: Select[Any]) -> Iterable[tuple[Any, ...]]:
            made = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
            found: Iterable[tuple[Any, ...]] = connection.execute(made.string, dict(made.params))
            return found

        _add(uses, execute, true())


def fold(database: Database, uses: Uses) -> None:
    """Keep uses for when their records are gone, in short transactions; a newer use stays."""
    of_keys, of_access_keys = list(uses.of_keys.values()), list(uses.of_access_keys.values())
    for start in range(0, len(of_keys), _AT_ONCE):
        with database.write() as tx:
            last_uses.fold_keys(tx, of_keys[start : start + _AT_ONCE])
    for start in range(0, len(of_access_keys), _AT_ONCE):
        with database.write() as tx:
            last_uses.fold_access_keys(tx, of_access_keys[start : start + _AT_ONCE])


_Execute: TypeAlias = Callable[[Select[Any]], Iterable[tuple[Any, ...]]]


def _add(uses: Uses, execute: _Execute, within: ColumnElement[bool]) -> None:
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
    uses.add(of_keys, of_access_keys)


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
