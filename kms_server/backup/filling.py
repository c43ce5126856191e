"""Puts the members of a backup where they belong in a new server."""

import re
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection

from kms_server.audit import segment_copies
from kms_server.backup.archive import Member
from kms_server.backup.sealed_file import Damaged
from kms_server.backup.source import SEGMENT, TABLE
from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.storage import audit_writers, copy_text, dumping
from kms_server.storage.audit_writers import START, Head
from kms_server.storage.copy_text import BadRow
from kms_server.storage.dumping import Shape

_WRITER = re.compile(r"[0-9a-f]{16}")


class Filling:
    """Fills an empty database, in the transaction of a connection, and the directories of segments of the embedded log.

    `heads` are where chains end that have a segment of their own.
    """

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self.heads: dict[str, Head] = {}

    def add(self, member: Member) -> None:
        """Put one member in its place.

        Raises:
            OperatorError: it does not fit.
        """
        said = member.said
        try:
            kind, shape = said["kind"], Shape(said["name"], said["columns"], said["kinds"])
            if kind == TABLE:
                dumping.load(self._connection, shape, member.blocks, said["sequence"])
            elif kind == SEGMENT:
                self._segment(
                    str(said["writer"]), shape, member.blocks, is_data=said["data"], full=said["full"]
                )
            else:
                raise Damaged(f"it has a member of an unknown kind: {kind}")
        except (BadRow, KeyError, TypeError) as error:
            raise OperatorError(f"the backup does not fit: {said.get('name')}: {error}") from None

    def _segment(
        self, writer: str, shape: Shape, blocks: Iterable[bytes], *, is_data: bool, full: bool
    ) -> None:
        if not _WRITER.fullmatch(writer):
            raise Damaged("a segment has a name that no server gives")
        last = _LastLine(blocks)
        if "link" not in shape.columns:  # of before there were chains
            dumping.load(self._connection, shape, last)
            return
        if self._settings.database_url is None:
            directory = self._settings.data_audit_dir if is_data else self._settings.audit_dir
            segment_copies.write(directory / f"{writer}.db", last, shape, full=full)
            head = last.head(shape)
        else:
            dumping.load(self._connection, shape, last)
            head = last.head(shape)
            if head is not None:
                audit_writers.move(self._connection, writer, START, head, is_data=is_data)
        if head is not None:
            self.heads[writer] = head


class _LastLine:
    """The same blocks; the last row that has passed is remembered."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self._block = b""

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self._block = block
            yield block

    def head(self, shape: Shape) -> Head | None:
        """Where the chain of the rows ends; None where there are none, or the last one has no link."""
        if not self._block:
            return None
        line = self._block[self._block[:-1].rfind(b"\n") + 1 :]
        row = dict(zip(shape.columns, next(copy_text.decoded(line, shape.kinds)), strict=True))
        return None if row["seq"] is None or row["link"] is None else Head(row["seq"], row["link"])
