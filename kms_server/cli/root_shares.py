"""`kms-server root split` and `root unseal`: a root key that several custodians open together."""

import sys
from pathlib import Path

import click

from kms_server.cli.options import RootSettings, option, root_settings, state_options
from kms_server.errors import OperatorError
from kms_server.root_keys import shares as root_shares
from kms_server.root_keys.operator_secret import OperatorSecret
from kms_server.server import unseal_socket


@click.command()
@option("--shares", type=click.IntRange(2, 255), required=True, help="How many shares to make.")
@option("--threshold", type=click.IntRange(2, 255), required=True, help="How many of them open the root key.")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def split(shares: int, threshold: int, path: Path) -> None:
    """Make a new root key in PATH, and the shares that open it.

    The shares are printed now and never again: each custodian keeps one, apart from the others. Serve with
    --root-key shares:PATH, and give the shares by `kms-server root unseal`.
    """
    made = root_shares.split(path, shares=shares, threshold=threshold)
    try:
        sys.stdout.write("".join(f"{share}\n" for share in made))
        sys.stdout.flush()
    except OSError as error:
        # Nobody has the shares, so nobody can use the key either.
        path.unlink()
        raise OperatorError(f"cannot print the shares: {error.strerror}; nothing was made") from None
    click.echo(
        f"{path} opens with {threshold} of these {shares} shares, which are kept nowhere else", err=True
    )


@click.command()
@state_options
def unseal(data_dir: Path, **_: object) -> None:
    """Give one share to a server that was started with --root-key shares:PATH and is sealed.

    The share is asked for on the terminal, or read from --root-passphrase-fd or --root-passphrase-file, which may have
    several in one line, between blanks. Several custodians may do so on terminals of their own.
    """
    given: RootSettings = root_settings()
    secret = OperatorSecret(given.get("root_passphrase_file"), given.get("root_passphrase_fd"))
    told: unseal_socket.Progress = {}
    for share in secret.ask("Share").replace(",", " ").split():
        told = unseal_socket.give(data_dir / "state", share)
    if told.get("sealed", True):
        click.echo(f"{told.get('given', 0)} of {told.get('threshold', 0)} shares: the server is still sealed")
    else:
        click.echo("the server is unsealed")
