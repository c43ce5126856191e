"""All rows of a database, out of one view of it and into an empty one: of either kind, whatever kind they come from."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import psycopg
from pysqlite3 import dbapi2
from sqlalchemy import Boolean, Column, Connection, Double, Integer, LargeBinary, Table, inspect

from kms_server.errors import OperatorError
from kms_server.storage import copy_text, schema_version, tables
from kms_server.storage.audit_tables import audit_metadata
from kms_server.storage.copy_text import BadRow

_METADATA = tables.settings.metadata  # to which all tables belong but those of the log
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_KINDS = (
    (Boolean, copy_text.BOOLEAN),
    (Integer, copy_text.INTEGER),
    (Double, copy_text.REAL),
    (LargeBinary, copy_text.BYTES),
)


class Shape(NamedTuple):
    """A table: its name, and of its columns the names and the kinds."""

    name: str
    columns: Sequence[str]
    kinds: Sequence[str]


def shapes() -> list[Shape]:
    """All tables of this program's schema; a table comes after those that it refers to."""
    return [shape_of(table) for table in (*_METADATA.sorted_tables, *audit_metadata.sorted_tables)]


def shape_of(table: Table) -> Shape:
    """The shape of a table, without what the database works out by itself."""
    kept = [one for one in table.columns if one.computed is None]
    return Shape(table.name, [one.name for one in kept], [kind_of(one) for one in kept])


def kind_of(column: Column[Any]) -> str:
    """The kind of a column."""
    return next((kind for one, kind in _KINDS if isinstance(column.type, one)), copy_text.TEXT)


def size_of(connection: Connection) -> int:
    """About how many bytes a database has, its indexes among them."""
    if connection.dialect.name == "sqlite":
        pages, size = (
            connection.exec_driver_sql(f"PRAGMA {one}").scalar_one() for one in ("page_count", "page_size")
        )
        return int(pages * size)
    return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())


def dump(connection: Connection, shape: Shape) -> Iterator[bytes]:
    """Blocks of rows, as `copy_text` has them.

    Raises:
        OperatorError: they cannot be read, or a value is of another kind than its column.
    """
    try:
        yield from _rows(connection, shape)
    except BadRow as error:
        raise OperatorError(
            f"a row of {shape.name} has what no server writes: {error}; run `kms-server audit verify`"
        ) from None
    except (psycopg.Error, dbapi2.Error) as error:
        raise OperatorError(f"the table {shape.name} cannot be read: {_said(error)}") from None


def _rows(connection: Connection, shape: Shape) -> Iterator[bytes]:
    names, driver = _names(shape.columns), _driver(connection)
    if connection.dialect.name == "postgresql":
        with driver.cursor() as cursor:
            cursor.execute("SET LOCAL bytea_output = 'hex'")
            cursor.execute("SET LOCAL extra_float_digits = 1")
            with cursor.copy(f'COPY "{shape.name}" ({names}) TO STDOUT') as rows:
                yield from copy_text.joined(map(bytes, rows))
        return
    yield from copy_text.encoded(driver.execute(f'SELECT {names} FROM "{shape.name}"'), shape.kinds)  # noqa: S608 - names of our own


def _said(error: Exception) -> str:
    return str(error).partition("\n")[0]


def sequence(connection: Connection, name: str) -> int | None:
    """The highest number that a table that numbers its own rows has given; None: it has given none, or numbers none."""
    driver = _driver(connection)
    if connection.dialect.name == "sqlite":
        found = driver.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None
    column = _numbered(name)
    if column is None:
        return None
    found = driver.execute(
        f"SELECT last_value, is_called FROM {_sequence_of(connection, name, column)}"  # noqa: S608 - what the catalogue says
    ).fetchone()
    return found[0] if found[1] else None


def is_empty(connection: Connection) -> bool:
    """Whether a database has no tables."""
    return not inspect(connection).get_table_names()


def clear(connection: Connection) -> None:
    """Remove the rows that a fresh schema has: migrations add AWS's own policies."""
    names = [name for name in inspect(connection).get_table_names() if name != schema_version.TABLE]
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"TRUNCATE {_names(names)}")
        return
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    for name in names:
        connection.exec_driver_sql(f'DELETE FROM "{name}"')  # noqa: S608 - what the schema says


def load(connection: Connection, shape: Shape, blocks: Iterable[bytes], kept: int | None = None) -> None:
    """Add rows to a table; `kept` is what `sequence` told of it.

    Raises:
        BadRow: they are not rows of that table.
    """
    _check(connection, shape)
    try:
        _add(connection, shape, blocks)
        _go_on(connection, shape.name, kept)
    except (psycopg.Error, dbapi2.Error) as error:
        raise BadRow(_said(error)) from None


def _add(connection: Connection, shape: Shape, blocks: Iterable[bytes]) -> None:
    driver, names = _driver(connection), _names(shape.columns)
    if connection.dialect.name == "postgresql":
        with driver.cursor() as cursor, cursor.copy(f'COPY "{shape.name}" ({names}) FROM STDIN') as copy:
            for block in blocks:
                copy.write(block)
    else:
        marks = ", ".join("?" * len(shape.columns))
        for block in blocks:
            rows = copy_text.decoded(block, shape.kinds)
            driver.executemany(f'INSERT INTO "{shape.name}" ({names}) VALUES ({marks})', rows)  # noqa: S608


def _go_on(connection: Connection, name: str, kept: int | None) -> None:
    """Have a table number its next rows behind those that it has, and behind `kept`."""
    column = _numbered(name)
    if column is None:
        return
    driver = _driver(connection)
    (highest,) = driver.execute(f'SELECT coalesce(max("{column}"), 0) FROM "{name}"').fetchone()  # noqa: S608
    last = max(highest, kept or 0)
    if connection.dialect.name == "postgresql":
        if last:
            driver.execute(f"SELECT setval('{_sequence_of(connection, name, column)}', {last})")
    elif _METADATA.tables[name].dialect_options["sqlite"]["autoincrement"]:
        driver.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        driver.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, last))


def _sequence_of(connection: Connection, table: str, column: str) -> str:
    found = _driver(connection).execute(f"SELECT pg_get_serial_sequence('{table}', '{column}')").fetchone()
    return str(found[0])


def _numbered(name: str) -> str | None:
    table = _METADATA.tables.get(name)
    column = None if table is None else table.autoincrement_column
    return None if column is None else column.name


def _check(connection: Connection, shape: Shape) -> None:
    if not all(map(_NAME.fullmatch, (shape.name, *shape.columns))) or len(shape.columns) != len(shape.kinds):
        raise BadRow("a table has a name that no server gives")
    known = {one["name"] for one in inspect(connection).get_columns(shape.name)}
    if not known.issuperset(shape.columns):
        raise BadRow(f"the table {shape.name} has other columns")


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{one}"' for one in columns)


def _driver(connection: Connection) -> Any:  # noqa: ANN401 - each driver has its own
    return connection.connection.driver_connection
