"""Whether this worker can serve."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from kms_server.audit.group_commit import GroupCommit
from kms_server.storage.database import Database, latest_change

_SLOW_WRITE = 2.0


@dataclass(frozen=True, slots=True)
class Health:
    """Checks that say what is wrong, or None."""

    checks: tuple[Callable[[], str | None], ...]

    @classmethod
    def of(cls, database: Database, *commits: GroupCommit) -> "Health":
        """The checks of a worker: its database and its audit logs."""

        def database_answers() -> str | None:
            try:
                with database.read() as connection:
                    latest_change(connection)
            except SQLAlchemyError:
                return "the database does not answer"
            return None

        def log_is_written(commit: GroupCommit) -> str | None:
            if commit.stuck_for() > _SLOW_WRITE:
                return "the audit log's disk does not answer"
            return f"the audit log cannot be written: {commit.last_error}" if commit.last_error else None

        return cls((database_answers, *(partial(log_is_written, commit) for commit in commits)))

    def problems(self) -> list[str]:
        """What is wrong now; empty when the worker is ready."""
        return [problem for check in self.checks if (problem := check()) is not None]
