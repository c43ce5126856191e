"""Objects: versions by bucket and key, and the parts that hold their bytes.

Every verb that changes a key's versions locks the key, by its row in `objects`, until the transaction ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, select, update
from sqlalchemy.exc import IntegrityError

from kms_server.storage import object_statements as statements
from kms_server.storage.buckets import BucketGone
from kms_server.storage.object_statements import of_key
from kms_server.storage.object_tables import object_versions, objects
from kms_server.storage.object_tables import parts as parts_table

NULL = "null"


@dataclass(frozen=True, slots=True)
class Part:
    """One upload of bytes: a blob of that id, or `inline` where they are few.

    `size` is that of the plaintext in bytes, `header` what stands before the sealed chunks. The rest is for parts of a
    multipart upload: `etag` is None where it is sealed; `details` are sealed.
    """

    blob_id: str
    number: int
    size: int
    header: bytes
    inline: bytes | None
    modified_at: float
    etag: str | None = None
    details: bytes | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an object, or a delete marker; times are epoch seconds, `size` is in bytes.

    `number` orders versions by age. `version_id` is `null` outside versioned buckets. `object_id` is opaque and what
    envelopes are bound to. `etag` is None where `sealed_etag` has it. `kind` is the kind of encryption, `key_arn` its KMS
    key, `material` the backing key of the SSE-S3 master that wraps a key of this version. `headers` and `tags` are JSON
    objects. `checksum` names algorithm and type, such as `CRC64NVME/FULL_OBJECT`; the values are in the sealed manifest.
    """

    number: int
    bucket_id: str
    key: str
    version_id: str
    object_id: str
    account: str
    is_marker: bool
    modified_at: float
    size: int = 0
    etag: str | None = None
    sealed_etag: bytes | None = None
    storage_class: str = "STANDARD"
    kind: str = ""
    key_arn: str | None = None
    material: str | None = None
    envelope: bytes = b""
    manifest: bytes = b""
    headers: str = "{}"
    tags: str | None = None
    checksum: str | None = None
    part_count: int | None = None
    restored_from: float | None = None
    restored_until: float | None = None


def columns(table: Table, kind: type[Any]) -> "list[Column[Any]]":
    """The columns of a table in the order of a dataclass's members."""
    return [table.c["object_key" if name == "key" else name] for name in kind.__slots__]


_SELECT = select(*columns(object_versions, Version))
_CURRENT = _SELECT.join(objects, objects.c.current == object_versions.c.number).where(statements.HEAD)
_NAMED = _SELECT.where(statements.OF_KEY, statements.OF_VERSION)
_AS_OBJECT = _SELECT.where(statements.OF_KEY, object_versions.c.object_id == bindparam("of_object"))
_PARTS = select(*columns(parts_table, Part)).where(statements.PARTS_OF).order_by(parts_table.c.number)


def of_row(row: Sequence[Any]) -> Version:
    """A version from its columns in the order of its members."""
    number, bucket_id, key, *others = row
    return Version(number, bucket_id, key.decode(), *others)


def current(connection: Connection, bucket_id: str, key: str) -> Version | None:
    """The newest version of a key, be it a delete marker."""
    row = connection.execute(_CURRENT, of_key(bucket_id, key)).one_or_none()
    return of_row(row) if row else None


def version(connection: Connection, bucket_id: str, key: str, version_id: str) -> Version | None:
    """The version of a key that has an id."""
    row = connection.execute(_NAMED, of_key(bucket_id, key) | {"of_version": version_id}).one_or_none()
    return of_row(row) if row else None


def of_object(connection: Connection, bucket_id: str, key: str, object_id: str) -> Version | None:
    """The version of a key that is the object of an opaque id."""
    row = connection.execute(_AS_OBJECT, of_key(bucket_id, key) | {"of_object": object_id}).one_or_none()
    return of_row(row) if row else None


