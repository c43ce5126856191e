"""Engines and transactions.

SQLite in the data directory by default, PostgreSQL by URL. A write transaction raises one counter first,
which makes writers take turns on both, and stamps what it changes with it: `changes` in order of commit.
"""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pysqlite3 import dbapi2
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Select,
    create_engine,
    event,
    func,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from kms_server.errors import KMSInternalException, OperatorError
from kms_server.storage import tables
from kms_server.storage.freshness import Generation
from kms_server.storage.postgresql import postgresql_engine
from kms_server.storage.waits import Waits
from kms_server.storage.writer_lock import WriterLock

# 3.51.3 mended a corruption of the write-ahead log under concurrent checkpoints.
MINIMUM_SQLITE = (3, 51, 3)
_HUNG_AFTER = 0.75  # of the time in which a transaction must be done it may do nothing
_COUNTER = ""  # the scope whose row counts all write transactions
# The stamp of the newest write transaction.
NEWEST = select(tables.changes.c.value).where(tables.changes.c.scope == _COUNTER)
_RAISE = (
    update(tables.changes)
    .where(tables.changes.c.scope == _COUNTER)
    .values(value=tables.changes.c.value + 1)
    .returning(tables.changes.c.value)
)


def _dialect(connection: Connection) -> ModuleType:
    return sqlite if connection.dialect.name == "sqlite" else postgresql


@dataclass(frozen=True, slots=True)
class Transaction:
    """One write transaction; `stamp` is its place in the order of commits."""

    connection: Connection
    stamp: int

    def mark(self, scope: str) -> None:
        """Record that what `scope` names has changed, so that every cache drops it."""
        self._mark(self._changes().values(scope=scope, value=self.stamp))

    def mark_each(self, scopes: Select[tuple[str]]) -> None:
        """Record the same of every scope that a query with a condition finds, without reading them."""
        stamped = scopes.add_columns(literal(self.stamp))
        self._mark(self._changes().from_select(["scope", "value"], stamped))

    def _changes(self) -> Any:  # noqa: ANN401 - each dialect has an Insert of its own
        return _dialect(self.connection).insert(tables.changes)

    def _mark(self, statement: Any) -> None:  # noqa: ANN401
        self.connection.execute(
            statement.on_conflict_do_update(index_elements=["scope"], set_={"value": self.stamp})
        )


class Database:
    """Read and write transactions on one database.

    `waits` are the threads in any transaction, `writers` those in one that writes. A write that is late is undone, and
    while one is stuck no other is begun: whoever waited has been told that it failed. One that `is_shared` may be changed
    by other hosts.
    """

    def __init__(self, engine: Engine, lock: WriterLock, generation: Generation, waits: Waits) -> None:
        self.engine = engine
        # SQLite's transactions are snapshots anyway; psycopg sends the level along with BEGIN.
        postgres = engine.dialect.name == "postgresql"
        self._snapshots = engine.execution_options(isolation_level="REPEATABLE READ") if postgres else engine
        self._committed = engine.execution_options(isolation_level="READ COMMITTED") if postgres else engine
        self._lock = lock
        self.generation = generation
        self.is_shared = postgres
        self.waits, self.writers = waits, Waits()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only view: all that is read in it is of one moment."""
        with self.waits.noted(), self._snapshots.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that commits when the block ends and rolls back when it raises.

        Raises:
            KMSInternalException: writers are stuck, or it took longer than `waits` allows; nothing has changed.
        """
        with self._in_turn(), self._announced(), self._committed.connect() as plain:
            connection = plain.execution_options(kms_write=True)
            with connection.begin(), self.waits.in_time():
                yield begun(connection, *self._bounds())

    def _bounds(self) -> list[ColumnElement[str]]:
        """What has PostgreSQL end a transaction whose host has hung: those of other hosts wait for it, until they are late."""
        if not (self.is_shared and 0 < self.waits.patience < math.inf):
            return []
        milliseconds = max(1, round(self.waits.patience * _HUNG_AFTER * 1_000))
        return [func.set_config("idle_in_transaction_session_timeout", str(milliseconds), True)]  # noqa: FBT003 - PostgreSQL takes it by place: for this transaction alone

    @contextmanager
    def index(self) -> Iterator[Connection]:
        """A transaction like that of `write` for what no cache holds: objects and uploads.

        It leaves counter and generation as they are, so nobody reads anything anew for it. On PostgreSQL such
        transactions run side by side, and those that change the same key take turns by its row in `objects`.

        Raises:
            KMSInternalException: as for `write`.
        """
        with self._in_turn(), self._committed.connect() as plain:
            connection = plain.execution_options(kms_write=True)
            with connection.begin(), self.waits.in_time():
                yield connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if self.writers.longest() > self.waits.patience:
            raise KMSInternalException
        with self.waits.noted(), self.writers.noted(), self._queue():
            yield

    def _queue(self) -> AbstractContextManager[None]:
        return self._lock.held() if self.engine.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def _announced(self) -> Iterator[None]:
        self.generation.raise_()
        try:
            yield
        finally:
            self.generation.raise_()

    def erase_freed_pages(self) -> bool:
        """Empty SQLite's write-ahead log, where images of deleted rows remain until it is truncated.

        Freed pages of the file itself are overwritten at once (`secure_delete`). False: a reader was in the
        way, try again. On PostgreSQL there is nothing to do.
        """
        if self.engine.dialect.name != "sqlite":
            return True
        with self._lock.held(), self.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None  # noqa: S101 - a connection in use has its driver's
            (busy, _, _) = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def begun(connection: Connection, *bounds: ColumnElement[str]) -> Transaction:
    """A transaction of the writers' order on a connection that has begun one; `bounds` are evaluated with its first statement."""
    raised = connection.execute(_RAISE.returning(*bounds) if bounds else _RAISE)
    return Transaction(connection, raised.one()[0])


