"""All that is wrapped under a former version of the root key is wrapped under the current one, batch by batch.

A batch is opened and wrapped outside any transaction, and put in place in one that does nothing else. Whoever is killed
leaves whole batches, and the next one goes on with what is left.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from kms_server.crypto.wrap import WrapError
from kms_server.root_keys import binding
from kms_server.root_keys.ring import RootKeys, prefix_of
from kms_server.storage import wrapped_rows, wrapped_secrets
from kms_server.storage.database import Database
from kms_server.storage.wrapped_rows import WrappedColumn, WrappedRow

BATCH = 100
_OF_SECRETS: Mapping[str, Callable[[], bytes]] = {
    wrapped_secrets.CHAIN_KEY: binding.chain_key_binding,
    wrapped_secrets.TOKEN_KEY: binding.token_key_binding,
}


class Kind(NamedTuple):
    """What is wrapped, and what a row's columns make of its binding."""

    title: str
    column: WrappedColumn
    bind: Callable[..., bytes]


class Batch(NamedTuple):
    """How many values a batch has wrapped anew, and the rows (kind and primary key) that do not open."""

    rewrapped: int
    damaged: Sequence[str]


def _fingerprint_binding(*, account: str, key_id: str, material_id: str, region: str) -> bytes:
    """Members of a multi-Region key share it."""
    _ = region
    return binding.fingerprint_binding(account=account, key_id=key_id, material_id=material_id)


KINDS: Sequence[Kind] = (
    Kind("key material", wrapped_rows.MATERIALS, binding.material_binding),
    Kind("fingerprints of imported material", wrapped_rows.FINGERPRINTS, _fingerprint_binding),
    Kind("secret access keys", wrapped_rows.ACCESS_KEYS, binding.access_key_binding),
    Kind("signing keys", wrapped_rows.SIGNING_KEYS, binding.signing_key_binding),
    Kind("keys of the audit log and of tokens", wrapped_rows.SECRETS, lambda name: _OF_SECRETS[name]()),
)


def counts(connection: Connection, version: int) -> dict[str, int]:
    """How many values of each kind are wrapped under a version."""
    return {kind.title: kind.column.count(connection, prefix_of(version)) for kind in KINDS}


def rewrap(database: Database, root: RootKeys, version: int, size: int = BATCH) -> Iterator[Batch]:
    """Wrap all values anew that are under a version, in batches of up to `size`; it may be left between any two."""
    for kind in KINDS:
        after: tuple[str, ...] | None = None
        while True:
            with database.read() as connection:
                rows = kind.column.page(connection, prefix_of(version), after, size)
            if not rows:
                break
            after = rows[-1].identity
            yield _rewrapped(database, root, kind, rows)


def _rewrapped(database: Database, root: RootKeys, kind: Kind, rows: Sequence[WrappedRow]) -> Batch:
    fresh: list[tuple[WrappedRow, bytes]] = []
    damaged = []
    for row in rows:
        bound = kind.bind(**row.bound_to)
        try:
            fresh.append((row, root.wrap(root.unwrap(row.value, bound), bound)))
        except WrapError:
            damaged.append(f"{kind.title} {' '.join(row.identity)}")
    with database.write() as tx:
        replaced = [kind.column.replace(tx, row, value) for row, value in fresh]
    return Batch(sum(replaced), damaged)
