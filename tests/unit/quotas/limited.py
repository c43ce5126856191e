"""A limiter whose clock stands still, and keys that it limits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kms_server.errors import ThrottlingException
from kms_server.quotas import profiles
from kms_server.quotas.buckets import Buckets
from kms_server.quotas.limiter import Limiter
from kms_server.quotas.meters import Meters
from kms_server.quotas.subjects import parse
from kms_server.storage.limits import SetLimit as Limit

SECOND = 1_000_000_000
MANY = 1_000


def until_refused(call: Callable[[], object]) -> int:
    """How many of MANY calls pass before one is throttled."""
    for count in range(MANY):
        try:
            call()
        except ThrottlingException:
            return count
    return MANY


@dataclass(frozen=True)
class Labels:
    """What people call a key."""

    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Used:
    """A key that a call uses."""

    key_id: str
    account: str = "000000000000"
    region: str = "us-east-1"
    labelled: Labels = field(default_factory=Labels)

    @property
    def key(self) -> "Used":
        """The key itself."""
        return self

    def labels(self) -> Labels:
        """What people call it."""
        return self.labelled


class Bench:
    """A limiter under a clock that stands still unless moved."""

    def __init__(self, path: Path) -> None:
        self.now = SECOND
        self.buckets = Buckets(path, slots=64, clock=lambda: self.now)
        self.meters = Meters(path.with_name("usage"))
        self.limiter = Limiter(self.buckets, profiles.find("unlimited"), self.meters)

    def admit(self, *wanted: Limit) -> None:
        """One call that needs these limits."""
        parsed = [parse(limit.subject) for limit in wanted]
        counts = tuple((*one.place, one.name, 1) for one in parsed if one.place)
        keys = tuple(Used(one.name) for one in parsed if one.kind == "key")
        self.limiter.take(self.limiter.plan({limit.subject: limit for limit in wanted}, counts, keys))

    def admitted(self, *wanted: Limit) -> int:
        """How many calls pass before one is throttled."""
        return until_refused(lambda: self.admit(*wanted))
