"""A server's lasting state, as its workers and the commands beside it open it."""

from contextlib import ExitStack
from dataclasses import dataclass

from kms_server.audit import chain_key
from kms_server.audit.chain import ChainKey
from kms_server.clock import Clock
from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.files import make_private_dir
from kms_server.keyring import token_key
from kms_server.keyring.token_key import TokenKey
from kms_server.root_keys.provider import RootPlace
from kms_server.root_keys.ring import RootKeys
from kms_server.server.root_custody import open_root
from kms_server.storage import schema_version
from kms_server.storage import settings as stored
from kms_server.storage.database import Database, open_database


@dataclass(frozen=True, slots=True)
class State:
    """A server's lasting state: its database, its root key, the keys of its audit log and of tokens, and its clock."""

    settings: Settings
    database: Database
    root_key: RootKeys
    chain_key: ChainKey
    token_key: TokenKey
    clock: Clock


def open_state(settings: Settings, place: RootPlace | None = None) -> State:
    """Open what the first start made; `place` is of the settings unless it is given.

    Raises:
        OperatorError: there is no such server, or the root key is missing or wrong.
    """
    require_database(settings)
    make_private_dir(settings.state_dir)
    database = open_database(settings.database_url, settings.data_dir, settings.state_dir)
    with ExitStack() as refused:
        refused.callback(database.close)
        schema_version.require_current(database.engine)
        root = open_root(settings, database, place)
        with database.read() as connection:
            offset = float(stored.get(connection, stored.CLOCK_OFFSET) or 0.0)
        key, tokens = chain_key.obtain(database, root), token_key.obtain(database, root)
        refused.pop_all()
    return State(settings, database, root, key, tokens, Clock(offset))


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
