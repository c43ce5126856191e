"""Real SQLite whose statements and commits fail when a test says so, before they have their effect or after."""

import threading
from collections.abc import Callable
from enum import Enum
from typing import Any

from pysqlite3 import dbapi2
from sqlalchemy import event

from kms_server.storage.database import Database


class At(Enum):
    """What fails: a statement, a commit that does not happen, or one that does and whose answer is lost."""

    STATEMENT = "statement"
    COMMIT = "commit"
    AFTER_COMMIT = "after commit"


class Faults:
    """Fails one step of the thread that arms it: the statement of a number (from 0), or the next commit of a change."""

    def __init__(self, database: Database) -> None:
        self._thread = 0
        self._at: At | None = None
        self._left = 0
        faults = self

        class Cursor(dbapi2.Cursor):  # type: ignore[misc]  # the driver has no types
            def execute(self, *arguments: Any) -> Any:
                return faults._statement(lambda: super(Cursor, self).execute(*arguments))

            def executemany(self, *arguments: Any) -> Any:
                return faults._statement(lambda: super(Cursor, self).executemany(*arguments))

        class Connection(dbapi2.Connection):  # type: ignore[misc]
            def cursor(self, *_: Any) -> Any:
                return super().cursor(Cursor)

            def commit(self) -> None:
                faults._commit(super().commit, writes=self.in_transaction and self.total_changes > 0)

        @event.listens_for(database.engine, "do_connect")
        def connect(dialect: Any, _record: object, arguments: Any, named: Any) -> Any:
            return dialect.loaded_dbapi.connect(*arguments, factory=Connection, **named)

        database.engine.dispose()

    def arm(self, at: At, number: int = 0) -> None:
        """Fail once."""
        self._thread, self._at, self._left = threading.get_ident(), at, number

    def disarm(self) -> bool:
        """Fail no more; whether it did."""
        failed, self._at = self._at is None, None
        return failed

    def _is_due(self, *kinds: At) -> bool:
        return self._at in kinds and self._thread == threading.get_ident()

    def _fail(self) -> None:
        self._at = None
        raise dbapi2.OperationalError("disk I/O error")

    def _statement(self, go: Callable[[], Any]) -> Any:
        if self._is_due(At.STATEMENT):
            if self._left == 0:
                self._fail()
            self._left -= 1
        return go()

    def _commit(self, go: Callable[[], None], *, writes: bool) -> None:
        due = writes and self._is_due(At.COMMIT, At.AFTER_COMMIT)
        if due and self._at is At.COMMIT:
            self._fail()
        go()
        if due:
            self._fail()
