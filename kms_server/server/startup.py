"""The first start: everything that a server needs is made, or found fit for use."""

import logging
import os
import time

from kms_server.clock import real_now
from kms_server.config import DEFAULT_ACCOUNT, Settings
from kms_server.errors import DatabaseDown, DatabaseRefuses, OperatorError
from kms_server.files import locked, make_private_dir
from kms_server.keyring import access_keys
from kms_server.root_keys.places import place_told
from kms_server.root_keys.provider import RootKey, RootPlace
from kms_server.root_keys.ring import RootKeys, prefix_of
from kms_server.server import credentials, tls
from kms_server.server.root_custody import open_root, places_told, take_up
from kms_server.server.state import has_database
from kms_server.storage import migrate, root_versions
from kms_server.storage import settings as stored
from kms_server.storage.database import Database, Transaction, initialise, open_database
from kms_server.storage.root_versions import RootState, RootVersion, in_state

_LOG = logging.getLogger(__name__)
_AGAIN_SECONDS = 0.5
# What tests may do to a server for good, where its first start has the variable, or --dev.
_ALLOWED_BY = {
    stored.CLOCK_CONTROL: "KMS_SERVER_CLOCK_CONTROL",
    stored.FAULT_INJECTION: "KMS_SERVER_FAULT_INJECTION",
}


def check_state(settings: Settings, place: RootPlace) -> None:
    """Look at what a start needs, before anything is made.

    Raises:
        OperatorError: the root key or the certificate cannot be used, or the database is lost.
    """
    told = places_told(settings, place)
    if len(told) == 1:
        place.check()
    elif not (place.exists() and _is_fit(place)):
        told[-1].read()
    if not settings.tls_auto:
        tls.context(settings)
    if not has_database(settings) and settings.audit_dir.exists() and _has_own_root_key(settings, place):
        raise OperatorError(
            f"{settings.data_dir} has a root key and an audit log but no keys.db: restore it from a backup, give "
            "--database-url where the keys are in PostgreSQL, or choose an empty directory by --data-dir"
        )


def _is_fit(place: RootPlace) -> bool:
    """Whether a place can be used that the root key has moved from, and that may not be needed any more."""
    try:
        place.check()
    except OperatorError as error:
        _LOG.warning("where the root key was before: %s", error)
        return False
    return True


def _has_own_root_key(settings: Settings, place: RootPlace) -> bool:
    """Whether a first start has made its root key in the data directory."""
    made = place.path
    inside = made is not None and made.resolve().is_relative_to(settings.data_dir.resolve())
    return settings.root_key_file.exists() or (inside and place.exists())


def prepare_in_time(settings: Settings, place: RootPlace, patience: float) -> None:
    """Prepare, and wait up to `patience` seconds for a database that does not answer yet: the two may start together.

    Raises:
        OperatorError: as for `prepare`.
    """
    deadline, waits = time.monotonic() + patience, False
    while True:
        try:
            return prepare(settings, place)
        except DatabaseDown as error:
            if isinstance(error, DatabaseRefuses) or time.monotonic() > deadline:
                raise
            if not waits:
                _LOG.warning("waiting up to %.0f s: %s", patience, error)
            waits = True
            time.sleep(_AGAIN_SECONDS)


def prepare(settings: Settings, place: RootPlace | None = None) -> None:
    """Make the data directory, the schema, the root key and the first access key, where they are missing.

    `place` is of the settings unless it is given.

    Raises:
        OperatorError: something is in the way; nothing was changed.
    """
    for directory in (settings.data_dir, settings.state_dir, settings.audit_dir, settings.data_audit_dir):
        make_private_dir(directory)
    with locked(settings.state_dir / "first-start.lock"):
        database = open_database(settings.database_url, settings.data_dir, settings.state_dir)
        try:
            with migrate.lock(settings.state_dir):
                migrate.upgrade(database.engine)
            _first_start(settings, place or place_told(settings), database)
            if settings.tls_auto:
                tls.ensure_auto(settings)
            _check_mode(settings, database)
            _tell_of_faults(settings, database)
        finally:
            database.close()


def _first_start(settings: Settings, place: RootPlace, database: Database) -> None:
    if _is_begun(database):
        _require_announced(settings, place, database)
        return
    made = _root_key(place)
    root = RootKeys([made], made.version)
    with database.engine.begin() as connection:
        initialise(connection)
    with database.write() as tx:
        # Another host may have been first on a shared database.
        begun = in_state(root_versions.every(tx.connection), RootState.CURRENT)
        is_first = begun is None or begun.fingerprint is None
        if is_first:
            first = RootVersion(
                made.version, RootState.CURRENT, made.fingerprint, place.spec, prefix_of(made.version), current_from=real_now()
            )  # fmt: skip
            root_versions.begin(tx, first)
            _furnish(settings, tx, root)
    if not is_first:
        _require_announced(settings, place, database)


def _is_begun(database: Database) -> bool:
    with database.read() as connection:
        current = in_state(root_versions.every(connection), RootState.CURRENT)
    return current is not None and current.fingerprint is not None


def _root_key(place: RootPlace) -> RootKey:
    """The root key, which another host may be making in a shared directory at this moment."""
    if not place.exists():
        try:
            return place.make(1)
        except OperatorError:
            if not place.exists():
                raise
    return place.read()[-1]


def _furnish(settings: Settings, tx: Transaction, root: RootKeys) -> None:
    stored.put(tx, stored.MODE, stored.DEV if settings.dev else "strict")
    for name, variable in _ALLOWED_BY.items():
        allowed = settings.dev or os.environ.get(variable) == "1"
        stored.put(tx, name, "1" if allowed else "0")
    key, secret = access_keys.create(tx, root, DEFAULT_ACCOUNT, None, real_now())
    # The file comes first: a crash before the commit leaves a key that works nowhere and is made anew.
    credentials.write(settings, key.access_key_id, secret)


def _require_announced(settings: Settings, place: RootPlace, database: Database) -> None:
    """Open the root key, with the version that is about to be used where there is one."""
    root = open_root(settings, database, place)
    with database.read() as connection:
        problem = take_up(settings, root_versions.every(connection), root)
    if problem is not None:
        raise OperatorError(f"{problem}; or give the change of the root key up by `kms-server root cancel`")


def _check_mode(settings: Settings, database: Database) -> None:
    with database.read() as connection:
        mode = stored.get(connection, stored.MODE)
    if (mode == stored.DEV) != settings.dev:
        advice = "add --dev" if mode == stored.DEV else "leave out --dev"
        raise OperatorError(
            f"{settings.data_dir} was created in {mode} mode: {advice}, or use another --data-dir"
        )


def _tell_of_faults(settings: Settings, database: Database) -> None:
    with database.read() as connection:
        allowed = stored.get(connection, stored.FAULT_INJECTION) == "1"
    if allowed and not settings.dev:
        _LOG.warning(
            "faults may be injected into calls, since the first start had KMS_SERVER_FAULT_INJECTION=1"
        )
