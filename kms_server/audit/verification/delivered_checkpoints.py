"""Checkpoints that were delivered: what whoever can write the database, or even sign, could not take back."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from kms_server.audit.checkpoint import Complete, Coverage, hash_of
from kms_server.audit.checkpoint_delivery import FOLDER, opened
from kms_server.audit.restores import Restore
from kms_server.audit.signing import SigningKeys
from kms_server.audit.verification.delivered_files import Buckets, Damaged, Name, inflated, is_lost, path
from kms_server.audit.verification.findings import Finding, Findings, error, notice
from kms_server.clock import iso_seconds
from kms_server.storage import checkpoints
from kms_server.storage.audit_writers import Head
from kms_server.storage.database import Database

_ROLLED_BACK = (
    "an older copy of the database was put in place of the newer one: restore the newer, or keep both and find out what "
    "is missing from the delivered log files"
)


@dataclass(slots=True)
class DeliveredCheckpoints:
    """What they say: the checkpoints by where they are, without the heads, which are in `claims` by writer.

    Of what was delivered before one of `restores` and is lost with it, only heads count that were in the backup; where
    chains ended in the backup is claimed, too.
    """

    restores: Sequence[Restore] = ()
    complete: dict[str, Complete] = field(default_factory=dict)
    claims: dict[str, dict[Head, str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        for one in self.restores:
            said_by = f"the restore of {iso_seconds(one.time)}"
            for writer, head in one.heads.items():
                self.claims.setdefault(writer, {}).setdefault(head, said_by)

    def read(self, buckets: Buckets, keys: SigningKeys) -> None:
        """Add those that a trail has delivered.

        Raises:
            DestinationError: the bucket does not give what it is asked for.
        """
        names, _ = buckets.names(FOLDER, rf"{re.escape(buckets.trail.name)}_(\d{{8}}T\d{{6}}Z)")
        for name in names:
            where = path(name.place)
            try:
                complete = opened(inflated(buckets.get(name.place).body), keys)
            except (Damaged, ValueError) as problem:
                self.findings.append(self._unusable(where, name, problem))
                continue
            restored = next((one for one in self.restores if one.lost(complete.number, complete.time)), None)
            if restored is None:
                self.complete[where] = replace(complete, coverage=Coverage())
            for writer, head in complete.coverage.heads.items():
                if restored is None or restored.has(writer, head):
                    self.claims.setdefault(writer, {}).setdefault(head, f"the delivered {where}")

    def _unusable(self, where: str, name: Name, problem: Exception) -> Finding:
        """With a restore the key may be lost that has signed what it loses."""
        if is_lost(self.restores, name):
            return notice(where, f"it was delivered before a restore, and cannot be used: {problem}")
        return error(where, str(problem))


def against(database: Database, delivered: Iterable[tuple[str, Complete]]) -> Findings:
    """Where the database's checkpoints are not those that delivered ones speak of."""
    for where, complete in delivered:
        with database.read() as connection:
            kept, newest = checkpoints.get(connection, complete.number), checkpoints.newest(connection)
            oldest = checkpoints.oldest(connection)
        if kept is not None and hash_of(kept) != complete.hash:
            yield error(
                where, f"the database has another checkpoint {complete.number}: its log was written anew"
            )
        elif kept is None and (oldest is None or complete.number > oldest.number):
            last = newest.number if newest else 0
            yield error(
                where, f"the database has no checkpoint {complete.number}, its newest is {last}: it was rolled back",
                _ROLLED_BACK,
            )  # fmt: skip
