"""Databases as large as years of use make them, filled in bulk.

Rows go in by the thousands, where a server would make them one by one; else they are what it makes: material is wrapped
under the root key, the counts beside the rows are right, scopes are marked as changed, records are chained.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain, islice
from typing import Any

from sqlalchemy import Table, insert

from bench.audit_rows import ACCOUNT, REGION, rows
from kms_server.arn import root_arn
from kms_server.audit.chain import COLUMNS, extended
from kms_server.audit.ledger import MAIN
from kms_server.audit.record import Row
from kms_server.audit.sealing import seal
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.table_log import TableLog
from kms_server.iam.key_policies import default_key_policy
from kms_server.keys import specs
from kms_server.keys.identifiers import new_key_id
from kms_server.keys.key import AWS_KMS, KmsKey
from kms_server.keys.states import KeyState
from kms_server.operations import material
from kms_server.quotas import subjects
from kms_server.quotas.table import GRANTS, KEYS
from kms_server.root_keys.ring import RootKeys
from kms_server.server.state import State
from kms_server.storage import aliases, audit_writers, grants, limits, tables
from kms_server.storage.audit_tables import audit_events
from kms_server.storage.database import Transaction
from kms_server.storage.limits import SetLimit
from kms_server.storage.scopes import key_scope

_BATCH = 5_000
_RECORDS = 512
_PLENTY = 1e6
_CREATED_AT = 1_700_000_000.0
_OPERATIONS = ("Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey")
_MODEL = KmsKey(
    key_id="", account=ACCOUNT, region=REGION, spec=specs.SYMMETRIC_DEFAULT.name, usage=specs.ENCRYPT,
    origin=AWS_KMS, manager="CUSTOMER", state=KeyState.ENABLED, description="one of many",
    policy=default_key_policy(ACCOUNT), created_at=_CREATED_AT,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each there are; a quarter of the records is in the database, as those of mutations are."""

    keys: int = 100_000
    aliases: int = 500_000
    tags: int = 500_000
    grants: int = 50_000
    records: int = 1_000_000


def fill(state: State, size: Size) -> list[str]:
    """Fill a database in which nothing but its first start has happened; the ids of its keys, the first with the grants."""
    key_ids = sorted(new_key_id() for _ in range(size.keys))
    with state.database.write() as tx:
        _make_room(tx)
        _add_keys(tx, state.root_key, key_ids)
        _add_labels(tx, key_ids, size)
        _add_grants(tx, key_ids[0], size.grants)
        _mark(tx, key_ids, size)
        _raise_quotas(tx)
    if size.records:
        _add_records(state, size.records)
    return key_ids


def alias(number: int) -> str:
    """The name of the alias of that number."""
    return f"alias/many-{number:07}"


def grantee(number: int) -> str:
    """Who has the grant of that number: a session of a user who needs not exist."""
    return f"arn:aws:sts::{ACCOUNT}:federated-user/grantee-{number:06}"


def grant_id(number: int) -> str:
    """The id of the grant of that number."""
    return sha256(f"grant {number}".encode()).hexdigest()


def _make_room(tx: Transaction) -> None:
    """Let SQLite keep in memory what is filled; the connection ends with the filling."""
    if tx.connection.dialect.name == "sqlite":
        tx.connection.exec_driver_sql("PRAGMA cache_size=-400000")


def _insert(tx: Transaction, table: Table, values: Iterable[Mapping[str, Any]]) -> None:
    remaining = iter(values)
    while batch := list(islice(remaining, _BATCH)):
        tx.connection.execute(insert(table), batch)


def _add_keys(tx: Transaction, root: RootKeys, key_ids: Sequence[str]) -> None:
    made = [replace(_MODEL, key_id=one) for one in key_ids]
    _insert(tx, tables.key_ids, ({"key_id": one, "account": ACCOUNT} for one in key_ids))
    _insert(tx, tables.keys, (_values(tables.keys, key) for key in made))
    _insert(tx, tables.backing_keys, (_version(key, root) for key in made))
    _insert(tx, tables.key_counts, [{"account": ACCOUNT, "region": REGION, "keys": len(key_ids)}])


