"""The key of the chains of audit records: random, kept wrapped under the root key."""

import os

from kms_server.audit.chain import ChainKey
from kms_server.crypto.wrap import WrapError
from kms_server.errors import OperatorError
from kms_server.root_keys.binding import chain_key_binding
from kms_server.root_keys.ring import RootKeys
from kms_server.storage import audit_writers, wrapped_secrets
from kms_server.storage.database import Database

_BYTES = 32


def obtain(database: Database, root: RootKeys) -> ChainKey:
    """The chain key of a database; it is made when it is first asked for.

    Raises:
        OperatorError: it does not open under the root key, or is gone though there are chains.
    """
    with database.read() as connection:
        kept = wrapped_secrets.get(connection, wrapped_secrets.CHAIN_KEY)
    return opened(_make(database, root) if kept is None else kept, root)


def opened(kept: bytes, root: RootKeys) -> ChainKey:
    """The chain key that a database keeps.

    Raises:
        OperatorError: it does not open under the root key.
    """
    try:
        return ChainKey(root.unwrap(kept, chain_key_binding()))
    except WrapError:
        raise OperatorError(
            "the key of the audit log's chains does not open under the root key: one of them was changed; restore both "
            "from one backup"
        ) from None


def _make(database: Database, root: RootKeys) -> bytes:
    """Keep a fresh key, unless another process was first."""
    with database.write() as tx:
        kept = wrapped_secrets.get(tx.connection, wrapped_secrets.CHAIN_KEY)
        if kept is None:
            if audit_writers.is_begun(tx.connection):
                raise OperatorError(
                    "the key of the audit log's chains is gone from the database, and with it the proof of the log: "
                    "restore the database from a backup"
                )
            kept = root.wrap(os.urandom(_BYTES), chain_key_binding())
            wrapped_secrets.add(tx, wrapped_secrets.CHAIN_KEY, kept)
    return kept
