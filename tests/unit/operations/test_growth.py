"""What a call or a job costs does not grow with keys, aliases, tags and grants.

On SQLite that shows by the steps of its virtual machine, which are the same on every machine; the depth of a tree is not
among them. PostgreSQL tells how it would find the rows.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, select, text

from bench.filled import Size, alias, fill, grantee
from kms_server.arn import key_arn, root_arn
from kms_server.audit.ledger import Ledger
from kms_server.clock import DAY
from kms_server.operations import lifecycle
from kms_server.operations.lifecycle import Lifecycle
from kms_server.storage import aliases, grants, keys, tables
from tests.databases import new_url
from tests.postgres_server import Postgres
from tests.unit.operations.service import ACCOUNT, REGION, Service

FEW = Size(keys=40, aliases=80, tags=80, grants=20, records=0)
MANY = Size(keys=1_000, aliases=2_000, tags=2_000, grants=1_000, records=0)
ROOT = root_arn(ACCOUNT)
PAGE = 5
SLACK = 100  # a thousand rows would be thousands of steps
BIG = ("keys", "key_ids", "backing_keys", "aliases", "tags", "grants", "changes")
# Dates that have passed are nothing to a key that is disabled.
DISABLE = """
UPDATE keys SET state = 'Disabled', rotation_period_days = 90, next_rotation_at = 1, scheduled_rotation_at = 1
WHERE key_id > :first
"""


class Grown:
    """A service on a database that was filled."""

    def __init__(self, directory: Path, size: Size, url: str | None = None) -> None:
        self.service = Service(directory, url=url)
        self.state = self.service._worker.state
        key_ids = fill(self.state, size)
        enabled = key_ids[: size.keys // 2]
        self.granted, self.used, *self._unused = enabled
        with self.state.database.write() as tx:
            tx.connection.execute(text(DISABLE), {"first": enabled[-1]})

    def ok(self, operation: str, /, **members: Any) -> dict[str, Any]:
        """The answer of a call of the root's."""
        return self.service.ok(operation, **members)

    def new(self) -> str:
        """A key that was not used before."""
        return self._unused.pop()

    def grant(self) -> dict[str, str]:
        """A grant more, as requests name it."""
        made = self.ok("CreateGrant", KeyId=self.granted, GranteePrincipal=ROOT, Operations=["Encrypt"])
        return {"KeyId": key_arn(REGION, ACCOUNT, self.granted), "GrantId": made["GrantId"]}

    def alias(self) -> str:
        """The name of an alias more."""
        name = f"alias/{uuid4()}"
        self.ok("CreateAlias", AliasName=name, TargetKeyId=self.used)
        return name

    def delete_key(self) -> None:
        """Delete a key at its date."""
        key_id = self.ok("CreateKey")["KeyMetadata"]["KeyId"]
        self.ok("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
        with self.state.database.write() as tx:
            key = keys.get(tx.connection, key_id, REGION)
            assert key is not None
            keys.remove(tx, key, 1.0)

    def replicate(self) -> None:
        """Make a multi-Region key of two members."""
        key_id = self.ok("CreateKey", MultiRegion=True)["KeyMetadata"]["KeyId"]
        self.ok("ReplicateKey", KeyId=key_id, ReplicaRegion="eu-west-1")
        self.ok("UpdatePrimaryRegion", KeyId=key_id, PrimaryRegion="eu-west-1")

    def rotate(self) -> None:
        """Rotate a key in every way."""
        key_id = self.new()
        self.ok("EnableKeyRotation", KeyId=key_id)
        self.ok("RotateKeyOnDemand", KeyId=key_id)
        self.ok("ListKeyRotations", KeyId=key_id)

    def run_due(self) -> None:
        """Look for what is due."""
        state = self.state
        work = Lifecycle(state.database, state.root_key, state.clock, Ledger(state.chain_key))
        assert work.run_due() == 0

    def next_due(self) -> None:
        """Look for what the clock would stop at, which is nothing."""
        with self.state.database.read() as connection:
            assert keys.next_due(connection, self.state.clock.now()) is None

    def regions(self) -> None:
        """Where the account has keys, and where it has an alias."""
        with self.state.database.read() as connection:
            assert REGION in list(keys.regions_of_account(connection, ACCOUNT))
            assert aliases.regions(connection, ACCOUNT, alias(1)) == [REGION]


CALLS: Mapping[str, Callable[[Grown], object]] = {
    "create a key": lambda one: one.ok("CreateKey"),
    "describe a key": lambda one: one.ok("DescribeKey", KeyId=one.new()),
    "encrypt with a new key": lambda one: one.ok("Encrypt", KeyId=one.new(), Plaintext=b"x"),
    "switch a key": lambda one: (one.ok("DisableKey", KeyId=one.used), one.ok("EnableKey", KeyId=one.used)),
    "rotate": Grown.rotate,
    "replicate": Grown.replicate,
    "delete a key": Grown.delete_key,
    "list keys": lambda one: one.ok("ListKeys", Limit=PAGE),
    "create an alias": Grown.alias,
    "move an alias": lambda one: one.ok("UpdateAlias", AliasName=one.alias(), TargetKeyId=one.new()),
    "delete an alias": lambda one: one.ok("DeleteAlias", AliasName=one.alias()),
    "use an alias": lambda one: one.ok("Encrypt", KeyId=one.alias(), Plaintext=b"x"),
    "list aliases": lambda one: one.ok("ListAliases", Limit=PAGE),
    "list aliases of a key": lambda one: one.ok("ListAliases", KeyId=one.new()),
    "tag": lambda one: one.ok("TagResource", KeyId=one.used, Tags=[{"TagKey": "a", "TagValue": "b"}]),
    "untag": lambda one: one.ok("UntagResource", KeyId=one.used, TagKeys=["a"]),
    "list tags": lambda one: one.ok("ListResourceTags", KeyId=one.new()),
    "list grants": lambda one: one.ok("ListGrants", KeyId=one.granted, Limit=PAGE),
    "list grants of a grantee": lambda one: one.ok("ListGrants", KeyId=one.granted, GranteePrincipal=grantee(3)),
    "list grants to retire": lambda one: one.ok("ListRetirableGrants", RetiringPrincipal=ROOT, Limit=PAGE),
    "retire a grant": lambda one: one.ok("RetireGrant", **one.grant()),
    "revoke a grant": lambda one: one.ok("RevokeGrant", **one.grant()),
    "look for what is due": Grown.run_due,
    "look for the next date": Grown.next_due,
    "find Regions": Grown.regions,
}  # fmt: skip


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    made = Grown(tmp_path_factory.mktemp("few") / "data", FEW)
    yield made
    made.service.close()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    made = Grown(tmp_path_factory.mktemp("many") / "data", MANY)
    yield made
    made.service.close()


def steps(one: Grown, call: Callable[[Grown], object]) -> int:
    """The steps that SQLite takes in this thread for a call that comes the second time."""
    counted, thread = 0, threading.get_ident()

    def count() -> int:
        nonlocal counted
        counted += threading.get_ident() == thread
        return 0

    def watch(connection: Any, *_: object) -> None:
        connection.set_progress_handler(count, 1)

    def leave(connection: Any, *_: object) -> None:
        connection.set_progress_handler(None, 0)

    call(one)
    pool = one.state.database.engine.pool
    with _listening(pool, checkout=watch, checkin=leave):
        call(one)
    return counted


@contextmanager
def _listening(target: Any, **listeners: Callable[..., None]) -> Iterator[None]:
    for name, listener in listeners.items():
        event.listen(target, name, listener)
    yield
    for name, listener in listeners.items():
        event.remove(target, name, listener)


@pytest.mark.parametrize("what", CALLS)
def test_a_call_takes_as_many_steps_in_a_large_database(few: Grown, many: Grown, what: str) -> None:
    usual = steps(few, CALLS[what])
    assert usual > 0
    assert steps(many, CALLS[what]) <= usual + SLACK


def test_a_key_of_many_grants_is_deleted_in_steps(few: Grown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "_GRANTS_AT_ONCE", 8)
    key_id = few.new()
    for number in range(20):
        few.ok("CreateGrant", KeyId=key_id, GranteePrincipal=grantee(number), Operations=["Encrypt"])
    few.ok("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    few.service.advance(7 * DAY)
    assert few.service.refused("CancelKeyDeletion", KeyId=key_id).code == "NotFoundException"
    assert few.service.refused("DescribeKey", KeyId=key_id).code == "NotFoundException"
    scope = tables.changes.c.scope.startswith(grants.scope(key_id, REGION, ""))
    stamps = select(tables.changes.c.value).where(scope)
    with few.state.database.read() as connection:
        found = Counter(connection.execute(stamps).scalars())
        assert (
            connection.execute(select(tables.grants).where(tables.grants.c.key_id == key_id)).first() is None
        )
    assert sorted(found.values()) == [4, 8, 8]


@pytest.fixture(scope="module")
def on_postgresql(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    made = Grown(tmp_path_factory.mktemp("postgresql") / "data", MANY, new_url(postgres))
    with made.state.database.engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    # Who has not looked since all this was made reads nearly all of what changed.
    made.ok("ListKeys", Limit=1)
    yield made
    made.service.close()


@pytest.mark.parametrize("what", CALLS)
def test_postgresql_goes_through_no_large_table(on_postgresql: Grown, what: str) -> None:
    engine = on_postgresql.state.database.engine
    asked: dict[str, Any] = {}
    thread = threading.get_ident()

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if threading.get_ident() == thread:
            asked[statement] = parameters[0] if isinstance(parameters, list) else parameters

    with _listening(engine, before_cursor_execute=note):
        CALLS[what](on_postgresql)
    assert asked
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        plans = [
            "\n".join(row[0] for row in raw.execute(f"EXPLAIN {sql}", given)) for sql, given in asked.items()
        ]
    whole = re.compile(rf"Seq Scan on ({'|'.join(BIG)})\b")
    assert [plan for plan in plans if whole.search(plan)] == []
