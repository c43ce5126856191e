"""Passphrases and keys that a command is given: on the terminal, by a file or by a descriptor, never as an argument."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict, Unpack

import click

from kms_server.backup.protection import PASSPHRASE, Identity, Opening, Passphrase, Recipient, Sealing
from kms_server.backup.sealed_file import SealedReader
from kms_server.cli.options import option
from kms_server.errors import OperatorError
from kms_server.files import read_private

_MOST = 4_096
_LEAST = 8
_FILE = click.Path(path_type=Path, dir_okay=False)


class Given(TypedDict):
    """What `passphrase_options` passes to a command."""

    passphrase_file: Path | None
    passphrase_fd: int | None


def passphrase_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which a command is given a passphrase."""
    for decorate in (
        option("--passphrase-fd", type=click.IntRange(0), metavar="N", help="Read the passphrase from this open descriptor."),
        option(
            "--passphrase-file", type=_FILE,
            help="Read the passphrase from this file, which only its owner may read. Without either the terminal is asked.",
        ),
    ):  # fmt: skip
        command = decorate(command)
    return command


def identity_option(command: Callable[..., None]) -> Callable[..., None]:
    """The option by which a command is given the private key of a recipient."""
    return option(
        "--identity", type=_FILE,
        help="Private key, PEM, of the recipient that the backup is encrypted for; only its owner may read the file.",
    )(command)  # fmt: skip


def sealing(recipient: Path | None, **given: Unpack[Given]) -> Sealing:
    """What a new backup is encrypted under.

    Raises:
        OperatorError: it cannot be read, or cannot be asked for.
    """
    if recipient is None:
        return Passphrase(_passphrase(given, twice=True))
    if given["passphrase_file"] is not None or given["passphrase_fd"] is not None:
        raise OperatorError("give either --recipient or a passphrase")
    try:
        with recipient.open("rb") as file:
            pem = file.read(65_536)
    except OSError as error:
        raise OperatorError(f"cannot read {recipient}: {error.strerror}") from None
    return Recipient.load(pem, str(recipient))


@contextmanager
def unlocked(file: Path, identity: Path | None, **given: Unpack[Given]) -> Iterator[SealedReader]:
    """A backup that can be read.

    Raises:
        OperatorError: it cannot be opened with what is given.
    """
    with opened_file(file) as reader:
        reader.unlock(_opening(identity, reader.header.get("protection"), given))
        yield reader


@contextmanager
def opened_file(file: Path) -> Iterator[SealedReader]:
    """A backup of which only what it says in clear can be read.

    Raises:
        OperatorError: there is none.
    """
    try:
        content = file.open("rb")
    except OSError as error:
        raise OperatorError(f"cannot read {file}: {error.strerror}") from None
    with content:
        yield SealedReader(content)


def _opening(identity: Path | None, said: object, given: Given) -> Opening:
    if identity is not None:
        remedy = "name the recipient's private key by --identity FILE"
        return Identity.load(read_private(identity, called="the private key", remedy=remedy), str(identity))
    if not isinstance(said, dict) or said.get("kind") != PASSPHRASE:
        raise OperatorError(
            "the backup is encrypted for a public key: give the private key by --identity FILE"
        )
    return Passphrase(_passphrase(given, twice=False))


def _passphrase(given: Given, *, twice: bool) -> bytes:
    path, descriptor = given["passphrase_file"], given["passphrase_fd"]
    if path is not None and descriptor is not None:
        raise OperatorError("give either --passphrase-file or --passphrase-fd")
    if path is not None:
        found = read_private(path, called="the passphrase file", remedy="name another by --passphrase-file")
    elif descriptor is not None:
        found = _read(descriptor)
    elif sys.stdin.isatty():
        asked: str = click.prompt(
            "Passphrase of the backup", hide_input=True, confirmation_prompt=twice, err=True
        )
        found = asked.encode()
    else:
        raise OperatorError(
            "there is no terminal to ask for a passphrase: use --passphrase-file or --passphrase-fd"
        )
    found = found.removesuffix(b"\n").removesuffix(b"\r")
    if twice and len(found) < _LEAST:
        raise OperatorError(
            f"the passphrase is too short: it needs {_LEAST} characters at least, and should have many more"
        )
    return found


def _read(descriptor: int) -> bytes:
    found = b""
    try:
        while len(found) <= _MOST and (more := os.read(descriptor, _MOST)):
            found += more
    except OSError as error:
        raise OperatorError(f"cannot read the descriptor {descriptor}: {error.strerror}") from None
    return found[:_MOST]