def _version(key: KmsKey, root: RootKeys) -> dict[str, Any]:
    first = material.first(key, root, specs.SYMMETRIC_DEFAULT.type.generate())
    return _values(tables.backing_keys, first) | {"key_id": key.key_id, "region": key.region}


def _values(table: Table, row: object) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in table.columns if hasattr(row, column.name)}


def _add_labels(tx: Transaction, key_ids: Sequence[str], size: Size) -> None:
    """Aliases and tags, as many on each key."""
    place = {"account": ACCOUNT, "region": REGION, "created_at": _CREATED_AT, "updated_at": _CREATED_AT}
    many = len(key_ids)
    named = (
        place | {"name": alias(number), "key_id": key_ids[number * many // size.aliases]}
        for number in range(size.aliases)
    )
    _insert(tx, tables.aliases, named)
    tagged = (
        {
            "key_id": key_ids[number * many // size.tags], "region": REGION, "tag_key": f"tag-{number:07}",
            "tag_value": "one of many",
        }
        for number in range(size.tags)
    )  # fmt: skip
    _insert(tx, tables.tags, tagged)


def _add_grants(tx: Transaction, key_id: str, count: int) -> None:
    retiring = root_arn(ACCOUNT)
    place = {
        "key_id": key_id, "region": REGION, "name": None, "grantee_is_service": False, "retiring": retiring,
        "retiring_is_service": False, "retiring_key": retiring, "operations": json.dumps(_OPERATIONS),
        "constraints": "{}", "issuing_account": ACCOUNT, "created_at": _CREATED_AT, "request": None,
    }  # fmt: skip
    granted = (
        place | {"grant_id": grant_id(number), "grantee": grantee(number), "grantee_key": grantee(number)}
        for number in range(count)
    )
    _insert(tx, tables.grants, granted)
    _insert(tx, tables.grant_counts, [{"key_id": key_id, "region": REGION, "grants": count}])


def _mark(tx: Transaction, key_ids: Sequence[str], size: Size) -> None:
    """Every scope has changed once, as in the transactions that would have made these rows."""
    scopes = chain(
        (aliases.scope(ACCOUNT, REGION, alias(number)) for number in range(size.aliases)),
        (grants.scope(key_ids[0], REGION, grantee(number)) for number in range(size.grants)),
        (key_scope(one, REGION) for one in key_ids),
    )
    _insert(tx, tables.changes, ({"scope": one, "value": tx.stamp} for one in scopes))


def _raise_quotas(tx: Transaction) -> None:
    """Let there be more of what there is as much of as AWS allows."""
    for quota in (KEYS, GRANTS):
        limits.put(tx, SetLimit(subjects.of_quota(ACCOUNT, REGION, quota), _PLENTY, None))


def _add_records(state: State, count: int) -> None:
    """Records of 80 days: a quarter in the database, the rest where this server's workers keep theirs."""
    in_database = count // 4
    generated = rows(count)
    for batch in _batches(islice(generated, in_database), _BATCH):
        with state.database.write() as tx:
            _make_room(tx)
            head = audit_writers.head(tx.connection, MAIN)
            made = extended(state.chain_key, MAIN, head, batch)
            _insert(tx, audit_events, (dict(zip(COLUMNS, row, strict=True)) for row in made.rows))
            audit_writers.move(tx.connection, MAIN, head, made.head, is_data=False)
    settings = state.settings
    embedded = settings.database_url is None
    log = (
        SegmentLog(settings.audit_dir, settings.limits, state.chain_key)
        if embedded
        else TableLog(state.database.engine, audit_events, state.chain_key)
    )
    for batch in _batches(generated, _RECORDS):
        log.append(batch)
    log.close()
    if embedded:
        seal(settings.audit_dir)


def _batches(generated: Iterable[Row], size: int) -> Iterator[list[Row]]:
    remaining = iter(generated)
    while batch := list(islice(remaining, size)):
        yield batch
