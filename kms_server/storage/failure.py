"""What a database that fails in the middle of something says, for the people who look after it."""

import psycopg
from pysqlite3 import dbapi2
from sqlalchemy.exc import DBAPIError

# All other errors of a driver are mistakes in what it was asked, and may quote that.
_FAILURES = tuple(
    kind
    for driver in (psycopg, dbapi2)
    for kind in (driver.OperationalError, driver.InterfaceError, driver.InternalError)
)
_DAMAGED = dbapi2.DatabaseError  # itself: no subclass


def failure_of(error: BaseException) -> str | None:
    """One line, if it is a database's failure; the statement and its values are not in it."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(origin, _FAILURES) and type(origin) is not _DAMAGED:
        return None
    first, *_ = str(origin).splitlines() or [type(origin).__name__]
    return f"the database failed: {first.strip()}"
