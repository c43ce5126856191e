"""`kms-server audit query`: print the records that fit."""

from dataclasses import replace
from typing import Unpack

import click

from kms_server.audit.lookup import stream
from kms_server.cli.audit_filters import MOST_RECORDS, Asked, chosen, filter_options, places
from kms_server.cli.audit_formats import FORMATS
from kms_server.cli.operator import opened
from kms_server.cli.options import Where, option, state_options, state_settings


class Options(Where, Asked):
    """All options that say where the server is and which records are wanted."""


@click.command()
@filter_options
@option("--limit", type=click.IntRange(1, MOST_RECORDS), help="At most so many records.")
@option("--newest-first/--oldest-first", "newest_first", default=False, help="The order of the records.")
@option("--format", "style", type=click.Choice(list(FORMATS)), default="table", help="How they are printed.")
@state_options
def query(*, limit: int | None, newest_first: bool, style: str, **options: Unpack[Options]) -> None:
    """Print records, oldest first: a table, whole records as JSON lines, or CSV.

    A record is printed when everything that is asked of it fits. --account and --region let the indexes of the log
    answer for --key, --user, --access-key and --event; the time is indexed always. Times are UTC.

    In the table, ! marks the use of a key that is pending deletion. JSON lines have whole CloudTrail records, CSV
    the main members of each; docs/audit.md loads both into DuckDB and SQLite.

    Exit code 0: the log was read, also when nothing fits. 2: it could not be, or the question is none.

    \b
    Who used a key on an object:
      kms-server audit query --key alias/orders --object s3://reports/q3.csv
    The last ten denials from a network:
      kms-server audit query --error AccessDenied --source-ip 10.0.0.0/8 --newest-first --limit 10
    Who would miss a key that is about to be deleted:
      kms-server audit query --pending-deletion --since 7d
    """
    where = Where(
        data_dir=options["data_dir"], database_url=options["database_url"], root_key=options["root_key"]
    )
    with opened(state_settings(**where)) as state:
        wanted = replace(chosen(state, options), limit=limit, newest_first=newest_first)
        FORMATS[style](stream(places(state, options["category"]), wanted))
