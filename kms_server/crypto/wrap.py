"""Key wrap: a secret under a long-lived key, format 1.

    1   format: 1
    16  salt
    n   AES-256-GCM ciphertext, then the 16-byte tag

Each wrap derives its own key from the salt, so the nonce is zero and no number of wraps comes near a GCM limit.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kms_server.crypto.kdf import Prf

_FORMAT = b"\x01"
_SALT = 16
_NONCE = bytes(12)
_SHORTEST = 1 + _SALT + 16
_LABEL = b"kms-server wrap v1"


class WrapError(Exception):
    """The wrapped bytes are damaged, or bound to something else, or under another key."""


def wrap(wrapping_key: bytes, secret: bytes, binding: bytes) -> bytes:
    """Wrap `secret` under 32 bytes of key; `binding` must be given again to unwrap."""
    return wrap_under(Prf(wrapping_key), secret, binding)


def unwrap(wrapping_key: bytes, wrapped: bytes, binding: bytes) -> bytes:
    """The secret that was wrapped.

    Raises:
        WrapError: anything differs.
    """
    return unwrap_under(Prf(wrapping_key), wrapped, binding)


def wrap_under(prf: Prf, secret: bytes, binding: bytes) -> bytes:
    """Wrap `secret` under the key of a pseudorandom function, wherever that is."""
    salt = os.urandom(_SALT)
    key = prf.derive(_LABEL, salt, 32)
    return _FORMAT + salt + AESGCM(key).encrypt(_NONCE, secret, _FORMAT + binding)


def unwrap_under(prf: Prf, wrapped: bytes, binding: bytes) -> bytes:
    """The secret that was wrapped.

    Raises:
        WrapError: anything differs.
    """
    if wrapped[:1] != _FORMAT or len(wrapped) < _SHORTEST:
        raise WrapError
    key = prf.derive(_LABEL, wrapped[1 : 1 + _SALT], 32)
    try:
        return AESGCM(key).decrypt(_NONCE, wrapped[1 + _SALT :], _FORMAT + binding)
    except InvalidTag:
        raise WrapError from None
