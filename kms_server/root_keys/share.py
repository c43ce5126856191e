"""One custodian's share of the key that seals a root key, as text: `KS1` and groups of base32.

1   format: 1
4   which set of shares
1   number, from 1
1   threshold
32  the share
4   SHA-256 of all that, cut: against slips of the pen
"""

import base64
import binascii
from hashlib import sha256
from typing import NamedTuple

from kms_server.errors import OperatorError

_PREFIX = "KS1"
_FORMAT = 1
_LENGTH = 43
_GROUP = 5


class Share(NamedTuple):
    """A share; `set_id` has four bytes and is the same in all shares that belong together."""

    set_id: bytes
    number: int
    threshold: int
    part: bytes

    def __repr__(self) -> str:
        return f"Share({self.set_id.hex()}, {self.number})"

    def encode(self) -> str:
        """The text that a custodian keeps."""
        content = bytes([_FORMAT]) + self.set_id + bytes([self.number, self.threshold]) + self.part
        text = base64.b32encode(content + _checksum(content)).decode().rstrip("=")
        return "-".join([_PREFIX, *(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))])

    @classmethod
    def decode(cls, text: str) -> "Share":
        """Read a share; capitals, blanks and hyphens make no difference.

        Raises:
            OperatorError: it is none, or was mistyped.
        """
        typed = "".join(text.split()).replace("-", "").upper()
        refused = OperatorError(f"this is no share, or it has a slip of the pen: it begins with {_PREFIX}-")
        if not typed.startswith(_PREFIX):
            raise refused
        digits = typed.removeprefix(_PREFIX)
        try:
            content = base64.b32decode(digits + "=" * (-len(digits) % 8))
        except (binascii.Error, ValueError):
            raise refused from None
        body, checksum = content[:-4], content[-4:]
        if len(content) != _LENGTH or checksum != _checksum(body) or body[0] != _FORMAT:
            raise refused
        share = cls(body[1:5], body[5], body[6], body[7:])
        if share.encode().replace("-", "") != typed:  # the last digit has a bit to spare
            raise refused
        return share


def _checksum(content: bytes) -> bytes:
    return sha256(content).digest()[:4]
