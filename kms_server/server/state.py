"""A server's lasting state, as its workers and the commands beside it open it."""

import secrets
from contextlib import ExitStack
from dataclasses import dataclass

from kms_server.audit import chain_key
from kms_server.audit.chain import ChainKey
from kms_server.clock import Clock
from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.files import make_private_dir
from kms_server.root_keys.opening import root_key_source
from kms_server.root_keys.provider import RootKey, RootKeySource
from kms_server.storage import schema_version
from kms_server.storage import settings as stored
from kms_server.storage.database import Database, open_database


@dataclass(frozen=True, slots=True)
class State:
    """A server's lasting state: its database, its root key, the key of its audit log and its clock."""

    settings: Settings
    database: Database
    root_key: RootKey
    chain_key: ChainKey
    clock: Clock


def open_state(settings: Settings, source: RootKeySource | None = None) -> State:
    """Open what the first start made; `source` is of the settings unless it is given.

    Raises:
        OperatorError: there is no such server, or the root key is missing or wrong.
    """
    require_database(settings)
    make_private_dir(settings.state_dir)
    database = open_database(settings.database_url, settings.data_dir, settings.state_dir)
    with ExitStack() as refused:
        refused.callback(database.close)
        schema_version.require_current(database.engine)
        source = source or root_key_source(settings)
        root = source.load()
        with database.read() as connection:
            fingerprint = stored.get(connection, stored.ROOT_FINGERPRINT)
            offset = float(stored.get(connection, stored.CLOCK_OFFSET) or 0.0)
        check_fingerprint(source, root, fingerprint)
        key = chain_key.obtain(database, root)
        refused.pop_all()
    return State(settings, database, root, key, Clock(offset))


def require_database(settings: Settings) -> None:
    """Check that there is a database, without making anything.

    Raises:
        OperatorError: there is none.
    """
    if not has_database(settings):
        raise OperatorError(
            f"there is no server in {settings.data_dir}: run `kms-server serve` first, or give --data-dir"
        )


def has_database(settings: Settings) -> bool:
    """Whether a server has made its database, or one is named that others look after."""
    return settings.database_url is not None or (settings.data_dir / "keys.db").exists()


def check_fingerprint(source: RootKeySource, root: RootKey, fingerprint: str | None) -> None:
    """Check that a root key is the one that the database was made with.

    Raises:
        OperatorError: it is another.
    """
    if fingerprint is not None and not secrets.compare_digest(root.fingerprint, fingerprint):
        raise OperatorError(
            f"the root key in {source.place} is not the one this database was made with: {source.remedy}"
        )
