"""What of a server is in a backup of it, as of one moment.

The database is read in one view of it. Of the embedded log, segments are read after that: they have at least the rows
that the view's checkpoints name, and nothing is pruned meanwhile.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import kms_server
from kms_server.audit import segment_copies
from kms_server.backup.archive import ArchiveWriter
from kms_server.clock import iso_seconds
from kms_server.files import locked
from kms_server.server.state import State, root_key_path
from kms_server.storage import dumping, schema_version
from kms_server.storage.dumping import Shape

LABEL = b"kms-server backup v1"  # of the tag under the chain key
TABLE, SEGMENT, ROOT_KEY = "table", "segment", "root-key"


def describe(state: State, *, with_root_key: bool) -> dict[str, Any]:
    """What a backup that begins now says of itself in clear; `size` is about how many bytes the server has."""
    now = state.clock.now()
    with state.database.read() as connection:
        size = dumping.size_of(connection)
    if _is_embedded(state):
        size += sum(path.stat().st_size for path in state.settings.audit_dir.rglob("*.db"))
    return {
        "id": secrets.token_hex(8), "time": now, "created": iso_seconds(now), "product": kms_server.__version__,
        "schema": schema_version.known()[-1], "database": "sqlite" if _is_embedded(state) else "postgresql",
        "rootKeys": [{"fingerprint": state.root_key.fingerprint, "version": state.root_key.version}],
        "withRootKey": with_root_key, "size": size,
    }  # fmt: skip


def write(state: State, archive: ArchiveWriter, *, with_root_key: bool) -> None:
    """Write all members, and the end.

    Raises:
        OperatorError: something cannot be read.
        OSError: the backup cannot be written.
    """
    if with_root_key:
        archive.add({"kind": ROOT_KEY}, [root_key_path(state.settings).read_bytes()])
    with _kept_whole(state), state.database.read() as connection:
        for shape in dumping.shapes():
            kept = dumping.sequence(connection, shape.name)
            archive.add(_said(TABLE, shape) | {"sequence": kept}, dumping.dump(connection, shape))
        for is_data, copy in _segments(state):
            said = _said(SEGMENT, copy.shape) | {"writer": copy.writer, "data": is_data, "full": copy.full}
            archive.add(said, copy.blocks())
    archive.finish(partial(state.chain_key.tag, LABEL))


def _segments(state: State) -> Iterator[tuple[bool, segment_copies.SegmentCopy]]:
    settings = state.settings
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
