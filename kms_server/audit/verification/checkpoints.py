"""What the checkpoints of the database say, and whether they can be believed."""

from dataclasses import dataclass, field

from kms_server.audit.checkpoint import Coverage
from kms_server.audit.checkpoint_chain import CheckpointChain
from kms_server.audit.signing import SigningKeys
from kms_server.audit.verification.findings import Finding, error
from kms_server.storage import checkpoints
from kms_server.storage.audit_writers import Head
from kms_server.storage.database import Database


@dataclass(slots=True)
class Said:
    """All heads that checkpoints name, by writer, and what is covered with the newest; times in epoch seconds."""

    claims: dict[str, dict[Head, str]] = field(default_factory=dict)
    coverage: Coverage = field(default_factory=Coverage)
    count: int = 0
    newest: int = 0
    newest_time: float | None = None
    findings: list[Finding] = field(default_factory=list)

    def claim(self, coverage: Coverage, said_by: str) -> None:
        """Note the heads that somebody has signed."""
        for writer, head in coverage.heads.items():
            self.claims.setdefault(writer, {}).setdefault(head, said_by)


def read(database: Database, keys: SigningKeys) -> Said:
    """Read and verify all checkpoints; what they say is noted as far as they are signed."""
    said = Said()
    with database.read() as connection:
        for step in CheckpointChain(keys).walk(checkpoints.oldest_first(connection)):
            name = f"checkpoint {step.kept.number}"
            said.findings += [error(name, problem) for problem in step.problems]
            said.count += 1
            if step.checkpoint is not None:
                said.claim(step.checkpoint.coverage, name)
                said.coverage = step.coverage
                said.newest, said.newest_time = step.kept.number, step.checkpoint.time
    return said
