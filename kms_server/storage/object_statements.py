"""The statements about one key or version: built once, since building one costs many times what running it does.

Their parameters have names of their own; those of columns are for what is inserted or set.
"""

from types import ModuleType
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kms_server.storage.blob_ledger import Discard
from kms_server.storage.object_tables import object_versions, objects, parts

_versions = object_versions.c


def _is_key(table: Table) -> ColumnElement[bool]:
    return (table.c.bucket_id == bindparam("of_bucket")) & (table.c.object_key == bindparam("of_key"))


def _lock(dialect: ModuleType) -> Any:  # noqa: ANN401 - each dialect has an Insert of its own
    upsert = dialect.insert(objects).on_conflict_do_update(
        index_elements=["bucket_id", "object_key"], set_={"current": objects.c.current}
    )
    return upsert.returning(objects.c.current)


HEAD = _is_key(objects)
OF_KEY = _is_key(object_versions)
OF_VERSION = _versions.version_id == bindparam("of_version")
_NUMBERED = _versions.number == bindparam("of_number")

LOCK = {"sqlite": _lock(sqlite), "postgresql": _lock(postgresql)}
NEWEST = select(objects.c.current).where(HEAD)
NEWEST_LOCKED = NEWEST.with_for_update()
SET_NEWEST = update(objects).where(HEAD)
REMOVE_HEAD = delete(objects).where(HEAD)
NUMBER = select(_versions.number).where(OF_KEY, OF_VERSION)
LAST = select(_versions.number, _versions.is_marker).where(OF_KEY).order_by(_versions.number.desc()).limit(1)
ADD = insert(object_versions).returning(_versions.number)
ADD_PARTS = insert(parts)
PARTS_OF = parts.c.version == bindparam("of_number")
DISCARD_PARTS = Discard(PARTS_OF)
REMOVE = delete(object_versions).where(_NUMBERED)


def of_key(bucket_id: str, key: str) -> dict[str, Any]:
    """The parameters that name a key."""
    return {"of_bucket": bucket_id, "of_key": key.encode()}