def latest_change(connection: Connection) -> int:
    """The stamp of the newest write transaction that `connection` can see."""
    newest: int = connection.execute(NEWEST).scalar_one()
    return newest


def changed_since(connection: Connection, stamp: int) -> list[str]:
    """The scopes changed after `stamp`."""
    statement = select(tables.changes.c.scope).where(tables.changes.c.value > stamp)
    return [scope for scope in connection.execute(statement).scalars() if scope != _COUNTER]


def initialise(connection: Connection) -> None:
    """Add the rows that a fresh schema needs; several servers may do so at once."""
    counter = _dialect(connection).insert(tables.changes).values(scope=_COUNTER, value=0)
    connection.execute(counter.on_conflict_do_nothing())


def take_time(connection: Connection) -> None:
    """Let a transaction run as long as it needs: what goes through a whole table, or waits for its reader."""
    if connection.dialect.name == "postgresql":
        names = ("idle_in_transaction_session_timeout", "statement_timeout")
        connection.execute(select(*(func.set_config(name, "0", true()) for name in names)))


def open_database(url: str | None, data_dir: Path, state_dir: Path) -> Database:
    """Open the database at `url`, or the embedded one in `data_dir`.

    Raises:
        DatabaseDown: it does not answer.
        OperatorError: the database cannot be used, or the SQLite library is too old.
    """
    lock = WriterLock(state_dir / "writer.lock")
    generation = Generation(state_dir / "generation")
    waits = Waits()
    engine = _sqlite(data_dir / "keys.db") if url is None else postgresql_engine(url, waits)
    return Database(engine, lock, generation, waits)


def _sqlite(path: Path) -> Engine:
    if dbapi2.sqlite_version_info < MINIMUM_SQLITE:
        wanted = ".".join(map(str, MINIMUM_SQLITE))
        raise OperatorError(
            f"the SQLite library is {dbapi2.sqlite_version}, but {wanted} or newer is needed: upgrade pysqlite3"
        )
    try:
        path.touch(mode=0o600)
    except OSError as error:
        raise OperatorError(f"cannot open the database {path}: {error.strerror}") from None
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        module=dbapi2,
        pool_size=16,
        max_overflow=16,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: dbapi2.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON",
                       "busy_timeout=10000", "temp_store=MEMORY"):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("kms_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    try:
        with engine.connect():
            pass
    except DBAPIError as error:
        raise OperatorError(
            f"cannot open the database {path}: {error.orig}; where it is damaged, restore it from a backup"
        ) from None
    return engine