def newest(connection: Connection, bucket_id: str, key: str) -> int | None:
    """The number of the newest version of a key."""
    return connection.execute(statements.NEWEST, of_key(bucket_id, key)).scalar()


def parts(connection: Connection, number: int) -> list[Part]:
    """The parts of a version in the order of their bytes."""
    return [Part(*row) for row in connection.execute(_PARTS, {"of_number": number})]


def lock(connection: Connection, bucket_id: str, key: str) -> Version | None:
    """Lock a key, whether it has versions or not; its newest version.

    Raises:
        BucketGone
    """
    if _lock(connection, bucket_id, key):
        return current(connection, bucket_id, key)
    # Others wait for the insertion even though it is taken back.
    connection.execute(statements.REMOVE_HEAD, of_key(bucket_id, key))
    return None


def add(connection: Connection, version: Version, parts: Sequence[Part]) -> Version:
    """Store a version, which becomes the newest of its key, and give it its number.

    A null version takes the place of the one before.

    Raises:
        BucketGone
    """
    has_versions = _lock(connection, version.bucket_id, version.key)
    if has_versions and version.version_id == NULL:
        named = of_key(version.bucket_id, version.key) | {"of_version": NULL}
        replaced = connection.execute(statements.NUMBER, named).scalar()
        if replaced is not None:
            _discard(connection, replaced)
    values = values_of(version)
    del values["number"]
    number: int = connection.execute(statements.ADD, values).scalar_one()
    if parts:
        connection.execute(statements.ADD_PARTS, [values_of(part) | {"version": number} for part in parts])
    _set_newest(connection, version.bucket_id, version.key, number, is_marker=version.is_marker)
    return replace(version, number=number)


def remove(connection: Connection, version: Version) -> bool:
    """Delete a version; the next newest takes its place. False when it was deleted already."""
    bucket_id, key = version.bucket_id, version.key
    newest = connection.execute(statements.NEWEST_LOCKED, of_key(bucket_id, key)).scalar()
    if not _discard(connection, version.number):
        return False
    if newest == version.number:
        following = connection.execute(statements.LAST, of_key(bucket_id, key)).one_or_none()
        if following is None:
            connection.execute(statements.REMOVE_HEAD, of_key(bucket_id, key))
        else:
            _set_newest(connection, bucket_id, key, following.number, is_marker=following.is_marker)
    return True


def change(connection: Connection, version: Version, **fields: Any) -> bool:  # noqa: ANN401 - columns have many types
    """Set columns of a version that no envelope is bound to; False when it is gone."""
    own = object_versions.c.number == version.number
    return connection.execute(update(object_versions).where(own).values(**fields)).rowcount > 0


def values_of(one: Any) -> dict[str, Any]:  # noqa: ANN401 - a version, part or upload
    """What stands in the columns of a row."""
    values = {name: getattr(one, name) for name in one.__slots__}
    return {"object_key": values.pop("key").encode()} | values if "key" in values else values


def _lock(connection: Connection, bucket_id: str, key: str) -> int:
    """Lock a key and give the number of its newest version; 0, in a new row, where there is none."""
    row = {"bucket_id": bucket_id, "object_key": key.encode(), "current": 0, "is_marker": True}
    try:
        number: int = connection.execute(statements.LOCK[connection.dialect.name], row).scalar_one()
    except IntegrityError:  # of the bucket's foreign key: the row has no other constraint that could fail
        raise BucketGone from None
    return number


def _discard(connection: Connection, number: int) -> bool:
    """Remove the rows of a version and its parts; False when there are none."""
    statements.DISCARD_PARTS.run(connection, of_number=number)
    return connection.execute(statements.REMOVE, {"of_number": number}).rowcount > 0


def _set_newest(connection: Connection, bucket_id: str, key: str, number: int, *, is_marker: bool) -> None:
    values = {"current": number, "is_marker": is_marker}
    connection.execute(statements.SET_NEWEST, of_key(bucket_id, key) | values)
