"""`kms-server restore`: make a server of a backup."""

from pathlib import Path
from typing import Unpack

import click

from kms_server.audit.chain import ChainKey
from kms_server.audit.ledger import Ledger
from kms_server.audit.restores import Restore
from kms_server.backup import target
from kms_server.backup.archive import ArchiveReader
from kms_server.cli.operator import Deed, note
from kms_server.cli.options import Where, state_options, state_settings
from kms_server.cli.secrets_given import identity_option, passphrase_options, unlocked
from kms_server.cli.terminal import progress
from kms_server.clock import iso_seconds
from kms_server.config import DEFAULT_ACCOUNT, DEFAULT_REGION
from kms_server.errors import OperatorError
from kms_server.storage.database import Transaction


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@identity_option
@passphrase_options
@state_options
def restore(
    file: Path, *, identity: Path | None, passphrase_file: Path | None, passphrase_fd: int | None,
    **where: Unpack[Where],
) -> None:  # fmt: skip
    """Make the new directory --data-dir from a backup, or fill the empty PostgreSQL database at --database-url.

    A backup of either store can be restored to either. All is made, or nothing: a damaged backup changes nothing. The root
    key comes from --root-key, unless it is in the backup.

    The server that begins with it is the one of that moment: what happened later is lost, and the audit log has a record
    that says so, RestoreBackup. Let no other server go on that has the same keys. Access keys are those of then; a root
    access key can be made by `kms-server identity create-key --root`.
    """
    settings = state_settings(**where)
    with (
        unlocked(file, identity, passphrase_file=passphrase_file, passphrase_fd=passphrase_fd) as reader,
        progress(reader.size) as advance,
    ):
        try:
            made = target.restore(settings, reader.header, ArchiveReader(reader, advance), _note)
        except OSError as error:
            raise OperatorError(f"cannot write {settings.data_dir}: {error.strerror}") from None
    click.echo(f"{settings.data_dir} is the server of {iso_seconds(made.taken_at)}")


def _note(tx: Transaction, key: ChainKey, made: Restore) -> None:
    parameters = {
        "backupId": made.backup,
        "backupTime": iso_seconds(made.taken_at),
        "checkpoint": made.checkpoint,
    }
    note(tx, Ledger(key), Deed("RestoreBackup", DEFAULT_ACCOUNT, DEFAULT_REGION, parameters), made.time)
