"""A root key in a file, sealed by a key that is elsewhere: `kms-server-sealed-root-key 1 KIND VERSION PARAMETERS SEALED`.

The file is no secret. All that stands before SEALED is authenticated with it.
"""

import re
from pathlib import Path
from typing import NamedTuple

from kms_server.errors import OperatorError
from kms_server.files import read_private
from kms_server.root_keys import key_file

_LINE = re.compile(
    rb"kms-server-sealed-root-key 1 ([a-z0-9]{1,16}) ([1-9][0-9]{0,8}) ([!-~]{1,1024}) ([0-9a-f]{2,2048})\n"
)


class Heading(NamedTuple):
    """How a root key is sealed: `parameters` are the kind's own, in printable ASCII without spaces."""

    kind: str
    version: int
    parameters: str

    def encode(self) -> bytes:
        """What the sealed key is bound to."""
        return f"kms-server-sealed-root-key 1 {self.kind} {self.version} {self.parameters}".encode()


class SealedFile(NamedTuple):
    """The content of such a file."""

    heading: Heading
    sealed: bytes

    def write(self, path: Path) -> None:
        """Make the file, durable before this returns.

        Raises:
            OperatorError: it exists or cannot be made.
        """
        key_file.create(path, b"%b %b\n" % (self.heading.encode(), self.sealed.hex().encode()))

    @classmethod
    def read(cls, path: Path, kind: str) -> "SealedFile":
        """Read a file of one kind.

        Raises:
            OperatorError: it is missing, malformed, readable by others, or of another kind.
        """
        remedy = f"put the file back or name it by --root-key {kind}:PATH"
        content = read_private(path, called="the sealed root key", remedy=remedy)
        matched = _LINE.fullmatch(content)
        if matched is None or len(matched[4]) % 2:
            raise malformed(path)
        heading = Heading(matched[1].decode(), int(matched[2]), matched[3].decode())
        if heading.kind != kind:
            raise OperatorError(
                f"the root key in {path} is of another kind: give --root-key {heading.kind}:..."
            )
        key_file.finish(path)
        return cls(heading, bytes.fromhex(matched[4].decode()))


def malformed(path: Path) -> OperatorError:
    """The error for a file that is not what was written."""
    return OperatorError(f"{path} is not a sealed root key file: restore it from a backup")
