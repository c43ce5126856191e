"""Pages of a bucket's keys and versions. They leave out manifests, which may be long."""

from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, literal, select

from kms_server.storage.object_tables import object_versions, objects
from kms_server.storage.objects import Version, columns, of_row

# Sorts after all that begins with what it is put behind: no UTF-8 has this byte.
BEHIND = b"\xff"

_BRIEF = select(
    *[literal(b"") if column.name == "manifest" else column for column in columns(object_versions, Version)]
)


def list_current(
    connection: Connection, bucket_id: str, prefix: bytes, after: bytes | None, limit: int
) -> list[Version]:
    """Up to `limit` newest versions that are no delete markers, of keys that begin with `prefix`, in the order of keys.

    Of the keys those that sort after `after`, which need not be UTF-8.
    """
    statement = (
        _BRIEF.select_from(objects)
        .join(object_versions, object_versions.c.number == objects.c.current)
        .where(
            objects.c.bucket_id == bucket_id,
            ~objects.c.is_marker,
            within(objects.c.object_key, prefix, after),
        )
        .order_by(objects.c.object_key)
    )
    return _read(connection, statement, limit)


def list_versions(
    connection: Connection,
    bucket_id: str,
    prefix: bytes,
    after_key: bytes | None,
    after_number: int | None,
    limit: int,
) -> list[Version]:
    """Up to `limit` versions and delete markers of keys that begin with `prefix`, by key and newest first.

    They sort after the version `after_number` of `after_key`, or after all versions of `after_key`.
    """
    versions = object_versions.c
    ordered = _BRIEF.where(versions.bucket_id == bucket_id).order_by(
        versions.object_key, versions.number.desc()
    )
    found: list[Version] = []
    if after_key is not None and after_number is not None and after_key.startswith(prefix):
        older = (versions.object_key == after_key) & (versions.number < after_number)
        found = _read(connection, ordered.where(older), limit)
    if len(found) < limit:
        rest = ordered.where(within(versions.object_key, prefix, after_key))
        found += _read(connection, rest, limit - len(found))
    return found


def within(column: "Column[bytes]", prefix: bytes, after: bytes | None) -> ColumnElement[bool]:
    """Of the values that begin with `prefix` those that sort after `after`: one range of an index."""
    above = column > after if after is not None and after >= prefix else column >= prefix
    return above & (column < prefix + BEHIND)


def _read(connection: Connection, statement: Select[Any], limit: int) -> list[Version]:
    return [of_row(row) for row in connection.execute(statement.limit(limit))]
