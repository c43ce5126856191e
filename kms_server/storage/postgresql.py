"""Connections to PostgreSQL: how long they may take, and what is told when the first one fails."""

import re
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from kms_server.errors import DatabaseDown, DatabaseRefuses, OperatorError
from kms_server.storage.patient_connection import PatientConnection
from kms_server.storage.waits import Waits

# A host that has gone must not keep its connections for good. What the URL says goes before.
_CONNECTING = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "tcp_user_timeout": "30000",
}
# Nor must a host that is paused in a transaction keep the others from theirs, or a statement run for good.
_SESSION = "-c idle_in_transaction_session_timeout=15s -c lock_timeout=20s -c statement_timeout=60s"

# What waiting cannot mend. A connection that fails has no SQLSTATE; in other languages than English it is waited for.
_REFUSED = re.compile(
    r'FATAL: .*(role|database) ".*" does not exist|password authentication failed|no pg_hba\.conf entry'
    r"|no password supplied|unrecognized configuration parameter|^connection is bad: invalid "
)
_SECRETS = ("password", "sslpassword")  # where a URL may have them beside the one that is hidden


def postgresql_engine(url: str, waits: Waits) -> Engine:
    """Connections to a PostgreSQL database, no more patient than `waits`.

    Raises:
        DatabaseDown: it does not answer, or not yet.
        DatabaseRefuses: it lets nobody in with this URL.
        OperatorError: it is no URL of one.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise OperatorError("--database-url is not a URL: use postgresql://USER@HOST:PORT/DATABASE") from None
    if parsed.get_backend_name() != "postgresql":
        raise OperatorError(
            "--database-url must begin with postgresql://; leave it out for the embedded store"
        )
    given = parsed.query.get("options", ())
    options = " ".join((_SESSION, *((given,) if isinstance(given, str) else given)))  # the last one counts
    query = {**_CONNECTING, **parsed.query, "options": options}
    url_with_times = parsed.set(drivername="postgresql+psycopg", query=query)
    engine = create_engine(
        url_with_times, pool_size=16, max_overflow=16, pool_pre_ping=True, hide_parameters=True
    )

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, arguments: list[str], named: dict[str, Any]) -> object:
        connection = PatientConnection.connect(*arguments, **named)
        connection.waits = waits
        return connection

    try:
        with engine.connect():
            pass
    except SQLAlchemyError as error:
        raise _unusable(parsed, error) from None
    return engine


def _unusable(url: URL, error: SQLAlchemyError) -> OperatorError:
    """What a first connection that failed says, without what the URL has of secrets."""
    shown = url.difference_update_query(_SECRETS).render_as_string(hide_password=True)
    origin = error.orig if isinstance(error, DBAPIError) else error
    first = type(origin).__name__
    if isinstance(origin, psycopg.Error):  # others may quote the whole URL
        first, *_ = str(origin).splitlines() or [first]
    if isinstance(origin, psycopg.OperationalError) and _REFUSED.search(first) is None:
        return DatabaseDown(f"the database at {shown} does not answer: {first}; check the URL and the server")
    kind = DatabaseRefuses if isinstance(origin, psycopg.OperationalError) else OperatorError
    return kind(f"the database at {shown} cannot be used: {first}")
