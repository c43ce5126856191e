"""Objects: versions by bucket and key, and the parts that hold their bytes.

Every verb that changes a key's versions locks the key, by its row in `objects`, until the transaction ends.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from kms_server.storage import blob_ledger
from kms_server.storage.buckets import BucketGone
from kms_server.storage.object_tables import object_versions, objects
from kms_server.storage.object_tables import parts as parts_table
from kms_server.storage.old_materials import old_materials

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
_INSERT = insert(object_versions).returning(object_versions.c.number)


def of_row(row: Sequence[Any]) -> Version:
    """A version from its columns in the order of its members."""
    number, bucket_id, key, *others = row
    return Version(number, bucket_id, key.decode(), *others)


def current(connection: Connection, bucket_id: str, key: str) -> Version | None:
    """The newest version of a key, be it a delete marker."""
    joined = _SELECT.join(objects, objects.c.current == object_versions.c.number)
    row = connection.execute(joined.where(_head(bucket_id, key))).one_or_none()
    return of_row(row) if row else None


def version(connection: Connection, bucket_id: str, key: str, version_id: str) -> Version | None:
    """The version of a key that has an id."""
    named = _of_key(bucket_id, key) & (object_versions.c.version_id == version_id)
    row = connection.execute(_SELECT.where(named)).one_or_none()
    return of_row(row) if row else None


def of_object(connection: Connection, bucket_id: str, key: str, object_id: str) -> Version | None:
    """The version of a key that is the object of an opaque id."""
    same = _of_key(bucket_id, key) & (object_versions.c.object_id == object_id)
    row = connection.execute(_SELECT.where(same)).one_or_none()
    return of_row(row) if row else None


def newest(connection: Connection, bucket_id: str, key: str) -> int | None:
    """The number of the newest version of a key."""
    return connection.execute(select(objects.c.current).where(_head(bucket_id, key))).scalar()


def parts(connection: Connection, number: int) -> list[Part]:
    """The parts of a version in the order of their bytes."""
    statement = select(*columns(parts_table, Part)).where(parts_table.c.version == number)
    return [Part(*row) for row in connection.execute(statement.order_by(parts_table.c.number))]


def lock(connection: Connection, bucket_id: str, key: str) -> Version | None:
    """Lock a key, whether it has versions or not; its newest version.

    Raises:
        BucketGone
    """
    if _lock(connection, bucket_id, key):
        return current(connection, bucket_id, key)
    # Others wait for the insertion even though it is taken back.
    connection.execute(delete(objects).where(_head(bucket_id, key)))
    return None


def add(connection: Connection, version: Version, parts: Sequence[Part]) -> Version:
    """Store a version, which becomes the newest of its key, and give it its number.

    A null version takes the place of the one before.

    Raises:
        BucketGone
    """
    _lock(connection, version.bucket_id, version.key)
    if version.version_id == NULL:
        former = _of_key(version.bucket_id, version.key) & (object_versions.c.version_id == NULL)
        replaced = connection.execute(select(object_versions.c.number).where(former)).scalar()
        if replaced is not None:
            _discard(connection, replaced)
    values = values_of(version)
    del values["number"]
    number: int = connection.execute(_INSERT, values).scalar_one()
    if parts:
        connection.execute(insert(parts_table), [values_of(part) | {"version": number} for part in parts])
    _set_newest(connection, version.bucket_id, version.key, number, is_marker=version.is_marker)
    return replace(version, number=number)


def remove(connection: Connection, version: Version) -> bool:
    """Delete a version; the next newest takes its place. False when it was deleted already."""
    bucket_id, key = version.bucket_id, version.key
    locked = select(objects.c.current).where(_head(bucket_id, key)).with_for_update()
    newest = connection.execute(locked).scalar()
    if not _discard(connection, version.number):
        return False
    if newest == version.number:
        left = select(object_versions.c.number, object_versions.c.is_marker).where(_of_key(bucket_id, key))
        following = connection.execute(left.order_by(object_versions.c.number.desc()).limit(1)).one_or_none()
        if following is None:
            connection.execute(delete(objects).where(_head(bucket_id, key)))
        else:
            _set_newest(connection, bucket_id, key, following.number, is_marker=following.is_marker)
    return True


def change(connection: Connection, version: Version, **fields: Any) -> bool:  # noqa: ANN401 - columns have many types
    """Set columns of a version that no envelope is bound to; False when it is gone."""
    own = object_versions.c.number == version.number
    return connection.execute(update(object_versions).where(own).values(**fields)).rowcount > 0


def replace_envelope(connection: Connection, version: Version, **fields: Any) -> bool:  # noqa: ANN401
    """Set columns of a version whose envelope is still the one given; False when it is another, or gone."""
    same = (object_versions.c.number == version.number) & (object_versions.c.envelope == version.envelope)
    return connection.execute(update(object_versions).where(same).values(**fields)).rowcount > 0


def under_old_master(connection: Connection, current_materials: Collection[str], limit: int) -> list[Version]:
    """Up to `limit` versions with a key under a backing key of the SSE-S3 master that is not among the current ones."""
    found: list[Version] = []
    for material in old_materials(connection, object_versions.c.material, current_materials):
        statement = _SELECT.where(object_versions.c.material == material).order_by(object_versions.c.number)
        found += map(of_row, connection.execute(statement.limit(limit - len(found))))
        if len(found) == limit:
            break
    return found


def each(connection: Connection, after_number: int, limit: int) -> list[Version]:
    """Up to `limit` versions of all buckets whose numbers are higher than `after_number`, in the order of numbers."""
    statement = _SELECT.where(object_versions.c.number > after_number).order_by(object_versions.c.number)
    return [of_row(row) for row in connection.execute(statement.limit(limit))]


def values_of(one: Any) -> dict[str, Any]:  # noqa: ANN401 - a version, part or upload
    """What stands in the columns of a row."""
    values = {name: getattr(one, name) for name in one.__slots__}
    return {"object_key": values.pop("key").encode()} | values if "key" in values else values


def _lock(connection: Connection, bucket_id: str, key: str) -> int:
    """Lock a key and give the number of its newest version; 0, in a new row, where there is none."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {"bucket_id": bucket_id, "object_key": key.encode(), "current": 0, "is_marker": True}
    upsert = dialect.insert(objects).values(row).on_conflict_do_update(
        index_elements=["bucket_id", "object_key"], set_={"current": objects.c.current}
    )  # fmt: skip
    try:
        number: int = connection.execute(upsert.returning(objects.c.current)).scalar_one()
    except IntegrityError:  # of the bucket's foreign key: the row has no other constraint that could fail
        raise BucketGone from None
    return number


def _discard(connection: Connection, number: int) -> bool:
    """Remove the rows of a version and its parts; False when there are none."""
    blob_ledger.discard(connection, parts_table.c.version == number)
    return connection.execute(delete(object_versions).where(object_versions.c.number == number)).rowcount > 0


def _set_newest(connection: Connection, bucket_id: str, key: str, number: int, *, is_marker: bool) -> None:
    values = {"current": number, "is_marker": is_marker}
    connection.execute(update(objects).where(_head(bucket_id, key)).values(values))


def _head(bucket_id: str, key: str) -> ColumnElement[bool]:
    return (objects.c.bucket_id == bucket_id) & (objects.c.object_key == key.encode())


def _of_key(bucket_id: str, key: str) -> ColumnElement[bool]:
    return (object_versions.c.bucket_id == bucket_id) & (object_versions.c.object_key == key.encode())
