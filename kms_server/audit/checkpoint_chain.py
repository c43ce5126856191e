"""Reading checkpoints: each must be signed by a key of this server and follow from the one before."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kms_server.audit.checkpoint import Checkpoint, Coverage, hash_of, signed_bytes
from kms_server.audit.signing import PublicKey, SigningKeys
from kms_server.storage.audit_writers import START
from kms_server.storage.checkpoints import KeptCheckpoint


class Step(NamedTuple):
    """A checkpoint, all that is covered with it, and what is wrong with it; None where it cannot be trusted."""

    kept: KeptCheckpoint
    checkpoint: Checkpoint | None
    coverage: Coverage
    problems: list[str]


class CheckpointChain:
    """Follows checkpoints from the oldest to the newest."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys
        self._found: dict[str, PublicKey | None] = {}
        self._before: KeptCheckpoint | None = None
        self._time = 0.0
        self._coverage = Coverage()

    def walk(self, kept: Iterable[KeptCheckpoint]) -> Iterator[Step]:
        """Each checkpoint with its problems."""
        for one in kept:
            checkpoint, problems = self._read(one)
            if checkpoint is not None:
                problems += self._follows(checkpoint)
                self._coverage = checkpoint.added_to(self._coverage)
                self._time = checkpoint.time
            self._before = one
            yield Step(one, checkpoint, self._coverage, problems)

    def _read(self, kept: KeptCheckpoint) -> tuple[Checkpoint | None, list[str]]:
        key = self._key(kept.fingerprint)
        if key is None:
            return None, [f"the key {kept.fingerprint}, which has signed it, is not this server's"]
        if not key.verifies(kept.signature, signed_bytes(kept.body)):
            return None, ["its signature is not right: it was changed, or signed by another key"]
        checkpoint = Checkpoint.decode(kept.body)
        if (checkpoint.number, checkpoint.time) != (kept.number, kept.time):
            return None, [f"it was signed as number {checkpoint.number} at {checkpoint.time}"]
        return checkpoint, []

    def _follows(self, checkpoint: Checkpoint) -> list[str]:
        before = self._before
        if before is None:
            return [] if checkpoint.base else ["the checkpoints before it are missing"]
        problems = []
        if checkpoint.number != before.number + 1:
            problems.append(f"checkpoints {before.number + 1} to {checkpoint.number - 1} are missing")
        elif checkpoint.previous != hash_of(before):
            problems.append(f"it follows another checkpoint {before.number} than the one that is there")
        if checkpoint.time < self._time:
            problems.append("it is older than the one before")
        return problems + self._shortened(checkpoint)

    def _shortened(self, checkpoint: Checkpoint) -> list[str]:
        known, said = self._coverage.heads, checkpoint.coverage.heads
        problems = [
            f"it names row {head.seq} as the newest of writer {writer}, and an earlier one row {known[writer].seq}"
            for writer, head in said.items()
            if head.seq < known.get(writer, START).seq
        ]
        if checkpoint.base:
            left_out = sorted(known.keys() - said.keys() - set(checkpoint.gone))
            problems += [f"it leaves out the writer {writer}" for writer in left_out]
        return problems

    def _key(self, fingerprint: str) -> PublicKey | None:
        if fingerprint not in self._found:
            self._found[fingerprint] = self._keys.find(fingerprint)
        return self._found[fingerprint]


def folded(newest_first: Iterable[KeptCheckpoint]) -> Coverage:
    """All that checkpoints cover, read from the newest back to the last base.

    Raises:
        ValueError: one of them is no checkpoint.
    """
    later: list[Checkpoint] = []
    for kept in newest_first:
        checkpoint = Checkpoint.decode(kept.body)
        later.append(checkpoint)
        if checkpoint.base:
            break
    coverage = Coverage()
    for checkpoint in reversed(later):
        coverage = checkpoint.added_to(coverage)
    return coverage
