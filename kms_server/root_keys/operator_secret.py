"""A passphrase or a PIN of the operator's: from a file, from an open descriptor, or typed. Never from arguments or variables."""

import getpass
import os
import unicodedata
from pathlib import Path

from kms_server.errors import OperatorError
from kms_server.files import read_private

_LONGEST = 1_024


class OperatorSecret:
    """Asks for the secret: a descriptor is read once, a terminal asks each time."""

    def __init__(self, file: Path | None = None, descriptor: int | None = None) -> None:
        if file is not None and descriptor is not None:
            raise OperatorError("give either --root-passphrase-file or --root-passphrase-fd")
        self._file = file
        self._descriptor = descriptor

    @property
    def is_typed(self) -> bool:
        """Whether a terminal is asked."""
        return self._file is None and self._descriptor is None

    def ask(self, name: str, *, twice: bool = False) -> str:
        """The secret in Unicode's form NFC; `name` is what a terminal calls it, `twice` has it typed again.

        Raises:
            OperatorError: there is none to be had, or it is empty, too long or no UTF-8.
        """
        if self._file is not None:
            return _text(_content(self._file), name)
        if self._descriptor is not None:
            return _text(_line(self._descriptor), name)
        typed = _typed(name)
        if twice and _typed(f"{name}, again") != typed:
            raise OperatorError(f"the two were not the same {name.lower()}: start again")
        return _text(typed.encode(errors="surrogateescape"), name)


def read_secret_file(path: Path, name: str) -> str:
    """The secret that is the one line of a file.

    Raises:
        OperatorError: it cannot be read, others can read it too, or it is no such line.
    """
    return _text(_content(path), name)


def _content(path: Path) -> bytes:
    # systemd hands credentials over by an access list, whose mask shows as the group's permission.
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    handed_over = credentials is not None and path.parent == Path(credentials)
    return read_private(
        path, called="the secret in", remedy="write it there with mode 0600",
        forbidden=0o037 if handed_over else 0o077,
    )  # fmt: skip


def _line(descriptor: int) -> bytes:
    content = b""
    try:
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            while b"\n" not in content and len(content) <= _LONGEST and (more := stream.read(_LONGEST)):
                content += more
    except OSError as error:
        raise OperatorError(
            f"cannot read --root-passphrase-fd {descriptor}: {error.strerror}; open it as in `{descriptor}<FILE`"
        ) from None
    return content


def _typed(name: str) -> str:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        raise OperatorError(
            f"{name.lower()} needed, and there is no terminal: give --root-passphrase-file or --root-passphrase-fd"
        ) from None
    try:
        return getpass.getpass(f"{name}: ")
    except EOFError:
        raise OperatorError(f"no {name.lower()} was given") from None


def _text(content: bytes, name: str) -> str:
    line = content.removesuffix(b"\n").removesuffix(b"\r")
    if not line:
        raise OperatorError(f"the {name.lower()} is empty")
    if len(line) > _LONGEST or b"\n" in line or b"\0" in line:
        raise OperatorError(f"the {name.lower()} is not one line of at most {_LONGEST} bytes")
    try:
        return unicodedata.normalize("NFC", line.decode())
    except UnicodeDecodeError:
        raise OperatorError(f"the {name.lower()} is not UTF-8") from None
