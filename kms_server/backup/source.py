"""What of a server is in a backup of it, as of one moment.

The database is read in one view of it. Of the embedded log, segments are read after that: they have at least the rows
that the view's checkpoints name, and nothing is pruned meanwhile.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

from sqlalchemy import Connection

import kms_server
from kms_server.audit import segment_copies
from kms_server.backup.archive import ArchiveWriter
from kms_server.clock import iso_seconds
from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.files import locked
from kms_server.root_keys.file import FileRootKey
from kms_server.root_keys.file_place import FilePlace
from kms_server.server.audit_trail import take_in_what_is_left
from kms_server.server.root_custody import places_told
from kms_server.server.state import State
from kms_server.storage import dumping, root_versions, schema_version
from kms_server.storage.database import take_time
from kms_server.storage.dumping import Shape

LABEL = b"kms-server backup v1"  # of the tag under the chain key
TABLE, SEGMENT, ROOT_KEY = "table", "segment", "root-key"


def describe(state: State, *, with_root_key: bool) -> dict[str, Any]:
    """What a backup that begins now says of itself in clear; `size` is about how many bytes the server has.

    Raises:
        OperatorError: this program does not know all that there is.
    """
    now = state.clock.now()
    with state.database.read() as connection:
        if schema_version.is_newer(connection):
            raise OperatorError("the database is from a newer version: back it up with that")
        size = dumping.size_of(connection)
        roots = [one for one in root_versions.every(connection) if one.prefix is not None]
    if _is_embedded(state):
        size += sum(path.stat().st_size for path in state.settings.audit_dir.rglob("*.db"))
    return {
        "id": secrets.token_hex(8), "time": now, "created": iso_seconds(now), "product": kms_server.__version__,
        "schema": schema_version.known()[-1], "database": "sqlite" if _is_embedded(state) else "postgresql",
        "rootKeys": [{"fingerprint": one.fingerprint, "version": one.version} for one in roots],
        "withRootKey": with_root_key, "size": size,
    }  # fmt: skip


def write(state: State, archive: ArchiveWriter, *, with_root_key: bool) -> None:
    """Write all members, and the end.

    Raises:
        OperatorError: something cannot be read.
        OSError: the backup cannot be written.
    """
    # The driver reads beside SQLAlchemy, which would begin no transaction by itself.
    with _kept_whole(state), state.database.read() as connection, connection.begin():
        take_time(connection)
        if with_root_key:
            archive.add({"kind": ROOT_KEY}, [_root_keys(state.settings, connection)])
        for shape in dumping.shapes():
            kept = dumping.sequence(connection, shape.name)
            archive.add(_said(TABLE, shape) | {"sequence": kept}, dumping.dump(connection, shape))
        for is_data, copy in _segments(state):
            said = _said(SEGMENT, copy.shape) | {"writer": copy.writer, "data": is_data, "full": copy.full}
            archive.add(said, copy.blocks())
    archive.finish(partial(state.chain_key.tag, LABEL))


def _root_keys(settings: Settings, connection: Connection) -> bytes:
    """A root key file of all versions that are in plain files; those under which anything is wrapped have to be."""
    versions = root_versions.every(connection)
    known = {one.fingerprint for one in versions}
    places = places_told(settings)
    found: dict[int, FileRootKey] = {}
    problems = []
    for place in places:
        if isinstance(place, FilePlace) and place.exists():
            try:
                found |= {key.version: key for key in place.read() if key.fingerprint in known}
            except OperatorError as error:  # nothing may need it any more
                problems.append(str(error))
    if any(one.prefix is not None and one.version not in found for one in versions):
        said = f"--with-root-key is for root keys in plain files: keep {places[-1].name} by itself"
        raise OperatorError("; ".join([said, *problems]))
    return b"".join(found[version].line for version in sorted(found))


def _segments(state: State) -> Iterator[tuple[bool, segment_copies.SegmentCopy]]:
    settings = state.settings
    take_in_what_is_left(state)
    for is_data, directory in ((False, settings.audit_dir), (True, settings.data_audit_dir)):
        for copy in segment_copies.copies(directory, is_data=is_data) if _is_embedded(state) else ():
            yield is_data, copy


@contextmanager
def _kept_whole(state: State) -> Iterator[None]:
    """Nobody prunes segments that the view names: what is in the database stays in the view anyway."""
    with locked(state.settings.pruning_lock) if _is_embedded(state) else nullcontext():
        yield


def _is_embedded(state: State) -> bool:
    return state.settings.database_url is None


def _said(kind: str, shape: Shape) -> dict[str, Any]:
    return {"kind": kind, "name": shape.name, "columns": list(shape.columns), "kinds": list(shape.kinds)}
