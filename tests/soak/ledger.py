"""What clients were told, as lines of JSON: memory stays bounded however long it goes on."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

# OK and REFUSED were answered for good; FAILED may have its effect, and so may what was not ANSWERED at all.
OK, REFUSED, FAILED, UNANSWERED = "ok", "refused", "failed", "unanswered"
UNKNOWN = {FAILED, UNANSWERED}


@dataclass(frozen=True)
class Change:
    """What a call makes of a cell; see `readings`."""

    cell: str
    value: str


@dataclass(frozen=True)
class Called:
    """A call: its `marker` is in its audit record; times are monotonic seconds. Its connection worked at `linked`,
    and nobody knows when it ceased to.
    """

    marker: str
    operation: str
    server: int
    linked: float
    sent: float
    ended: float
    kind: str
    code: str = ""
    status: int = 0
    request_id: str = ""
    change: Change | None = None
    limited: bool = False


@dataclass(frozen=True)
class Sealed:
    """Something that must be opened or verified for as long as its key is there: `how` is the operation's name."""

    how: str
    request: dict[str, Any]
    digest: str = ""


@dataclass(frozen=True)
class Violation:
    """What must not be. `kind` is counted."""

    kind: str
    text: str


Entry: TypeAlias = Called | Sealed | Violation
_KINDS: dict[str, type[Called | Sealed | Violation]] = {
    "call": Called,
    "sealed": Sealed,
    "violation": Violation,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class Ledger:
    """Writes one client's file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1 << 16)

    def add(self, entry: Entry) -> None:
        """Note something."""
        self._file.write(json.dumps([_NAMES[type(entry)], asdict(entry)]) + "\n")

    def close(self) -> None:
        """Everything that was noted is in the file."""
        self._file.close()


def entries(paths: Iterable[Path]) -> Iterator[Entry]:
    """All that clients noted, one client after the other, each in its order."""
    for path in paths:
        with path.open() as lines:
            for line in lines:
                name, values = json.loads(line)
                if values.get("change"):
                    values["change"] = Change(**values["change"])
                yield _KINDS[name](**values)
