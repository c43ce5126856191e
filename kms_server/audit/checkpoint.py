"""What a checkpoint says: where the chains of the audit log ended at a time.

A checkpoint is JSON that a signing key of the server has signed behind a label. It names the heads that moved since the
one before, whose hash it carries; a *base* names all of them, and up to where rows were pruned. A *complete* checkpoint
is made of all of them up to the newest, for those who keep it outside the database.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kms_server.crypto.encryption_context import length_prefixed
from kms_server.storage.audit_writers import START, Head
from kms_server.storage.checkpoints import KeptCheckpoint

_LABEL = b"kms-server checkpoint v1\n"
_COMPLETE_LABEL = b"kms-server complete checkpoint v1\n"


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of each writer its newest row and, where rows were pruned, the last of these; `since`: the first checkpoint's time.

    A writer that is pruned and has no head may be there or not: all of it goes. `since` is in epoch seconds of the
    service's clock.
    """

    heads: Mapping[str, Head] = field(default_factory=dict)
    pruned: Mapping[str, Head] = field(default_factory=dict)
    since: float = 0.0

    def moved(self, heads: Mapping[str, Head]) -> dict[str, Head]:
        """Which heads are farther than is covered. A chain never gets shorter, whatever the database says."""
        covered = {**self.pruned, **self.heads}
        return {writer: head for writer, head in heads.items() if head.seq > covered.get(writer, START).seq}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint; `previous` is the hash of the one before, `gone` the writers of which all was pruned."""

    number: int
    time: float
    previous: str | None
    base: bool
    coverage: Coverage
    gone: tuple[str, ...] = ()

    def encode(self) -> str:
        """The JSON that is signed."""
        body: dict[str, Any] = {"number": self.number, "time": self.time, "previous": self.previous}
        return json.dumps(body | {"base": self.base, **_plain(self.coverage), "gone": list(self.gone)})

    @classmethod
    def decode(cls, body: str) -> "Checkpoint":
        """The checkpoint of a body.

        Raises:
            ValueError: it is none.
        """
        try:
            told = json.loads(body)
            return cls(
                told["number"], told["time"], told["previous"], told["base"], _coverage(told), tuple(told["gone"])
            )  # fmt: skip
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"not a checkpoint: {error}") from None

    def added_to(self, before: Coverage) -> Coverage:
        """What is covered with this checkpoint, behind what was covered before it."""
        if self.base:
            return self.coverage
        return replace(before, heads={**before.heads, **self.coverage.heads})


@dataclass(frozen=True, slots=True)
class Complete:
    """All that the checkpoints up to `number`, whose hash is given, cover; `time` is that of its making."""

    number: int
    hash: str
    time: float
    coverage: Coverage

    def encode(self) -> str:
        """The JSON that is signed."""
        return json.dumps(
            {"number": self.number, "hash": self.hash, "time": self.time, **_plain(self.coverage)}
        )

    @classmethod
    def decode(cls, body: str) -> "Complete":
        """The complete checkpoint of a body.

        Raises:
            ValueError: it is none.
        """
        try:
            told = json.loads(body)
            return cls(told["number"], told["hash"], told["time"], _coverage(told))
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"not a complete checkpoint: {error}") from None


def signed_bytes(body: str) -> bytes:
    """What is signed of a checkpoint."""
    return _LABEL + body.encode()


def signed_bytes_of_complete(body: str) -> bytes:
    """What is signed of a complete checkpoint."""
    return _COMPLETE_LABEL + body.encode()


def hash_of(kept: KeptCheckpoint) -> str:
    """The hexadecimal SHA-256 of a checkpoint's body and signature."""
    return hashlib.sha256(length_prefixed(kept.body.encode(), kept.signature)).hexdigest()


def _plain(coverage: Coverage) -> dict[str, Any]:
    return {
        "since": coverage.since,
        "heads": {writer: [seq, link.hex()] for writer, (seq, link) in coverage.heads.items()},
        "pruned": {writer: [seq, link.hex()] for writer, (seq, link) in coverage.pruned.items()},
    }


def _coverage(told: Mapping[str, Any]) -> Coverage:
    heads, pruned = (
        {writer: Head(int(seq), bytes.fromhex(link)) for writer, (seq, link) in told[name].items()}
        for name in ("heads", "pruned")
    )
    return Coverage(heads, pruned, float(told["since"]))
