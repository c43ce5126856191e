"""What the service's own work asks of objects: walks over all versions, and over those under old backing keys."""

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select, true, update

from kms_server.storage.object_lists import within
from kms_server.storage.object_tables import object_versions
from kms_server.storage.objects import Version, columns, of_row
from kms_server.storage.old_materials import old_materials

_SELECT = select(*columns(object_versions, Version))


class Scope(NamedTuple):
    """Which versions a walk is over: those of all buckets, or of one, and there of keys that begin with `prefix`."""

    bucket_id: str | None = None
    prefix: str = ""

    @property
    def condition(self) -> ColumnElement[bool]:
        """What is true of them."""
        if self.bucket_id is None:
            return true()
        own = object_versions.c.bucket_id == self.bucket_id
        return own & within(object_versions.c.object_key, self.prefix.encode(), None)


EVERYTHING = Scope()


class Total(NamedTuple):
    """How many versions there are, and the bytes of their plaintext."""

    versions: int
    size: int


def each(connection: Connection, after_number: int, limit: int, scope: Scope = EVERYTHING) -> list[Version]:
    """Up to `limit` versions whose numbers are higher than `after_number`, in the order of numbers."""
    statement = _SELECT.where(object_versions.c.number > after_number, scope.condition)
    rows = connection.execute(statement.order_by(object_versions.c.number).limit(limit))
    return [of_row(row) for row in rows]


def total(connection: Connection, after_number: int, scope: Scope = EVERYTHING) -> Total:
    """The sums of what `each` goes over."""
    sums = select(func.count(), func.coalesce(func.sum(object_versions.c.size), 0))
    found = connection.execute(sums.where(object_versions.c.number > after_number, scope.condition)).one()
    return Total(found[0], int(found[1]))


def get(connection: Connection, number: int) -> Version | None:
    """The version of a number."""
    row = connection.execute(_SELECT.where(object_versions.c.number == number)).one_or_none()
    return of_row(row) if row else None


class Position(NamedTuple):
    """Where a walk over versions under old backing keys stands: behind this one."""

    material: str = ""
    number: int = 0


BEGINNING = Position()


def under_old_master(
    connection: Connection, current: Collection[str], limit: int, after: Position = BEGINNING
) -> list[Version]:
    """Up to `limit` versions with a key under a backing key of the SSE-S3 master that is not among the current ones.

    They come by backing key and number.
    """
    found: list[Version] = []
    for material in old_materials(connection, object_versions.c.material, current, after.material):
        least = after.number if material == after.material else 0
        own = (object_versions.c.material == material) & (object_versions.c.number > least)
        statement = _SELECT.where(own).order_by(object_versions.c.number)
        found += map(of_row, connection.execute(statement.limit(limit - len(found))))
        if len(found) == limit:
            break
    return found


def count_under_old_master(connection: Connection, current: Collection[str]) -> int:
    """How many such versions there are."""
    own = object_versions.c.material.is_not(None) & object_versions.c.material.not_in(current)
    return connection.execute(select(func.count()).where(own)).scalar_one()


def free(connection: Connection, numbers: Collection[int]) -> set[int]:
    """Lock versions; the numbers of those that nobody else has locked.

    Who changes several and waits for none of them never waits for others in a circle.
    """
    chosen = select(object_versions.c.number).where(object_versions.c.number.in_(numbers))
    return set(connection.execute(chosen.with_for_update(skip_locked=True)).scalars())


def replace_envelope(connection: Connection, version: Version, **fields: Any) -> bool:  # noqa: ANN401
    """Set columns of a version whose envelope is still the one given; False when it is another, or gone."""
    same = (object_versions.c.number == version.number) & (object_versions.c.envelope == version.envelope)
    return connection.execute(update(object_versions).where(same).values(**fields)).rowcount > 0
