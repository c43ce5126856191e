"""Which failures of a transaction say nothing against running it again, as a whole."""

from sqlalchemy.exc import DBAPIError, IntegrityError

# serialization_failure, deadlock_detected (PostgreSQL, appendix A): nothing of the transaction has happened.
_UNDONE = frozenset({"40001", "40P01"})


def was_undone(error: DBAPIError) -> bool:
    """Whether the database has undone a transaction because others were in its way."""
    return getattr(error.orig, "sqlstate", None) in _UNDONE


def may_pass(error: DBAPIError) -> bool:
    """Whether the same may succeed where it skips what is stored already: the connection was lost, too, or rows are there."""
    return error.connection_invalidated or was_undone(error) or isinstance(error, IntegrityError)
