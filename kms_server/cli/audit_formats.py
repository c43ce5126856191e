"""How records are printed: a table for people, whole records as JSON lines, or the main members of each as CSV."""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, BinaryIO, NamedTuple

import click
import orjson

from kms_server.audit.matching import OBJECT_PAIR, contexts, unnamed_caller, uses_key_pending_deletion
from kms_server.audit.record import Row
from kms_server.cli.terminal import Drawing, drawing, printable, width

_SAMPLE = 200  # records whose widths the columns have
_TIME = "2026-11-20 09:14:07Z"
_GAPS = 2 + 4 * 2  # behind the mark, and between five columns
_NARROW = {"event": 14, "by": 8, "error": 12}
_RESOURCE = 16  # columns that are left to the resource, however narrow the terminal
_CSV = (
    "eventTime", "eventSource", "eventName", "eventCategory", "account", "awsRegion", "userArn", "userName",
    "accessKeyId", "sourceIPAddress", "errorCode", "resource", "secondResource", "encryptionContext", "requestID",
    "eventID", "readOnly", "eventType", "invokedBy", "errorMessage", "keyPendingDeletion",
)  # fmt: skip


class _Line(NamedTuple):
    mark: str
    time: str
    event: str
    by: str
    error: str
    resource: str


def as_jsonl(rows: Iterable[Row]) -> None:
    """Print whole records as CloudTrail writes them, one a line, in UTF-8."""
    out = _binary()
    for row in rows:
        out.write(row.record.encode() + b"\n")
    out.flush()


def as_csv(rows: Iterable[Row]) -> None:
    """Print the main members of each record in UTF-8, under a line of names; what a record does not have is empty."""
    out = _binary()
    writer = csv.writer(_Encoding(out), lineterminator="\n")
    writer.writerow(_CSV)
    for row in rows:
        record = orjson.loads(row.record)
        identity = record.get("userIdentity") or {}
        context = (record.get("requestParameters") or {}).get("encryptionContext")
        writer.writerow((
            record["eventTime"], row.event_source, row.event_name, record["eventCategory"], row.account, row.region,
            identity.get("arn"), row.username, row.access_key_id, record["sourceIPAddress"], row.error_code,
            row.resource_1, row.resource_2,
            None if context is None else orjson.dumps(context, option=orjson.OPT_SORT_KEYS).decode(),
            record.get("requestID"), row.event_id, _truth(row.read_only), record.get("eventType"),
            identity.get("invokedBy"), record.get("errorMessage"), _truth(uses_key_pending_deletion(record)),
        ))  # fmt: skip
    out.flush()


def as_table(rows: Iterable[Row]) -> None:
    """Print one line for each record, as wide as the terminal; what goes elsewhere is not cut."""
    rest = iter(rows)
    first = list(islice(rest, _SAMPLE))
    Table(first).add(chain(first, rest))


class Table:
    """A table that is printed line by line, its columns as wide as those of a `sample` need; the head comes at once."""

    def __init__(self, sample: Iterable[Row]) -> None:
        names = _Line(" ", "time", "event", "by", "error", "resource")
        self._widths = _widths([names, *map(_line, sample)])
        self._drawing = drawing()
        self._explained = False
        self._print(names)

    def add(self, rows: Iterable[Row]) -> None:
        """Print the line of each record."""
        flagged = False
        for line in map(_line, rows):
            flagged = flagged or line.mark == "!"
            self._print(line)
        sys.stdout.flush()
        if flagged and not self._explained:
            self._explained = True
            click.echo("! the key is pending deletion", err=True)

    def _print(self, line: _Line) -> None:
        print(_fitted(line, self._widths, self._drawing))  # noqa: T201 - click.echo writes each line to the system


FORMATS: Mapping[str, Callable[[Iterable[Row]], None]] = {
    "table": as_table,
    "jsonl": as_jsonl,
    "csv": as_csv,
}


class _Encoding:
    """A file of text for the CSV writer, whose bytes go straight to the output's buffer."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return self._out.write(text.encode())


def _binary() -> BinaryIO:
    sys.stdout.flush()
    return sys.stdout.buffer


def _truth(value: bool) -> str:  # noqa: FBT001 - it is the value to write
    return "true" if value else "false"


def _line(row: Row) -> _Line:
    record: Mapping[str, Any] = orjson.loads(row.record)
    time = f"{record['eventTime'][:10]} {record['eventTime'][11:]}"
    mark = "!" if uses_key_pending_deletion(record) else " "
    by = row.username or unnamed_caller(record) or "-"
    texts = (row.event_name, by, row.error_code or "-", " ".join(_about(row, record)) or "-")
    return _Line(mark, time, *map(printable, texts))


def _about(row: Row, record: Mapping[str, Any]) -> Iterator[str]:
    """What a record is about: its first resource, and the object that a key was used for."""
    if row.resource_1 is not None:
        yield row.resource_1
    for context in islice(contexts(record), 1):
        if OBJECT_PAIR in context:
            yield f"for {context[OBJECT_PAIR].replace('arn:aws:s3:::', 's3://', 1)}"


def _widths(lines: list[_Line]) -> dict[str, int]:
    """How wide the columns are: what the first lines need, less where the terminal has less."""
    wanted = {name: max(len(getattr(line, name)) for line in lines) for name in _Line._fields}
    columns = width()
    if columns is not None:
        room = columns - len(_TIME) - _GAPS
        over = sum(wanted[name] for name in _NARROW) + min(wanted["resource"], 3 * _RESOURCE) - room
        for name, least in _NARROW.items():
            taken = min(max(over, 0), max(wanted[name] - least, 0))
            wanted[name] -= taken
            over -= taken
        wanted["resource"] = max(_RESOURCE, room - sum(wanted[name] for name in _NARROW))
    return wanted


def _fitted(line: _Line, columns: Mapping[str, int], draw: Drawing) -> str:
    cut = width() is not None
    cells = (
        f"{draw.start_of(text, columns[name]) if cut else text:{columns[name]}}"
        for name, text in (("event", line.event), ("by", line.by), ("error", line.error))
    )
    resource = draw.end_of(line.resource, columns["resource"]) if cut else line.resource
    return f"{line.mark} {line.time:{len(_TIME)}}  {'  '.join(cells)}  {resource}".rstrip()
