"""`kms-server`: the group of all commands."""

import errno
import logging
import sys
from typing import NoReturn

import click

from kms_server import __version__
from kms_server.cli.command_group import CommandGroup, Elsewhere
from kms_server.diagnosis import frames_of, in_words
from kms_server.errors import OperatorError, ServiceError

_LOG = logging.getLogger(__name__)
# What a disk, a right, a limit or a network may refuse at any time, and a file where a directory belongs.
_REFUSALS = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE,
    errno.ENOMEM, errno.ENOTDIR, errno.EISDIR, errno.EPIPE, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED,
    errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT,
})  # fmt: skip

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

    So is a disk or a database that fails meanwhile. A mistake of ours is one line too, and exit code 1.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # A pool tells with a traceback what cannot be closed of a connection whose loss is told anyway.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    try:
        cli(prog_name="kms-server")
    except SystemExit as end:
        _end(end.code)
    except Exception as error:  # noqa: BLE001 - the last resort: a traceback may quote a secret
        told = _told(error)
        if told is not None:
            _end(2, told)
        _LOG.error("internal failure: %s at %s", in_words(error), frames_of(error))
        _end(1)


def _told(error: Exception) -> str | None:
    """What the operator can mend; None: a mistake of ours."""
    if isinstance(error, OperatorError | ServiceError):
        return str(error)
    if isinstance(error, OSError):
        return _refusal(error) if error.errno in _REFUSALS else None
    from kms_server.storage.failure import failure_of  # noqa: PLC0415 - takes longer than all else that --help needs

    return failure_of(error)


def _refusal(error: OSError) -> str:
    place = f" {error.filename}" if error.filename else ""
    return f"the system refused: {error.strerror or type(error).__name__}{place}"


def _end(code: object, *told: str) -> NoReturn:
    """Say what is wrong, and whether what was printed could not be written."""
    try:
        if sys.stdout is not None:  # who started it may have closed that
            sys.stdout.flush()
    except OSError as error:
        # It would be tried again when the process ends, and be told once more.
        sys.stdout = None
        code, told = code or 2, (*told, _refusal(error))
    for line in dict.fromkeys(told):
        click.echo(f"kms-server: {line}", err=True)
    sys.exit(code)  # type: ignore[arg-type]  # SystemExit's own


if __name__ == "__main__":
    main()
