"""`kms-server`: the group of all commands."""

import logging
import sys

import click

from kms_server import __version__
from kms_server.cli.audit import audit
from kms_server.cli.clock import clock
from kms_server.cli.identity import identity
from kms_server.cli.issuer import trust_issuer
from kms_server.cli.migrate import migrate
from kms_server.cli.quota import quota
from kms_server.cli.s3 import s3
from kms_server.cli.s3_objects import rewrap, sweep, verify
from kms_server.cli.seed import seed
from kms_server.cli.serve import serve
from kms_server.errors import OperatorError, ServiceError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, package_name="kms-server")
def cli() -> None:
    """A key management service that speaks the AWS KMS API.

    `kms-server serve` runs it. The other commands work on the same data directory, also while the server
    runs, and what they change holds at once.

    Every option can also be given as an environment variable, KMS_SERVER_<OPTION>, or in a TOML file named
    by --config.
    """


identity.add_command(trust_issuer)
for of_objects in (verify, rewrap, sweep):
    s3.add_command(of_objects)
for command in (serve, migrate, identity, seed, quota, audit, clock, s3):
    cli.add_command(command)


def main() -> None:
    """Run the command line; a condition the operator must mend is one line on stderr and exit code 2."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        cli(prog_name="kms-server")
    except (OperatorError, ServiceError) as error:
        click.echo(f"kms-server: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
