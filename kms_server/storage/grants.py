"""Grants on KMS keys.

What a grantee may do with a key changes with its own grants alone, so each has a change scope of its own.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, literal, select, update

from kms_server.keys.grant_index import Bounds, Held
from kms_server.keys.grants import Grant, Party
from kms_server.keys.key import KmsKey
from kms_server.storage.database import Transaction
from kms_server.storage.tables import grant_counts, grants


def scope(key_id: str, region: str, grantee_key: str) -> str:
    """The change scope of the grants that a grantee has on a key."""
    return f"{_prefix(key_id, region)}{grantee_key}"


def _prefix(key_id: str, region: str) -> str:
    return f"grants:{region}:{key_id}:"


def get(connection: Connection, grant_id: str) -> Grant | None:
    """The grant of that id, on whatever key."""
    row = connection.execute(select(grants).where(grants.c.grant_id == grant_id)).one_or_none()
    return _grant(row) if row else None


def requested_before(connection: Connection, key: KmsKey, request: str) -> Grant | None:
    """The grant on a key that the same request made."""
    row = connection.execute(select(grants).where(_on(key), grants.c.request == request)).one_or_none()
    return _grant(row) if row else None


def count(connection: Connection, key: KmsKey) -> int:
    """How many grants there are on a key."""
    counted = select(grant_counts.c.grants).where(*_counted(key.key_id, key.region))
    return connection.execute(counted).scalar() or 0


def add(tx: Transaction, grant: Grant) -> None:
    """Store a new grant."""
    tx.connection.execute(
        insert(grants).values(
            grant_id=grant.grant_id, key_id=grant.key_id, region=grant.region, name=grant.name,
            grantee=grant.grantee.name, grantee_is_service=grant.grantee.is_service,
            retiring=grant.retiring.name if grant.retiring else None,
            retiring_is_service=grant.retiring is not None and grant.retiring.is_service,
            grantee_key=grant.grantee.key, retiring_key=grant.retiring.key if grant.retiring else None,
            operations=json.dumps(grant.operations), constraints=json.dumps(grant.constraints),
            issuing_account=grant.issuing_account, created_at=grant.created_at, request=grant.request,
        )
    )  # fmt: skip
    if not _change_count(tx, grant, by=1):
        one = insert(grant_counts).values(key_id=grant.key_id, region=grant.region, grants=1)
        tx.connection.execute(one)
    tx.mark(scope(grant.key_id, grant.region, grant.grantee.key))


def remove(tx: Transaction, grant: Grant) -> None:
    """Delete a grant that there is."""
    tx.connection.execute(delete(grants).where(grants.c.grant_id == grant.grant_id))
    _change_count(tx, grant, by=-1)
    tx.mark(scope(grant.key_id, grant.region, grant.grantee.key))


def mark_of_key(tx: Transaction, key: KmsKey) -> None:
    """Tell that the grants of a key go with it: a replica may come back under the same id."""
    _mark(tx, key, _on(key))


def remove_some(tx: Transaction, key: KmsKey, most: int) -> int:
    """Delete up to `most` grants on a key; how many they were."""
    ids = select(grants.c.grant_id).where(_on(key)).order_by(grants.c.grant_id).limit(most)
    found = tx.connection.execute(ids).scalars().all()
    if found:
        first_ones = _on(key) & (grants.c.grant_id <= found[-1])
        _mark(tx, key, first_ones)
        tx.connection.execute(delete(grants).where(first_ones))
        _change_count(tx, key, by=-len(found))
    return len(found)


def _mark(tx: Transaction, key: KmsKey, condition: ColumnElement[bool]) -> None:
    prefix = literal(_prefix(key.key_id, key.region))
    tx.mark_each(select(prefix.op("||")(grants.c.grantee_key)).where(condition).distinct())


def of_grantee(
    connection: Connection, key_id: str, region: str, grantee_key: str, *, operation: str | None = None
) -> Iterator[Held]:
    """What a grantee holds on a key, of one operation where given; of grants that allow the same, one."""
    alike = grants.c.operations, grants.c.constraints
    statement = select(func.min(grants.c.grant_id), *alike).where(
        grants.c.key_id == key_id, grants.c.region == region, grants.c.grantee_key == grantee_key
    )
    if operation is not None:
        statement = statement.where(grants.c.operations.contains(f'"{operation}"', autoescape=True))
    known: dict[str, frozenset[str]] = {}
    for grant_id, operations, constraints in connection.execute(statement.group_by(*alike)):
        if operations not in known:
            known[operations] = frozenset(json.loads(operations))
        yield Held(grant_id, known[operations], Bounds.of(json.loads(constraints)))


def page_of_key(
    connection: Connection,
    key: KmsKey,
    after: str,
    limit: int,
    *,
    grant_id: str | None,
    grantees: Collection[str] | None,
) -> list[Grant]:
    """Up to `limit` grants on a key whose ids sort after `after`, of one id or some grantees' keys where given."""
    whole = _on(key) if grant_id is None else _on(key) & (grants.c.grant_id == grant_id)
    parts = [whole] if grantees is None else [whole & (grants.c.grantee_key == one) for one in grantees]
    return _page(connection, parts, after, limit)


def page_retirable(
    connection: Connection, retiring: Collection[str], region: str, after: str, limit: int
) -> list[Grant]:
    """Up to `limit` grants of a Region that whoever has one of the keys may retire and whose ids sort after `after`."""
    parts = [(grants.c.retiring_key == one) & (grants.c.region == region) for one in retiring]
    return _page(connection, parts, after, limit)


def _page(
    connection: Connection, parts: Iterable[ColumnElement[bool]], after: str, limit: int
) -> list[Grant]:
    """A page of all parts, each of which is a range of an index; together they would be sorted first."""
    found: list[Grant] = []
    for part in parts:
        rows = select(grants).where(part, grants.c.grant_id > after).order_by(grants.c.grant_id).limit(limit)
        found += [_grant(row) for row in connection.execute(rows)]
    return sorted(found, key=lambda grant: grant.grant_id)[:limit]


def _change_count(tx: Transaction, of: Grant | KmsKey, *, by: int) -> bool:
    """Whether there is a count to change."""
    counted = update(grant_counts).where(*_counted(of.key_id, of.region))
    return tx.connection.execute(counted.values(grants=grant_counts.c.grants + by)).rowcount > 0


def _counted(key_id: str, region: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return grant_counts.c.key_id == key_id, grant_counts.c.region == region


def _on(key: KmsKey) -> ColumnElement[bool]:
    return (grants.c.key_id == key.key_id) & (grants.c.region == key.region)


def _grant(row: Row[Any]) -> Grant:
    retiring = (
        None if row.retiring is None else Party(row.retiring, row.retiring_is_service, row.retiring_key)
    )
    return Grant(
        grant_id=row.grant_id, key_id=row.key_id, region=row.region, name=row.name,
        grantee=Party(row.grantee, row.grantee_is_service, row.grantee_key), retiring=retiring,
        operations=tuple(json.loads(row.operations)), constraints=json.loads(row.constraints),
        issuing_account=row.issuing_account, created_at=row.created_at, request=row.request,
    )  # fmt: skip
