"""`kms-server audit`: read the audit log."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from kms_server.audit.lookup import Filter, stream
from kms_server.audit.record import Row
from kms_server.cli.operator import opened
from kms_server.cli.options import account_id, option, region_name, state_options, state_settings
from kms_server.errors import OperatorError
from kms_server.server.audit_trail import audit_sources


@click.group()
def audit() -> None:
    """The audit log."""


def _time(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise OperatorError(f"{text!r} is not a time: write 2026-11-20T09:14:07Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@audit.command()
@option("--key", "resource", help="Only this resource: a key ARN or an alias ARN.")
@option("--event", "event_name", help="Only this operation or service event.")
@option("--user", "username", help="Only this user name, or root.")
@option("--access-key", "access_key_id", help="Only this access key.")
@option("--error", "error_code", help="Only this error code, such as AccessDenied.")
@option("--account", callback=account_id, help="Only this account.")
@option("--region", callback=region_name, help="Only this Region.")
@option("--request-id", help="Only this request; reads the whole log.")
@option("--since", callback=_time, help="From this time on (ISO 8601).")
@option("--until", callback=_time, help="Up to this time (ISO 8601).")
@option("--limit", type=click.IntRange(min=1), help="At most so many records.")
@option("--format", "style", type=click.Choice(["table", "jsonl"]), default="table")
@state_options
def query(
    *, style: str, data_dir: Path, database_url: str | None, root_key: str | None,
    **wanted: Any,  # noqa: ANN401 - the fields of Filter
) -> None:  # fmt: skip
    """Print records, oldest first: a table, or one whole record a line (jsonl)."""
    settings = state_settings(data_dir=data_dir, database_url=database_url, root_key=root_key)
    with opened(settings) as state:
        rows = stream(audit_sources(state), Filter(**wanted))
        if style == "jsonl":
            for row in rows:
                click.echo(row.record)
        else:
            _table(rows)


def _table(rows: Iterable[Row]) -> None:
    click.echo(f"{'time':20}  {'event':28}  {'by':20}  {'error':26}  resource")
    for row in rows:
        record = json.loads(row.record)
        resource = row.resource_1 or ""
        click.echo(
            f"{record['eventTime']:20}  {row.event_name:28}  {row.username or '-':20}  "
            f"{row.error_code or '-':26}  {resource}"
        )
