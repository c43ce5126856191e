"""Grants on KMS keys."""

import json
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, insert, select

from kms_server.keys.grants import Grant, Party
from kms_server.keys.key import KmsKey
from kms_server.storage.database import Transaction
from kms_server.storage.scopes import key_scope
from kms_server.storage.tables import grants


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
    return connection.execute(select(func.count()).where(_on(key))).scalar_one()


def add(tx: Transaction, grant: Grant) -> None:
    """Store a new grant."""
    tx.connection.execute(
        insert(grants).values(
            grant_id=grant.grant_id, key_id=grant.key_id, region=grant.region, name=grant.name,
            grantee=grant.grantee.name, grantee_is_service=grant.grantee.is_service,
            retiring=grant.retiring.name if grant.retiring else None,
            retiring_is_service=grant.retiring is not None and grant.retiring.is_service,
            grantee_key=grant.grantee.name, retiring_key=grant.retiring.name if grant.retiring else None,
            operations=json.dumps(grant.operations), constraints=json.dumps(grant.constraints),
            issuing_account=grant.issuing_account, created_at=grant.created_at, request=grant.request,
        )
    )  # fmt: skip
    tx.mark(key_scope(grant.key_id, grant.region))


def remove(tx: Transaction, grant: Grant) -> None:
    """Delete a grant."""
    tx.connection.execute(delete(grants).where(grants.c.grant_id == grant.grant_id))
    tx.mark(key_scope(grant.key_id, grant.region))


def page_of_key(
    connection: Connection, key: KmsKey, after: str, limit: int, *, grant_id: str | None, grantee: str | None
) -> list[Grant]:
    """Up to `limit` grants on a key whose ids sort after `after`, of one id or one grantee where given."""
    statement = select(grants).where(_on(key))
    if grant_id is not None:
        statement = statement.where(grants.c.grant_id == grant_id)
    if grantee is not None:
        statement = statement.where(grants.c.grantee == grantee)
    return _page(connection, statement, after, limit)


def page_retirable(connection: Connection, retiring: str, region: str, after: str, limit: int) -> list[Grant]:
    """Up to `limit` grants of a Region that `retiring` may retire and whose ids sort after `after`."""
    statement = select(grants).where(grants.c.retiring == retiring, grants.c.region == region)
    return _page(connection, statement, after, limit)


def _page(connection: Connection, statement: Select[Any], after: str, limit: int) -> list[Grant]:
    ordered = statement.where(grants.c.grant_id > after).order_by(grants.c.grant_id).limit(limit)
    return [_grant(row) for row in connection.execute(ordered)]


def _on(key: KmsKey) -> ColumnElement[bool]:
    return (grants.c.key_id == key.key_id) & (grants.c.region == key.region)


def _grant(row: Row[Any]) -> Grant:
    retiring = None if row.retiring is None else Party(row.retiring, row.retiring_is_service)
    return Grant(
        grant_id=row.grant_id, key_id=row.key_id, region=row.region, name=row.name,
        grantee=Party(row.grantee, row.grantee_is_service), retiring=retiring,
        operations=tuple(json.loads(row.operations)), constraints=json.loads(row.constraints),
        issuing_account=row.issuing_account, created_at=row.created_at, request=row.request,
    )  # fmt: skip
