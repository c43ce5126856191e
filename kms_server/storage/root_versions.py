"""The versions of the root key.

A version is announced while the processes that serve take it up, then it is the current one, then a former one as long
as anything is wrapped under it, then retired. `prefix` is what everything begins with that is wrapped under it, and is
there exactly while it may be: foreign keys hold that.
"""

from dataclasses import asdict, dataclass, fields
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select, update

from kms_server.storage.database import Transaction
from kms_server.storage.root_tables import root_versions


class RootState(StrEnum):
    """Where a version is in its life."""

    ANNOUNCED = "announced"
    CURRENT = "current"
    FORMER = "former"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class RootVersion:
    """A version; times are epoch seconds of the real clock, None where they lie ahead or were not kept."""

    version: int
    state: RootState
    fingerprint: str | None
    place: str | None
    prefix: bytes | None = None
    endorsement: bytes | None = None
    current_from: float | None = None
    current_until: float | None = None
    retired_at: float | None = None


_COLUMNS = [root_versions.c[one.name] for one in fields(RootVersion)]
_ALL = select(*_COLUMNS).order_by(root_versions.c.version)


def every(connection: Connection) -> list[RootVersion]:
    """All versions that there ever were, the oldest first."""
    return [RootVersion(row[0], RootState(row[1]), *row[2:]) for row in connection.execute(_ALL)]


def in_state(versions: list[RootVersion], state: RootState) -> RootVersion | None:
    """The version in a state of which there is one at most."""
    return next((one for one in versions if one.state is state), None)


def begin(tx: Transaction, first: RootVersion) -> None:
    """Say which root key a database begins with."""
    tx.connection.execute(delete(root_versions).where(root_versions.c.fingerprint.is_(None)))
    tx.connection.execute(insert(root_versions).values(asdict(first)))


def announce(tx: Transaction, version: RootVersion) -> None:
    """Add the version that is to be the next one."""
    tx.connection.execute(insert(root_versions).values(asdict(version)))


def withdraw(tx: Transaction, version: int) -> None:
    """Forget a version that was announced only."""
    tx.connection.execute(
        delete(root_versions).where(
            root_versions.c.version == version, root_versions.c.state == RootState.ANNOUNCED
        )
    )


def activate(tx: Transaction, prefix: bytes, now: float) -> None:
    """Let the announced version be the current one."""
    _set(tx, RootState.CURRENT, state=RootState.FORMER, current_until=now)
    _set(tx, RootState.ANNOUNCED, state=RootState.CURRENT, prefix=prefix, current_from=now)


def retire(tx: Transaction, now: float) -> None:
    """Let nothing be wrapped under the former version any more.

    Raises:
        IntegrityError: something is.
    """
    _set(tx, RootState.FORMER, state=RootState.RETIRED, prefix=None, endorsement=None, retired_at=now)


def _set(tx: Transaction, former: RootState, **values: object) -> None:
    tx.connection.execute(update(root_versions).where(root_versions.c.state == former).values(**values))
