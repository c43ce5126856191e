"""A log that a real service has made, and copies of it that may be changed."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from pysqlite3 import dbapi2
from sqlalchemy import text

from kms_server.audit import event_id
from kms_server.audit.group_commit import wait
from kms_server.audit.record import to_row
from kms_server.audit.verification.delivered_files import Opener
from kms_server.audit.verification.findings import Finding, Severity
from kms_server.cli.audit_verify import Run
from kms_server.cli.operator import opened
from kms_server.config import Limits, Settings
from kms_server.server.audit_trail import journals
from kms_server.server.state import State
from kms_server.storage import trails
from tests.postgres_server import Postgres
from tests.unit.audit.test_record import event
from tests.unit.operations.service import Service

_IDENTITY = {"type": "Root", "accountId": "111122223333", "accessKeyId": "AKIA"}
# Room for a few batches in each segment.
LIMITS = Limits(segment_rows=12)


@dataclass(frozen=True)
class LogCopy:
    """The data directory of a service that does not run, and its database where that is PostgreSQL."""

    directory: Path
    postgres: Postgres | None = None
    name: str = ""

    @classmethod
    def new(cls, directory: Path, postgres: Postgres | None) -> "LogCopy":
        """An empty one."""
        name = uuid4().hex
        if postgres is not None:
            postgres.new_database(name)
        return cls(directory / name, postgres, name)

    def copy(self) -> "LogCopy":
        """Another of the same content."""
        name = uuid4().hex
        if self.postgres is not None:
            self.postgres.new_database(name, template=self.name)
        made = LogCopy(self.directory.parent / name, self.postgres, name)
        shutil.copytree(self.directory, made.directory)
        return made

    @property
    def settings(self) -> Settings:
        url = f"postgresql://kms@/{self.name}?host={self.postgres.directory}" if self.postgres else None
        return Settings(self.directory, quota_profile="unlimited", database_url=url, limits=LIMITS)

    def opened(self) -> Any:
        """The state, for as long as a block takes."""
        return opened(self.settings)

    @contextmanager
    def service(self) -> Iterator[Service]:
        """A service that runs on it, and has a checkpoint written when it ends."""
        running = Service(self.directory, LIMITS, self.settings.database_url)
        try:
            yield running
        finally:
            running.close()

    def sql(self, writer: str, *statements: str) -> None:
        """Change rows of a chain, wherever they are; `:w` in a statement is the writer."""
        for statement in statements:
            segment = self.segment(writer)
            if segment is None:
                self.main(statement, w=writer)
            else:
                with closing(dbapi2.connect(str(segment), isolation_level=None)) as vandal:
                    vandal.execute(statement, {"w": writer} if ":w" in statement else {})

    def main(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement in the shared database."""
        with self.opened() as state, state.database.engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []

    def segment(self, writer: str) -> Path | None:
        """The file of a writer that has one of its own."""
        if self.postgres is not None:
            return None
        return next(self.directory.glob(f"audit/**/{writer}.db"), None)

    def writers(self) -> dict[str, int]:
        """The chains of management events, and how long each is."""
        with self.opened() as state:
            return {writer: head.seq for writer, head in journals(state)[0].heads().items()}

    def errors(self, opener: Opener | None = None, *, log: bool = True) -> list[Finding]:
        """What `audit verify` finds wrong; trails count where their buckets are given."""
        with self.opened() as state:
            return errors(state, opener, log=log)


def errors(state: State, opener: Opener | None = None, *, log: bool = True) -> list[Finding]:
    """What `audit verify` finds wrong with a server's log."""
    with state.database.read() as connection:
        chosen = trails.every(connection) if opener else []
    found = list(Run(state, chosen, opener or _none).findings(None, None, log=log))
    assert not [one for one in found if one.severity is Severity.UNCHECKED]
    return [one for one in found if one.severity is Severity.ERROR]


def _none(_: object) -> Any:
    raise AssertionError("no trail was chosen")


def filled(directory: Path, postgres: Postgres | None) -> LogCopy:
    """A log with several writers of each kind and several checkpoints."""
    made = LogCopy.new(directory, postgres)
    for _ in range(2):
        with made.service() as service:
            key = service.key()["Arn"]
            service.ok("DisableKey", KeyId=key)
            service.ok("EnableKey", KeyId=key)
            service.refused("Encrypt", KeyId="alias/none", Plaintext=b"x")
            for _ in range(9):
                service.ok("Encrypt", KeyId=key, Plaintext=b"x", EncryptionContext={"tenant": "blue"})
                _flush(service)
    return made


def _flush(service: Service) -> None:
    """End a batch, with one more record."""
    now = service._worker.state.clock.now()
    wait(service._worker.commit.submit(to_row(event(event_id=event_id.new(now), identity=_IDENTITY))), 5)
