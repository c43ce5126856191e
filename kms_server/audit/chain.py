"""Chains of audit records: each link authenticates the records of a batch and, by the link before it, all earlier ones.

A *writer* is whoever makes one chain longer; nobody else does at the same time. Its rows are numbered 1, 2, 3 in the
order of their commits, and the last row of each batch carries the batch's link:

    HMAC-SHA-256(key, length-prefixed(label, writer, first number, last number, previous link, records))

where `records` is the SHA-256 of the batch's records, each behind its length. Links of the first form, with another label
and SHA-512, are good as well; none are made any more, since processors have instructions for SHA-256. The previous link of
the first batch is empty. The columns beside a record follow from it, so the record alone is authenticated.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from kms_server.audit.record import Row
from kms_server.crypto.encryption_context import length_prefixed
from kms_server.crypto.kdf import Prf
from kms_server.storage.audit_writers import Head

# Label and hash of each form of links; new ones have the first.
_FORMS = ((b"kms-server audit batch v2", hashlib.sha256), (b"kms-server audit batch v1", hashlib.sha512))

# A row, its writer, its number, and the link where the batch ends: all columns of the table, in their order.
Stored: TypeAlias = tuple[object, ...]
COLUMNS = (*Row._fields, "writer", "seq", "link")


class ChainKey:
    """The key of all chains of a server: 32 secret bytes."""

    __slots__ = ("_prf",)

    def __init__(self, secret: bytes) -> None:
        self._prf = Prf(secret)

    def link(self, writer: str, first: int, last: int, previous: bytes, records: Iterable[str]) -> bytes:
        """The link (32 bytes) of the batch of a writer's rows `first` to `last`, behind the link `previous`."""
        return next(self._links(writer, first, last, previous, records))

    def is_link(
        self, link: bytes, writer: str, first: int, last: int, previous: bytes, records: Iterable[str]
    ) -> bool:
        """Whether that is the link of a batch, in any of its forms."""
        return any(
            hmac.compare_digest(link, one) for one in self._links(writer, first, last, previous, records)
        )

    def follows(self, writer: str, head: Head, batch: "Linked") -> bool:
        """Whether a batch is what comes next in the chain of a writer behind `head`."""
        first, (last, link) = head.seq + 1, batch.head
        records = [row.record for row in batch.rows]
        return last - len(records) == head.seq and self.is_link(link, writer, first, last, head.link, records)

    def _links(
        self, writer: str, first: int, last: int, previous: bytes, records: Iterable[str]
    ) -> Iterator[bytes]:
        framed = length_prefixed(*[record.encode() for record in records])
        for label, made in _FORMS:
            yield self.tag(
                label, writer.encode(), first.to_bytes(8), last.to_bytes(8), previous, made(framed).digest()
            )

    def tag(self, label: bytes, *parts: bytes) -> bytes:
        """An authentication tag (32 bytes) of other things that this server alone can have made, apart by label."""
        return self._prf.digest(length_prefixed(label, *parts))


class Linked(NamedTuple):
    """Rows of a batch, one or more, and where the chain ends with them."""

    rows: Sequence[Row]
    head: Head


class Batch(NamedTuple):
    """Rows as they are stored, and where the chain ends with them."""

    rows: list[Stored]
    head: Head


def next_head(key: ChainKey, writer: str, head: Head, rows: Sequence[Row]) -> Head:
    """Where a writer's chain ends when it is longer by one row or more."""
    last = head.seq + len(rows)
    return Head(last, key.link(writer, head.seq + 1, last, head.link, [row.record for row in rows]))


def extended(key: ChainKey, writer: str, head: Head, rows: Sequence[Row]) -> Batch:
    """The batch that makes a writer's chain longer by one row or more."""
    end = next_head(key, writer, head, rows)
    stored: list[Stored] = [(*row, writer, number, None) for number, row in enumerate(rows, head.seq + 1)]
    stored[-1] = (*rows[-1], writer, end.seq, end.link)
    return Batch(stored, end)
