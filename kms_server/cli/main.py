"""`kms-server`: the group of all commands."""

import logging
import sys
from typing import NoReturn

import click

from kms_server import __version__
from kms_server.cli.command_group import CommandGroup, Elsewhere
from kms_server.errors import OperatorError, ServiceError

_COMMANDS = {
    "audit": Elsewhere("kms_server.cli.audit:audit", "The audit log."),
    "backup": Elsewhere(
        "kms_server.cli.backup:backup",
        "Make a backup of a server, or look at one; `kms-server restore` makes a server of it.",
    ),
    "clock": Elsewhere(
        "kms_server.cli.clock:clock", "The service's clock: rotation, deletion and event times follow it."
    ),
    "doctor": Elsewhere(
        "kms_server.cli.doctor:doctor", "Say what is wrong with a deployment, and what to do about it."
    ),
    "identity": Elsewhere(
        "kms_server.cli.identity:identity",
        "Accounts, users and their access keys, issuers of web identities, and why a call is allowed or denied.",
    ),
    "migrate": Elsewhere(
        "kms_server.cli.migrate:migrate", "Bring the database's schema up to date; `serve` does it by itself."
    ),
    "probe": Elsewhere("kms_server.cli.probe:probe", "Ask a server whether it is ready."),
    "quota": Elsewhere(
        "kms_server.cli.quota:quota",
        "Limits per account, Region and quota, per key, and per principal; and faults for tests.",
    ),
    "restore": Elsewhere(
        "kms_server.cli.restore:restore",
        "Make the new directory --data-dir from a backup, or fill the empty PostgreSQL database at --database-url.",
    ),
    "root": Elsewhere(
        "kms_server.cli.root:root",
        "The root key, which wraps every other secret: its versions, and their change while the server runs.",
    ),
    "s3": Elsewhere("kms_server.cli.s3:s3", "The S3 layer."),
    "seed": Elsewhere(
        "kms_server.cli.seed:seed",
        "Make the keys and aliases of FILE.yaml that are missing; - reads standard input.",
    ),
    "serve": Elsewhere("kms_server.cli.serve:serve", "Run the service in the foreground."),
}


@click.group(
    cls=CommandGroup, elsewhere=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)  # fmt: skip
@click.version_option(__version__, package_name="kms-server")
def cli() -> None:
    """A key management service that speaks the AWS KMS API.

    `kms-server serve` runs it. The other commands work on the same data directory, also while the server
    runs, and what they change holds at once.

    Every option can also be given as an environment variable, KMS_SERVER_<OPTION>, or in a TOML file named
    by --config.
    """


def main() -> None:
    """Run the command line; a condition the operator must mend is one line on stderr and exit code 2.

    So is a disk or a database that fails meanwhile.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # A pool tells with a traceback what cannot be closed of a connection whose loss is told anyway.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    try:
        try:
            cli(prog_name="kms-server")
        finally:
            if sys.stdout is not None:  # who started it may have closed that
                sys.stdout.flush()
    except (OperatorError, ServiceError) as error:
        _give_up(str(error))
    except OSError as error:
        # What could not be written would be tried again when the process ends, and be told once more.
        sys.stdout = None
        place = f" {error.filename}" if error.filename else ""
        _give_up(f"the system refused: {error.strerror or type(error).__name__}{place}")
    except Exception as error:
        from kms_server.storage.failure import failure_of  # noqa: PLC0415 - takes longer than all else that --help needs

        told = failure_of(error)
        if told is None:
            raise
        _give_up(told)


def _give_up(told: str) -> NoReturn:
    click.echo(f"kms-server: {told}", err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
