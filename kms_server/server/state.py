"""A server's lasting state, as its workers and the commands beside it open it."""

import secrets
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from kms_server.audit import chain_key
from kms_server.audit.chain import ChainKey
from kms_server.clock import Clock
from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.files import make_private_dir
from kms_server.root_keys.file import FileRootKey
from kms_server.root_keys.provider import RootKey
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


def open_state(settings: Settings) -> State:
    """Open what the first start made.

    Raises:
        OperatorError: there is no such server, or the root key is missing or wrong.
    """
    require_database(settings)
    make_private_dir(settings.state_dir)
    database = open_database(settings.database_url, settings.data_dir, settings.state_dir)
    with ExitStack() as refused:
        refused.callback(database.close)
        schema_version.require_current(database.engine)
        root = FileRootKey.load(root_key_path(settings))
        with database.read() as connection:
            fingerprint = stored.get(connection, stored.ROOT_FINGERPRINT)
            offset = float(stored.get(connection, stored.CLOCK_OFFSET) or 0.0)
        check_fingerprint(settings, root, fingerprint)
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


def root_key_path(settings: Settings) -> Path:
    """Where the root key file is: `--root-key file:PATH`, or the data directory's own."""
    if settings.root_key is None:
        return settings.root_key_file
    kind, _, path = settings.root_key.partition(":")
    if kind != "file" or not path:
        raise OperatorError("--root-key must be file:PATH")
    return Path(path)


def check_fingerprint(settings: Settings, root: RootKey, fingerprint: str | None) -> None:
    """Check that a root key is the one that the database was made with.

    Raises:
        OperatorError: it is another.
    """
    if fingerprint is not None and not secrets.compare_digest(root.fingerprint, fingerprint):
        raise OperatorError(
            f"the root key in {root_key_path(settings)} is not the one this database was made with: "
            "put the right file back, or name it by --root-key file:PATH"
        )
