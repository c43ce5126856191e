"""`kms-server migrate`: bring the database's schema up to date."""

from contextlib import closing
from typing import Unpack

import click

from kms_server.cli.options import Where, state_options, state_settings
from kms_server.files import make_private_dir
from kms_server.server.state import require_database
from kms_server.storage import migrate as migrations
from kms_server.storage import schema_version
from kms_server.storage.database import open_database


@click.command()
@state_options
def migrate(**where: Unpack[Where]) -> None:
    """Bring the database's schema up to date; `serve` does it by itself."""
    settings = state_settings(**where)
    require_database(settings)
    make_private_dir(settings.data_dir)
    make_private_dir(settings.state_dir)
    with closing(open_database(settings.database_url, settings.data_dir, settings.state_dir)) as database:
        with migrations.lock(settings.state_dir):
            migrations.upgrade(database.engine)
        with database.read() as connection:
            click.echo(f"the schema is at version {schema_version.current(connection)}")
