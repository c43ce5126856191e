"""The local socket by which custodians give their shares to a sealed server: one line each way, JSON back."""

import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from kms_server.errors import OperatorError

_NAME = "unseal.sock"
_PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid
_ANSWER_SECONDS = 30.0
LONGEST_LINE = 1_024


class Progress(TypedDict, total=False):
    """What a sealed server answers; `error` says why it did not take a share."""

    given: int
    threshold: int
    sealed: bool
    error: str


@contextmanager
def listening(state_dir: Path) -> Iterator[socket.socket]:
    """The socket of a sealed server, which only its user may open; the server's lock keeps it to one server."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    with made, _short(state_dir) as place:
        (state_dir / _NAME).unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            made.bind(place)
        finally:
            os.umask(before)
        made.listen(8)
        try:
            yield made
        finally:
            (state_dir / _NAME).unlink(missing_ok=True)


def is_ours(peer: socket.socket) -> bool:
    """Whether the process at the other end is of this user or of root."""
    _, uid, _ = _PEER.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return uid in (os.getuid(), 0)


def give(state_dir: Path, share: str) -> Progress:
    """Give a share to the server that waits there.

    Raises:
        OperatorError: none waits, or it does not take the share.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer, _short(state_dir) as place:
            peer.settimeout(_ANSWER_SECONDS)
            peer.connect(place)
            peer.sendall(share.encode() + b"\n")
            with peer.makefile("rb") as answer:
                told: Progress = json.loads(answer.readline(LONGEST_LINE))
    except (OSError, ValueError) as error:
        raise OperatorError(
            f"no sealed server waits in {state_dir.parent} ({error}): start one with --root-key shares:PATH, "
            "or give its --data-dir"
        ) from None
    if "error" in told:
        raise OperatorError(told["error"])
    return told


@contextmanager
def _short(state_dir: Path) -> Iterator[str]:
    """The socket's address: names of sockets are cut at 107 bytes, and directories may have longer ones."""
    directory = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{_NAME}"
    finally:
        os.close(directory)
