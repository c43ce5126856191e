"""Audit logs of any length, each with a server that answers questions to it."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from bench.audit_rows import ACCOUNT, REGION, rows
from bench.servers import running
from bench.targets import client, credentials
from kms_server.audit import event_id
from kms_server.audit.log import AuditLog
from kms_server.audit.lookup import lookup
from kms_server.audit.pages import Query
from kms_server.audit.places import sources
from kms_server.audit.record import Row
from kms_server.audit.sealing import seal
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.table_log import TableLog
from kms_server.config import Limits, Settings
from kms_server.operations import lookup_token
from kms_server.operations.trail import COLUMNS
from kms_server.server.startup import prepare
from kms_server.server.state import open_state
from kms_server.storage.audit_tables import audit_events

_FILLED = 200
_APPENDED = 64
_PAGE = 50


class Log:
    """A log of `count` rows in a data directory, or in the PostgreSQL database at `url`.

    `filling` and `sealing` are the microseconds that each of its rows took.
    """

    def __init__(self, stack: ExitStack, directory: Path, count: int, url: str | None) -> None:
        settings = Settings(directory, database_url=url)
        prepare(settings)
        state = open_state(settings)
        stack.callback(state.database.close)
        self._engine, self._chain_key = state.database.engine, state.chain_key
        self._segments = None if url else settings.audit_dir
        begin = time.perf_counter()
        self.known = self._fill(count, settings.limits)
        filled = time.perf_counter()
        if self._segments is not None:
            seal(self._segments)
        self.filling = (filled - begin) / count * 1e6
        self.sealing = (time.perf_counter() - filled) / count * 1e6
        self._appended = self._log(replace(settings.limits, segment_rows=count))
        stack.callback(self._appended.close)
        self._more = rows(count)
        where = ["--data-dir", str(directory), *(["--database-url", url] if url else [])]
        server = stack.enter_context(
            running("kms_server.cli.main", "serve", "--port", "0", "--workers", "1", *where)
        )
        self._client = client("cloudtrail", server.url, *credentials(directory))

    def _log(self, limits: Limits) -> AuditLog:
        if self._segments is None:
            return TableLog(self._engine, audit_events, self._chain_key)
        return SegmentLog(self._segments, limits, self._chain_key)

    def _fill(self, count: int, limits: Limits) -> str:
        """Two workers take turns, so that their segments overlap, and half of one is left to each; the id in the middle."""
        writers = [self._log(limits), self._log(limits)]
        alone = (count // limits.segment_rows - 1) % 2 * limits.segment_rows
        middle = ""
        for number, batch in enumerate(_batches(rows(count), _FILLED)):
            writers[0 if number * _FILLED < alone else number % 2].append(batch)
            if number == count // _FILLED // 2:
                middle = next(row.event_id for row in batch if row.account == ACCOUNT)
        for writer in writers:
            writer.close()
        return middle

    def append(self) -> float:
        """Microseconds for each row of one batch more."""
        batch = [row._replace(event_id=event_id.new(time.time())) for row in islice(self._more, _APPENDED)]
        begin = time.perf_counter()
        self._appended.append(batch)
        return (time.perf_counter() - begin) / _APPENDED * 1e6

    def middle(self, members: Mapping[str, Any]) -> str:
        """The token for the page of a question that begins in the middle of the log."""
        return lookup_token.write(ACCOUNT, REGION, members, self.known)

    def ask(self, members: Mapping[str, Any]) -> int:
        """One page by boto3; the number of its events."""
        return len(self._client.lookup_events(**members)["Events"])

    def search(self, members: Mapping[str, Any]) -> int:
        """The same page, without client and service."""
        attributes = [
            (COLUMNS[one["AttributeKey"]], one["AttributeValue"])
            for one in members.get("LookupAttributes", [])
        ]
        query = Query(
            account=ACCOUNT, region=REGION, attribute=attributes[0] if attributes else None, start=None, end=None,
            after=self.known if "NextToken" in members else None, limit=_PAGE + 1,
        )  # fmt: skip
        return len(lookup(sources(self._engine, self._segments), query))


def _batches(generated: Iterable[Row], size: int) -> Iterator[list[Row]]:
    remaining = iter(generated)
    while batch := list(islice(remaining, size)):
        yield batch
