"""What a database that fails in the middle of something says, for the people who look after it."""

import psycopg
from pysqlite3 import dbapi2
from sqlalchemy.exc import SQLAlchemyError

_FAILURES = (SQLAlchemyError, psycopg.Error, dbapi2.Error)


def failure_of(error: BaseException) -> str | None:
    """One line, if it is a database's failure; the statement and its values are not in it."""
    if not isinstance(error, _FAILURES):
        return None
    origin = getattr(error, "orig", None) or error
    first, *_ = str(origin).splitlines() or [type(origin).__name__]
    return f"the database failed: {first.strip()}"
