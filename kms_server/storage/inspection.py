"""Questions to a database about itself; none changes anything."""

from sqlalchemy import Connection, func, select, text

from kms_server.clock import real_now


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
