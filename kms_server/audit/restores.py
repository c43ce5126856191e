"""Restores that the local operator has declared, so that verification can tell them from an older copy put in place.

A restore from a backup loses what the log got after the backup was taken; delivered checkpoints of that time name rows
that are gone. A declaration says when, and where all chains ended in the backup: nothing before that may be missing. It
carries a tag under the chain key, so only who has the root key can make one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from sqlalchemy import Connection

from kms_server.audit.chain import ChainKey
from kms_server.storage import settings
from kms_server.storage.audit_writers import START, Head
from kms_server.storage.database import Transaction

_LABEL = b"kms-server restore v1"
# A digest ends on the hour and is made a while later: one made after the backup may end before it.
_DIGEST_LAG = 7_200.0


@dataclass(frozen=True, slots=True)
class Restore:
    """A restore at `time` from the backup of that id, taken at `taken_at` (epoch seconds of the service's clock).

    In it `checkpoint` was the newest, 0 where there was none, and the chains ended at `heads`.
    """

    backup: str
    taken_at: float
    time: float
    checkpoint: int
    heads: Mapping[str, Head]

    def lost(self, checkpoint: int, time: float) -> bool:
        """Whether a checkpoint of that number and time was made after the backup and before the restore."""
        return checkpoint > self.checkpoint and self.taken_at - 1 <= time <= self.time

    def lost_delivery(self, time: float) -> bool:
        """Whether something that a trail delivered for a time may have been forgotten with the restore."""
        return self.taken_at - _DIGEST_LAG <= time <= self.time

    def has(self, writer: str, head: Head) -> bool:
        """Whether a row was in the backup."""
        return head.seq <= self.heads.get(writer, START).seq

    def encode(self) -> str:
        """As JSON."""
        heads = {writer: [seq, link.hex()] for writer, (seq, link) in sorted(self.heads.items())}
        return json.dumps(
            {"backup": self.backup, "takenAt": self.taken_at, "time": self.time, "checkpoint": self.checkpoint,
             "heads": heads}
        )  # fmt: skip

    @classmethod
    def decode(cls, body: str) -> "Restore":
        """What `encode` has made."""
        said = json.loads(body)
        heads = {writer: Head(seq, bytes.fromhex(link)) for writer, (seq, link) in said["heads"].items()}
        return cls(said["backup"], said["takenAt"], said["time"], said["checkpoint"], heads)


def declare(tx: Transaction, key: ChainKey, restore: Restore) -> None:
    """Keep a declaration beside the earlier ones."""
    body = restore.encode()
    kept = [*_kept(tx.connection), {"body": body, "tag": _tag(key, body).hex()}]
    settings.put(tx, settings.RESTORES, json.dumps(kept))


def declared(connection: Connection, key: ChainKey) -> list[Restore]:
    """All declarations that were made with the chain key; others declare nothing."""
    return [
        Restore.decode(one["body"])
        for one in _kept(connection)
        if compare_digest(_tag(key, one["body"]).hex(), one["tag"])
    ]


def _kept(connection: Connection) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(settings.get(connection, settings.RESTORES) or "[]")
    return found


def _tag(key: ChainKey, body: str) -> bytes:
    return key.tag(_LABEL, body.encode())
