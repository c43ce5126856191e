"""Requests for quota increases. Ids are in the order of time; an account has one open request per quota and Region."""

from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from kms_server.storage.database import Transaction
from kms_server.storage.limit_tables import quota_requests

PENDING, APPROVED, DENIED = "PENDING", "APPROVED", "DENIED"


@dataclass(frozen=True, slots=True)
class QuotaRequest:
    """One request; times are epoch seconds, `requester` is JSON with the account and the ARN of the caller."""

    request_id: str
    account: str
    region: str
    service: str
    quota_id: str
    desired: float
    status: str
    created_at: float
    updated_at: float
    requester: str


_COLUMNS = quota_requests.c


def add(tx: Transaction, request: QuotaRequest) -> None:
    """Store a new request."""
    row = {one.name: getattr(request, one.name) for one in fields(QuotaRequest)}
    tx.connection.execute(insert(quota_requests), row)


def settle(tx: Transaction, request_id: str, status: str, now: float) -> bool:
    """Decide about a request; False when it is not open."""
    settled = tx.connection.execute(
        update(quota_requests)
        .where(_COLUMNS.request_id == request_id, _COLUMNS.status == PENDING)
        .values(status=status, updated_at=now)
    )
    return settled.rowcount > 0


def forget(tx: Transaction, account: str, region: str, before: float) -> None:
    """Remove the settled requests of an account and Region that were made before a time."""
    tx.connection.execute(
        delete(quota_requests).where(
            *_of(account, region), _COLUMNS.created_at < before, _COLUMNS.status != PENDING
        )
    )


def get(connection: Connection, request_id: str) -> QuotaRequest | None:
    """A request by its id."""
    found = _where(connection, _COLUMNS.request_id == request_id)
    return found[0] if found else None


def is_open(connection: Connection, account: str, region: str, quota_id: str) -> bool:
    """Whether a request for a quota waits for its decision."""
    return bool(
        _where(connection, *_of(account, region), _COLUMNS.quota_id == quota_id, _COLUMNS.status == PENDING)
    )


def page(
    connection: Connection, account: str, region: str, since: float, after: str, count: int, **wanted: str | None
) -> list[QuotaRequest]:  # fmt: skip
    """Up to `count` requests of an account and Region, made since a time, whose ids follow `after`.

    `wanted` are members that they have, such as `status`; None is any.
    """
    filters = [_COLUMNS[name] == value for name, value in wanted.items() if value is not None]
    return _where(
        connection, *_of(account, region), _COLUMNS.created_at >= since, _COLUMNS.request_id > after,
        *filters, count=count,
    )  # fmt: skip


def every(connection: Connection) -> list[QuotaRequest]:
    """All requests of all accounts."""
    return _where(connection)


def _of(account: str, region: str) -> tuple[ColumnElement[bool], ...]:
    return _COLUMNS.account == account, _COLUMNS.region == region


def _where(
    connection: Connection, *conditions: ColumnElement[bool], count: int | None = None
) -> list[QuotaRequest]:
    columns = [_COLUMNS[one.name] for one in fields(QuotaRequest)]
    found = select(*columns).where(*conditions).order_by(_COLUMNS.request_id).limit(count)
    return [QuotaRequest(*row) for row in connection.execute(found)]
