"""`kms-server audit`: read the audit log."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from kms_server.audit.lookup import Filter, stream
from kms_server.audit.record import Row
from kms_server.cli.audit_verify import verify
from kms_server.cli.operator import opened
from kms_server.cli.options import account_id, moment, option, region_name, state_options, state_settings
from kms_server.errors import OperatorError
from kms_server.server.audit_trail import audit_sources, data_sources


@click.group()
def audit() -> None:
    """The audit log."""


def _pairs(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    found = tuple(text.partition("=") for text in texts)
    if any(not separator for _, separator, _ in found):
        raise OperatorError("a pair of an encryption context is NAME=VALUE")
    return tuple((name, value) for name, _, value in found)


@audit.command()
@option("--key", "resource", help="Only this resource: a key ARN or an alias ARN.")
@option("--event", "event_name", help="Only this operation or service event.")
@option("--user", "username", help="Only this user name, or root.")
@option("--access-key", "access_key_id", help="Only this access key.")
@option("--error", "error_code", help="Only this error code, such as AccessDenied.")
@option("--account", callback=account_id, help="Only this account.")
@option("--region", callback=region_name, help="Only this Region.")
@option("--request-id", help="Only this request; reads the whole log.")
@option(
    "--context",
    multiple=True,
    callback=_pairs,
    metavar="NAME=VALUE",
    help="Only uses with this pair in their encryption context; may be repeated. Reads the whole log.",
)
@option(
    "--category",
    type=click.Choice(["management", "data"]),
    help="Only such events; data events are calls about objects.",
)
@option("--since", callback=moment, help="From this time on (ISO 8601).")
@option("--until", callback=moment, help="Up to this time (ISO 8601).")
@option("--limit", type=click.IntRange(min=1), help="At most so many records.")
@option("--format", "style", type=click.Choice(["table", "jsonl", "csv"]), default="table")
@state_options
def query(
    *, style: str, category: str | None, data_dir: Path, database_url: str | None, root_key: str | None,
    **wanted: Any,  # noqa: ANN401 - the fields of Filter
) -> None:  # fmt: skip
    """Print records, oldest first: a table, one whole record a line (jsonl), or the main members of each (csv)."""
    settings = state_settings(data_dir=data_dir, database_url=database_url, root_key=root_key)
    with opened(settings) as state:
        places = [
            *(audit_sources(state) if category != "data" else ()),
            *(data_sources(state) if category != "management" else ()),
        ]
        _STYLES[style](stream(places, Filter(**wanted)))


def _jsonl(rows: Iterable[Row]) -> None:
    for row in rows:
        click.echo(row.record)


def _table(rows: Iterable[Row]) -> None:
    click.echo(f"{'time':20}  {'event':28}  {'by':20}  {'error':26}  resource")
    for row in rows:
        record = json.loads(row.record)
        resource = row.resource_1 or ""
        click.echo(
            f"{record['eventTime']:20}  {row.event_name:28}  {row.username or '-':20}  "
            f"{row.error_code or '-':26}  {resource}"
        )


def _csv(rows: Iterable[Row]) -> None:
    click.echo(_line(_CSV))
    for row in rows:
        record = json.loads(row.record)
        parameters = record["requestParameters"] or {}
        context = parameters.get("encryptionContext")
        click.echo(_line((
            record["eventTime"], record["eventSource"], row.event_name, record["eventCategory"], row.account, row.region,
            record["userIdentity"].get("arn"), row.username, row.access_key_id, record["sourceIPAddress"],
            row.error_code, row.resource_1, row.resource_2,
            None if context is None else json.dumps(context, ensure_ascii=False, sort_keys=True),
            record.get("requestID"), row.event_id,
        )))  # fmt: skip


def _line(values: Iterable[str | None]) -> str:
    """A line of CSV, without its end."""
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(values)
    return written.getvalue()


_CSV = (
    "eventTime", "eventSource", "eventName", "eventCategory", "account", "awsRegion", "userArn", "userName",
    "accessKeyId", "sourceIPAddress", "errorCode", "resource", "secondResource", "encryptionContext", "requestID",
    "eventID",
)  # fmt: skip
_STYLES = {"table": _table, "jsonl": _jsonl, "csv": _csv}

audit.add_command(verify)
