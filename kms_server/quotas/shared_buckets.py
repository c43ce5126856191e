"""Buckets that hosts share, and what a host does without them.

While the store does not answer, each host enforces the limit divided by the hosts that were known, begins without a burst,
and looks for the store several times a second; what the others do it cannot know. When the store is back it counts again, at
first without a burst. So a second around a loss has no more than the limit, the burst, and one call of each host; one around a
return has more as long as some workers do not know of it.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from kms_server.batches import Batches, Ticket, settle_each
from kms_server.files import write_private
from kms_server.quotas.buckets import Bucket, Buckets
from kms_server.quotas.token_store import HOST_SECONDS, StoreLost, TokenStore

_LOG = logging.getLogger(__name__)
_BATCH = 256
_BEAT_SECONDS = 1.0
_LOOK_SECONDS = 0.25


class Decision(Ticket, eq=False):
    """What becomes of one call: `at` is the time in nanoseconds of the store, negative when it is refused."""

    wanted: Sequence[Bucket] = ()
    at: int = 0


class SharedBuckets(Batches[Decision]):
    """The buckets of all hosts; `local` are those of this host, `known` is the file that remembers how many hosts there are."""

    def __init__(self, store: TokenStore, local: Buckets, known: Path) -> None:
        self._store = store
        self._local = local
        self._known = known
        self.hosts = _remembered(known)
        self._lost_at: int | None = None
        self._found_at = time.monotonic()
        self._lost_why = ""
        self._next_beat = 0.0
        super().__init__("shared limits", _BATCH, idle=_LOOK_SECONDS)

    def ask(self, wanted: Sequence[Bucket]) -> int | Decision:
        """Take the tokens of every bucket, or none of any: the time, negative when one has too few; or what will know it."""
        lost_at = self._lost_at
        if lost_at is not None:
            return self._by_itself(wanted, lost_at)
        decision = Decision(wanted=wanted)
        self.add(decision)
        return decision

    def levels(self, buckets: Sequence[Bucket]) -> list[float]:
        """How much of each one's burst is used by all hosts, or by this one while the store is lost; 0 to 1."""
        if self._lost_at is None:
            with suppress(StoreLost):  # whoever decides calls notices, too
                return self._store.levels(buckets)
        return self._local.levels([bucket.divided(self.hosts) for bucket in buckets])

    def warning(self) -> str | None:
        """What the operator should know."""
        lost_at = self._lost_at
        if lost_at is None:
            return None
        share = "the limits alone" if self.hosts == 1 else f"1/{self.hosts} of each limit"
        seconds = (time.monotonic_ns() - lost_at) // 1_000_000_000
        return (
            f"the shared counters at {self._store.place} are lost for {seconds} s ({self._lost_why}): "
            f"this host enforces {share}"
        )

    def work(self, batch: list[Decision]) -> Callable[[], None]:
        """Decide a batch of calls."""
        if self._lost_at is None:
            try:
                for decision, at in zip(batch, self._store.take([one.wanted for one in batch]), strict=True):
                    decision.at = at
            except StoreLost as error:
                self._lose(error)
        lost_at = self._lost_at
        if lost_at is not None:
            for decision in batch:
                decision.at = self._by_itself(decision.wanted, lost_at)
        self.look_in()
        return partial(settle_each, batch)

    def look_in(self) -> None:
        """Say now and then that this host is there, and look for a lost store more often."""
        now = time.monotonic()
        if now < self._next_beat:
            return
        try:
            hosts = self._store.beat(healed=self._lost_at is not None)
        except StoreLost as error:
            self._lose(error)
        else:
            if self._lost_at is not None:
                _LOG.warning("the shared counters at %s are back", self._store.place)
                self._found_at = now
            self._lost_at = None
            self._next_beat = time.monotonic() + _BEAT_SECONDS
            # A store that has just begun does not know all hosts yet.
            if hosts > self.hosts or (hosts < self.hosts and now - self._found_at > HOST_SECONDS):
                self._remember(hosts)

    def close(self) -> None:
        """Decide what is pending and end."""
        self.end()
        self._store.close()

    def _remember(self, hosts: int) -> None:
        self.hosts = hosts
        try:
            write_private(self._known, str(hosts).encode())
        except OSError as error:
            _LOG.error("the number of hosts cannot be written: %s", error.strerror)

    def _lose(self, error: StoreLost) -> None:
        # When the store hangs, calls must not wait for each look at it.
        self._next_beat = time.monotonic() + _LOOK_SECONDS
        self._lost_why = str(error)
        if self._lost_at is None:
            self._lost_at = time.monotonic_ns()
            _LOG.warning("the shared counters at %s are lost (%s)", self._store.place, error)

    def _by_itself(self, wanted: Sequence[Bucket], lost_at: int) -> int:
        return self._local.take([bucket.divided(self.hosts) for bucket in wanted], lost_at)


def _remembered(known: Path) -> int:
    try:
        return max(1, int(known.read_bytes()))
    except (FileNotFoundError, ValueError):
        return 1
