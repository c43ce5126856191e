"""The key of the chains of audit records: random, kept wrapped under the root key."""

import base64
import os

from kms_server.audit.chain import ChainKey
from kms_server.crypto.wrap import WrapError
from kms_server.errors import OperatorError
from kms_server.root_keys.binding import chain_key_binding
from kms_server.root_keys.provider import RootKey
from kms_server.storage import audit_writers, settings
from kms_server.storage.database import Database

_BYTES = 32


def obtain(database: Database, root: RootKey) -> ChainKey:
    """The chain key of a database; it is made when it is first asked for.

    Raises:
        OperatorError: it does not open under the root key, or is gone though there are chains.
    """
    with database.read() as connection:
        kept = settings.get(connection, settings.CHAIN_KEY)
    return opened(_make(database, root) if kept is None else kept, root)


def opened(kept: str, root: RootKey) -> ChainKey:
    """The chain key that a database keeps.

    Raises:
        OperatorError: it does not open under the root key.
    """
    try:
        return ChainKey(root.unwrap(base64.b64decode(kept), chain_key_binding(root_version=root.version)))
    except WrapError:
        raise OperatorError(
            "the key of the audit log's chains does not open under the root key: one of them was changed; restore both "
            "from one backup"
        ) from None


def _make(database: Database, root: RootKey) -> str:
    """Keep a fresh key, unless another process was first."""
    with database.write() as tx:
        kept = settings.get(tx.connection, settings.CHAIN_KEY)
        if kept is None:
            if audit_writers.is_begun(tx.connection):
                raise OperatorError(
                    "the key of the audit log's chains is gone from the database, and with it the proof of the log: "
                    "restore the database from a backup"
                )
            wrapped = root.wrap(os.urandom(_BYTES), chain_key_binding(root_version=root.version))
            kept = base64.b64encode(wrapped).decode()
            settings.put(tx, settings.CHAIN_KEY, kept)
    return kept
