"""`kms-server backup`: make, verify and describe backups."""

import json
import os
import sys
from pathlib import Path
from typing import BinaryIO, Unpack

import click

from kms_server.backup import archive, source
from kms_server.backup.archive import ArchiveWriter
from kms_server.backup.protection import KnownKey, Sealing
from kms_server.backup.sealed_file import SealedReader, SealedWriter
from kms_server.cli.operator import change, opened
from kms_server.cli.options import Where, option, state_options, state_settings
from kms_server.cli.secrets_given import (
    Given,
    identity_option,
    opened_file,
    passphrase_options,
    sealing,
    unlocked,
)
from kms_server.cli.terminal import progress
from kms_server.config import DEFAULT_ACCOUNT
from kms_server.errors import OperatorError
from kms_server.files import private_file
from kms_server.server.state import State

_STDOUT = Path("-")
_ARCHIVE = click.Path(path_type=Path, dir_okay=False)


class _FileOrCommand(click.Group):
    """A group whose first word may be a file: then it is that of `create`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command in front that is meant."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["create", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_FileOrCommand, subcommand_metavar="FILE|- [OPTIONS]... | COMMAND [ARGS]...")
def backup() -> None:
    """Make a backup of a server, or look at one; `kms-server restore` makes a server of it.

    \b
        kms-server backup keys.backup                          # asks for a passphrase
        kms-server backup keys.backup --recipient public.pem   # only the private key opens it
        kms-server backup - --passphrase-file F | ssh ...      # to standard output
        kms-server backup verify keys.backup

    In it are keys, identities, grants, limits, trails, the S3 layer's buckets and index, and the audit log: all of one
    moment, also while the server runs and is changed. Not in it are the root key (but see --with-root-key), sealed bytes of S3
    objects (the directory objects/), certificates, credentials.env and counters of limits. docs/backup.md has a drill.
    """


@backup.command(short_help="Make a backup; `create` may be left out.")
@click.argument("file", type=_ARCHIVE)
@option(
    "--recipient", type=_ARCHIVE,
    help="Encrypt for this public key (PEM; X25519, or RSA of 2048 bits or more) in place of a passphrase.",
)  # fmt: skip
@option(
    "--with-root-key", is_flag=True,
    help="Put the root key file into the backup, too. Whoever opens such a backup has every key of the server; without it a "
    "thief of the backup and its passphrase still has none. Otherwise keep the root key elsewhere: a restore needs it.",
)  # fmt: skip
@passphrase_options
@state_options
def create(
    file: Path, *, recipient: Path | None, with_root_key: bool, passphrase_file: Path | None,
    passphrase_fd: int | None, **where: Unpack[Where],
) -> None:  # fmt: skip
    """Write a backup to FILE, which must not exist, or to standard output (-).

    A file is read again and checked before it gets its name. Standard output cannot be: run `kms-server backup verify` on
    what it has become. The server may run; pruning of the audit log waits meanwhile.
    """
    if file != _STDOUT and file.exists():
        raise OperatorError(f"{file} exists: name a new file")
    if file == _STDOUT and sys.stdout.isatty():
        raise OperatorError("a backup is not for a terminal: redirect standard output, or name a file")
    protection = sealing(recipient, passphrase_file=passphrase_file, passphrase_fd=passphrase_fd)
    with opened(state_settings(**where)) as state:
        try:
            if file == _STDOUT:
                _write(state, sys.stdout.buffer, protection, with_root_key=with_root_key)
                sys.stdout.buffer.flush()
                return
            with private_file(file) as made:
                key = _write(state, made, protection, with_root_key=with_root_key)
                size = _read_back(made, key)
        except OSError as error:
            raise OperatorError(f"cannot write the backup {file}: {error.strerror}") from None
    click.echo(f"{file}: {size:,} bytes, read again and whole")


def _write(state: State, file: BinaryIO, protection: Sealing, *, with_root_key: bool) -> KnownKey:
    header = source.describe(state, with_root_key=with_root_key)
    # Before the view that is backed up, so that the log in the backup tells of it.
    with change(
        state, "CreateBackup", DEFAULT_ACCOUNT, backupId=header["id"], withRootKey=with_root_key or None
    ):
        pass
    writer = SealedWriter(file, header, protection)
    with progress(header["size"]) as advance:
        source.write(state, ArchiveWriter(writer, advance), with_root_key=with_root_key)
        advance(header["size"])  # which is no more than about right
    return writer.key


def _read_back(file: BinaryIO, key: KnownKey) -> int:
    """Check what the disk has; its size in bytes."""
    file.flush()
    os.fsync(file.fileno())
    # Otherwise it would be read from memory.
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    reader = SealedReader(file)
    reader.unlock(key)
    with progress(reader.size) as advance:
        archive.check(reader, advance)
    return os.fstat(file.fileno()).st_size


@backup.command()
@click.argument("file", type=_ARCHIVE)
@identity_option
@passphrase_options
def verify(file: Path, *, identity: Path | None, **given: Unpack[Given]) -> None:
    """Read and authenticate all of a backup, without restoring it. Exit code 2: it is damaged."""
    with unlocked(file, identity, **given) as reader:
        with progress(reader.size) as advance:
            members = archive.check(reader, advance)
        click.echo(
            f"{file}: {members} members, {reader.size:,} bytes, whole; taken {reader.header.get('created')}"
        )


@backup.command()
@click.argument("file", type=_ARCHIVE)
def info(file: Path) -> None:
    """Show what a backup says in clear, as JSON; only `verify` tells whether it is true."""
    with opened_file(file) as reader:
        click.echo(json.dumps(reader.header, indent=2))
