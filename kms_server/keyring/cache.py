"""A bounded cache whose entries are dropped by the scopes that commits name."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection

from kms_server.storage.database import Database, changed_since, latest_change

Value = TypeVar("Value")
_MOST_WITHIN = 4_096


class WouldBlock(Exception):
    """The call needs the database and was asked not to wait for it."""


class Findings(dict[tuple[object, ...], Any]):
    """What calls have worked out from cached values, by what it depends on beside these.

    Whoever adds something took the findings before it read the values: when one of these changes, all findings are
    left behind, and with them whatever is still added.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity

    def keep(self, place: tuple[object, ...], found: object) -> None:
        """Add something; beyond the capacity it begins anew."""
        if len(self) >= self._capacity:
            self.clear()
        self[place] = found


class ScopedCache:
    """Values loaded from the database, each under the scope of the changes that end its validity.

    `refresh` must be called at the start of every call: what is served afterwards is no older than that. `watched` looks at
    the database whenever something has changed, before anybody is served what is new; `findings` are of the values as
    they are now. `misses` counts what had to be loaded, and `len` tells how much there is.

    Who commits on this host raises the generation, and to compare with it costs nothing. Other hosts do not: where the
    database is shared, who may wait asks it in any case, and who may not is told which stamp it has to compare before its
    answer leaves.
    """

    def __init__(
        self, database: Database, capacity: int, watched: Callable[[Connection], object] = lambda _: None
    ) -> None:
        self._database = database
        self._capacity = capacity
        self._watched = watched
        self._entries: dict[str, object] = {}
        self.misses = 0
        self._lock = threading.Lock()
        self._stamp: int | None = None
        self._begun = self._seen = 0  # how many looks have begun, and the newest of those that succeeded
        self._generation = -1
        self._newest = database.generation.counter
        self.findings = Findings(capacity)
        self._is_recent = False

    def __len__(self) -> int:
        return len(self._entries)

    def refresh(self, *, may_block: bool) -> int | None:
        """Drop whatever has changed since the last call.

        Returns the stamp of what is served from now on, if a newer one may have been committed elsewhere before the call
        came.

        Raises:
            WouldBlock: something changed and `may_block` is false.
        """
        shared = self._database.is_shared
        if may_block:
            if shared or self.is_stale:
                self.reread()
            return None
        stamp = self._stamp  # before anything it is of is read
        if self._newest[0] != self._generation and not self._is_recent:
            raise WouldBlock
        return stamp if shared else None

    @property
    def is_stale(self) -> bool:
        """Whether something may have changed since the database was last asked."""
        return self._newest[0] != self._generation

    @contextmanager
    def recent(self) -> Iterator[None]:
        """Within the block what was last read is good enough for this thread's calls that may not block.

        It is for those that came before the last `reread` began: later changes need not hold for them.
        """
        self._is_recent = True
        try:
            yield
        finally:
            self._is_recent = False

    def reread(self) -> None:
        """Ask the database itself what has changed; who asks while another does waits for the next look, and shares it."""
        begun = self._begun
        # Whoever waits for the lock waits for a database that keeps its holder.
        with self._database.waits.noted(), self._lock:
            if self._seen > begun:
                return
            self._begun = look = self._begun + 1
            # The generation is taken before the look and kept after the entries are gone: whoever compares with it
            # in between sees the old one and waits here.
            generation = self._newest[0]
            with self._database.read() as connection:
                newest, changed = latest_change(connection), []
                if self._stamp is not None and self._stamp != newest:
                    changed = changed_since(connection, self._stamp)
                if changed or self._stamp is None:
                    self._watched(connection)
            for scope in changed:
                self._entries.pop(scope, None)
            if changed:
                self.findings = Findings(self._capacity)
            self._stamp = newest
            self._generation = generation
            self._seen = look

    def get(
        self, scope: str, load: Callable[..., Value | None], *arguments: str, may_block: bool
    ) -> Value | None:
        """The value of `scope`, loaded when absent by `load(connection, *arguments)`; None is never kept.

        Raises:
            WouldBlock: the value is not here and `may_block` is false.
        """
        entry = self._entries.get(scope)
        if entry is not None:
            return entry  # type: ignore[return-value]  # a scope always holds what its own loader made
        if not may_block:
            raise WouldBlock
        self.misses += 1
        with self._database.read() as connection:
            snapshot = latest_change(connection)
            value = load(connection, *arguments)
        if value is not None:
            self._keep(scope, value, snapshot)
        return value

    def get_within(
        self, scope: str, name: str, load: Callable[..., Value | None], *arguments: str, may_block: bool
    ) -> Value | None:
        """The value called `name` of those whose validity one change of `scope` ends; loaded like a value of its own.

        Raises:
            WouldBlock: the value is not here and `may_block` is false.
        """
        # Whoever fills it holds the very dictionary that a change drops: what was read before the change goes with it.
        held = self.get(scope, _nothing_yet, may_block=may_block)
        assert held is not None  # noqa: S101 - the loader makes one
        value = held.get(name)
        if value is not None:
            return value  # type: ignore[return-value]  # a name always stands for what its own loader made
        if not may_block:
            raise WouldBlock
        with self._database.read() as connection:
            value = load(connection, *arguments)
        if value is not None:
            if len(held) >= _MOST_WITHIN:
                held.clear()
            held[name] = value
        return value

    def _keep(self, scope: str, value: object, snapshot: int) -> None:
        with self._database.waits.noted(), self._lock:
            # A change newer than the snapshot may already have been applied: the value serves this call only.
            if self._stamp is None or self._stamp > snapshot:
                return
            if len(self._entries) >= self._capacity:
                # Many at a time: a dictionary takes longer to find its first entry the more it has lost before it.
                for oldest in list(islice(self._entries, 1 + self._capacity // 16)):
                    del self._entries[oldest]
            self._entries[scope] = value


def _nothing_yet(_connection: Connection) -> dict[str, object]:
    return {}
