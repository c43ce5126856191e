"""The secret that servers share of which one forwards calls to another: a file with at least 32 bytes in base64."""

import base64
import binascii
import os
from pathlib import Path

from kms_server.crypto.kdf import Prf
from kms_server.errors import OperatorError
from kms_server.files import read_private, write_private
from kms_server.protocol.forwarding import claim_key

_BYTES = 32


def create(path: Path) -> None:
    """Make a secret of 256 random bits.

    Raises:
        OperatorError: the file exists or cannot be made.
    """
    if path.exists():
        raise OperatorError(f"{path} exists: choose another name, or remove it where no server uses it")
    try:
        write_private(path, base64.b64encode(os.urandom(_BYTES)) + b"\n")
    except OSError as error:
        raise OperatorError(f"cannot create the secret {path}: {error.strerror}") from None


def load_key(path: Path) -> Prf:
    """The key of forwarded calls that the secret in a file stands for.

    Raises:
        OperatorError: the file is missing, malformed, or readable by others.
    """
    remedy = f"make one by `kms-server s3 forward-secret {path}`"
    content = read_private(path, called="the secret", remedy=remedy)
    try:
        secret = base64.b64decode(content.strip(), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) < _BYTES:
        raise OperatorError(
            f"{path} is not {_BYTES} bytes in base64: make one by `kms-server s3 forward-secret FILE`"
        )
    return claim_key(secret)
