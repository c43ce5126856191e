"""Looking into a database, and questions to it about itself; none changes anything."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from pysqlite3 import dbapi2
from sqlalchemy import Connection, Engine, create_engine, event, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from kms_server.clock import real_now
from kms_server.errors import OperatorError
from kms_server.storage.database import Database
from kms_server.storage.freshness import Generation
from kms_server.storage.postgresql import postgresql_engine
from kms_server.storage.waits import Waits
from kms_server.storage.writer_lock import WriterLock


def look_into(url: str | None, data_dir: Path, scratch: Path) -> Database:
    """Open a database in which nothing can be changed; `scratch` takes what processes of a host share otherwise.

    Raises:
        OperatorError: it cannot be opened, or does not answer.
    """
    lock, generation = WriterLock(scratch / "writer.lock"), Generation(scratch / "generation")
    waits = Waits()
    if url is not None:
        engine = postgresql_engine(url, waits)

        @event.listens_for(engine, "connect")
        def only_read(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
            connection.read_only = True

        engine.dispose()
        return Database(engine, lock, generation, waits)
    return Database(_read_only(data_dir / "keys.db"), lock, generation, waits)


def _read_only(path: Path) -> Engine:
    def connect() -> Any:  # noqa: ANN401 - the driver has no types
        # With mode=ro the files beside it, which reading needs, would stay.
        place = f"file:{quote(str(path.absolute()))}?mode=rw"
        connection = dbapi2.connect(place, uri=True, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA query_only=ON")
        return connection

    engine = create_engine(
        "sqlite+pysqlite://", module=dbapi2, creator=connect, poolclass=QueuePool, hide_parameters=True
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    except DBAPIError as error:
        raise OperatorError(f"cannot open the database {path}: {error.orig}") from None
    return engine


def parameter(connection: Connection, name: str) -> str:
    """The value of a setting of PostgreSQL."""
    return str(connection.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar_one())


def time_of(connection: Connection) -> float:
    """The time of the database's own clock in epoch seconds; SQLite has none but this host's."""
    if connection.dialect.name == "sqlite":
        return real_now()
    return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


def damage(connection: Connection) -> str | None:
    """What SQLite finds wrong with the structure of its file, if anything; PostgreSQL is not asked."""
    if connection.dialect.name != "sqlite":
        return None
    found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
    return None if found == "ok" else found
