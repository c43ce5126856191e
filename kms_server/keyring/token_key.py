"""The key that tokens in clients' hands are wrapped under: random, kept wrapped under the root key.

So tokens outlive the version of the root key that there was when they were issued.
"""

import os

from kms_server.crypto import wrap
from kms_server.crypto.wrap import WrapError
from kms_server.errors import OperatorError
from kms_server.root_keys.binding import token_key_binding
from kms_server.root_keys.ring import RootKeys
from kms_server.storage import wrapped_secrets
from kms_server.storage.database import Database

_BYTES = 32


class TokenKey:
    """Wraps what clients keep: grant tokens, session tokens and import tokens."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def wrap(self, content: bytes, binding: bytes) -> bytes:
        """Wrap the content of a token, bound to its kind."""
        return wrap.wrap(self._secret, content, binding)

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes:
        """The content of a token.

        Raises:
            WrapError: damaged, not issued here, or of another kind.
        """
        return wrap.unwrap(self._secret, wrapped, binding)


def obtain(database: Database, root: RootKeys) -> TokenKey:
    """The token key of a database; it is made when it is first asked for.

    Raises:
        OperatorError: it does not open under the root key.
    """
    with database.read() as connection:
        kept = wrapped_secrets.get(connection, wrapped_secrets.TOKEN_KEY)
    if kept is None:
        kept = _make(database, root)
    try:
        return TokenKey(root.unwrap(kept, token_key_binding()))
    except WrapError:
        raise OperatorError(
            "the key of tokens does not open under the root key: one of them was changed; restore both from one backup"
        ) from None


def _make(database: Database, root: RootKeys) -> bytes:
    """Keep a fresh key, unless another process was first."""
    with database.write() as tx:
        kept = wrapped_secrets.get(tx.connection, wrapped_secrets.TOKEN_KEY)
        if kept is None:
            kept = root.wrap(os.urandom(_BYTES), token_key_binding())
            wrapped_secrets.add(tx, wrapped_secrets.TOKEN_KEY, kept)
    return kept
