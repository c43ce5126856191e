"""Makes a server of a backup: in a new data directory, and in an empty database where one is named.

Backups of both databases have the same form, so either can be restored to either. On PostgreSQL the embedded log's segments
become rows of the tables of the log; in the other direction rows of those tables stay there.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import Any, TypeAlias

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from kms_server.audit import chain_key
from kms_server.audit.chain import ChainKey
from kms_server.audit.restores import Restore, declare
from kms_server.audit.sealing import seal
from kms_server.backup.archive import ArchiveReader, Member
from kms_server.backup.filling import Filling
from kms_server.backup.sealed_file import Damaged
from kms_server.backup.source import LABEL, ROOT_KEY
from kms_server.backup.staging import Staging, staged
from kms_server.clock import Clock
from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.files import make_private_dir, write_private
from kms_server.root_keys.ring import RootKeys
from kms_server.server.audit_proof import checkpoints_of
from kms_server.server.root_custody import places_told
from kms_server.server.state import open_state
from kms_server.storage import audit_writers, checkpoints, dumping, migrate, schema_version, wrapped_secrets
from kms_server.storage import settings as stored
from kms_server.storage.database import Database, Transaction, begun, open_database, take_time

# Adds the record of a restore to its transaction.
Note: TypeAlias = Callable[[Transaction, ChainKey, Restore], None]


@dataclass(frozen=True, slots=True)
class _Said:
    """What the header says that a restore goes by."""

    backup: str
    time: float
    schema: str
    with_root_key: bool
    fingerprints: frozenset[str]

    @classmethod
    def of(cls, header: Mapping[str, Any]) -> "_Said":
        """Read it.

        Raises:
            Damaged: something is missing.
        """
        try:
            fingerprints = frozenset(str(one["fingerprint"]) for one in header["rootKeys"])
            return cls(
                str(header["id"]), float(header["time"]), str(header["schema"]), bool(header["withRootKey"]), fingerprints
            )  # fmt: skip
        except (KeyError, TypeError, ValueError):
            raise Damaged("its header says too little") from None


def restore(settings: Settings, header: Mapping[str, Any], archive: ArchiveReader, note: Note) -> Restore:
    """Make `settings.data_dir`, and the tables at `settings.database_url`; all of it, or nothing.

    Raises:
        Damaged: the backup is not as it was written.
        OperatorError: the directory or the database is not empty, the root key is missing or another, or the backup is of
            a newer version.
    """
    said = _Said.of(header)
    if said.schema not in schema_version.known():
        raise OperatorError(f"the backup is from a newer version (schema {said.schema}): upgrade kms-server")
    if settings.root_key is None and not said.with_root_key:
        raise OperatorError("the root key is not in the backup: name its file by --root-key file:PATH")
    with staged(settings.data_dir) as staging:
        inside = replace(settings, data_dir=staging.directory)
        for directory in (inside.state_dir, inside.audit_dir, inside.data_audit_dir):
            make_private_dir(directory)
        members = archive.members()
        if said.with_root_key:
            _take_root_key(inside, next(members, None))
        root = _root_keys(inside, said)
        with (
            closing(open_database(inside.database_url, inside.data_dir, inside.state_dir)) as database,
            _transaction(database, staging) as connection,
        ):
            migrate.build(connection, said.schema)
            dumping.clear(connection)
            filling = Filling(connection, inside)
            for member in members:
                filling.add(member)
            if said.schema != schema_version.known()[-1]:
                migrate.complete(connection)
            key = _authentic(connection, archive, root)
            made = _declared(connection, filling, said, key, note)
        if settings.database_url is None:
            _finish(inside)
            staging.publish()
        else:
            _finish(settings)
    return made


def _take_root_key(inside: Settings, member: Member | None) -> None:
    if member is None or member.said.get("kind") != ROOT_KEY:
        raise Damaged("the root key is not in it")
    content = b"".join(member.blocks)
    if inside.root_key is None:
        write_private(inside.root_key_file, content)


def _root_keys(inside: Settings, said: _Said) -> RootKeys:
    place = places_told(inside)[0]
    found = [key for key in place.read() if key.fingerprint in said.fingerprints]
    if len(found) < len(said.fingerprints):
        raise OperatorError(
            f"the root key in {place.spec} is not the one of this backup: name the right one by --root-key"
        )
    return RootKeys(found, max(key.version for key in found))


@contextmanager
def _transaction(database: Database, staging: Staging) -> Iterator[Connection]:
    """The one transaction of a restore.

    On PostgreSQL the directory, which has the root key at most, is there before the commit: what dies in between has
    restored nothing.
    """
    is_shared = database.engine.dialect.name == "postgresql"
    published = False
    try:
        with database.engine.connect() as plain:
            connection = plain.execution_options(kms_write=True)
            with connection.begin():
                take_time(connection)
                if is_shared:
                    migrate.take_turns(connection)
                _require_empty(connection)
                yield connection
                if is_shared:
                    staging.publish()
                    published = True
    except BaseException as error:
        if published:
            staging.withdraw()
        if isinstance(error, DBAPIError):
            raise OperatorError(f"the database does not take the backup: {error.orig}") from None
        raise


def _require_empty(connection: Connection) -> None:
    if not dumping.is_empty(connection):
        raise OperatorError("the database at --database-url has tables: a restore needs an empty one")


def _authentic(connection: Connection, archive: ArchiveReader, root: RootKeys) -> ChainKey:
    """The chain key, if it says that all that was read is a backup of a server with this root key."""
    kept = wrapped_secrets.get(connection, wrapped_secrets.CHAIN_KEY)
    if kept is None:
        raise Damaged("it has no key of the audit log")
    key = chain_key.opened(kept, root)
    if not compare_digest(key.tag(LABEL, archive.digest), archive.tag):
        raise OperatorError(
            "no server with this root key has made the backup: find out who has, and take another"
        )
    return key


def _declared(
    connection: Connection, filling: Filling, said: _Said, key: ChainKey, note: Note
) -> Restore:  # fmt: skip
    """Declare the restore in the log: its chains go on from here, wherever they had come to."""
    heads = {
        chain.writer: chain.head
        for is_data in (False, True)
        for chain in audit_writers.chains(connection, is_data=is_data)
    }
    newest = checkpoints.newest(connection)
    clock = Clock(float(stored.get(connection, stored.CLOCK_OFFSET) or 0.0))
    made = Restore(
        said.backup, said.time, clock.now(), newest.number if newest else 0, {**filling.heads, **heads}
    )  # fmt: skip
    tx = begun(connection)
    declare(tx, key, made)
    note(tx, key, made)
    return made


def _finish(settings: Settings) -> None:
    """Have full segments indexed, and a checkpoint cover the log as it is now."""
    state = open_state(settings)
    try:
        if settings.database_url is None:
            for directory in (settings.audit_dir, settings.data_audit_dir):
                seal(directory)
        checkpoints_of(state).write(state.clock.now())
    finally:
        state.database.close()
