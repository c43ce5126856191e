"""All checks, by the names that people and programs know them by."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy.exc import SQLAlchemyError

from kms_server.diagnosis import in_words
from kms_server.doctor import host, service
from kms_server.doctor.deployment import Deployment
from kms_server.doctor.findings import Finding, Findings, NotLookedAt, problem

Check: TypeAlias = Callable[[Deployment], Findings]

CHECKS: Mapping[str, Check] = {
    "data-directory": host.data_directory,
    "root-key-file": host.root_key_file,
    "root-key": host.root_key,
    "database": service.database,
    "schema": service.schema,
    "sqlite-library": host.sqlite_library,
    "postgresql-durability": service.postgresql_durability,
    "disk-space": host.disk_space,
    "disk-writes": host.disk_writes,
    "certificate": host.certificate,
    "development-mode": host.development_mode,
    "clock": service.clock,
    "ntp-server": service.ntp,
    "counter-store": service.counter_store,
    "delivery": service.delivery,
    "audit-segments": service.audit_segments,
    "audit-retention": service.audit_retention,
    "checkpoint": service.checkpoint,
    "core-dumps": host.core_dumps,
    "open-files": host.open_files,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check has found; `skipped` says why it was not made."""

    check: str
    findings: tuple[Finding, ...] = ()
    skipped: str | None = None


def run(deployment: Deployment) -> Iterator[Outcome]:
    """All checks, one after the other."""
    for name, check in CHECKS.items():
        try:
            yield Outcome(name, tuple(check(deployment)))
        except NotLookedAt as reason:
            yield Outcome(name, skipped=str(reason))
        except (OSError, SQLAlchemyError) as error:
            told = problem(
                f"it cannot be looked at: {in_words(error)}", "see that the database and the disk answer"
            )
            yield Outcome(name, (told,))
