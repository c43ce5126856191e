"""What a client knows of its keys: the values each cell may have, and so what calls may be answered."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product

from tests.soak.calls import SECOND
from tests.soak.cluster import DEADLINE
from tests.soak.ledger import OK
from tests.soak.readings import ACTIVE, DISABLED, ENABLED, GIVEN, GONE, LIVE, PENDING, TAKEN

# A change whose outcome is unknown has its effect within the server's own deadline, or never.
SETTLED_AFTER = DEADLINE + 2.0
_REFUSED_BY_STATE = {ENABLED: OK, DISABLED: "DisabledException", PENDING: "KMSInvalidStateException"}


class Cell:
    """The values that a cell may have now; `was` are those before the newest change, at `changed` in monotonic seconds."""

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.may = {value}
        self.was = {value}
        self.changed = self.settles = 0.0

    @property
    def value(self) -> str | None:
        """The value, where it is known."""
        return next(iter(self.may)) if len(self.may) == 1 else None

    def acknowledged(self, value: str) -> None:
        """A change was answered with success."""
        self.was, self.may, self.changed = self.may, {value}, time.monotonic()

    def uncertain(self, value: str) -> None:
        """Nobody knows whether a change happened, or still will."""
        self.may = self.may | {value}
        self.settles = time.monotonic() + SETTLED_AFTER

    def observed(self, value: str) -> None:
        """A server that is asked after everything has settled says so."""
        self.may = {value}

    @property
    def is_settling(self) -> bool:
        return len(self.may) > 1 and time.monotonic() < self.settles


@dataclass
class Key:
    """A key of the client, which nobody else changes."""

    key_id: str
    arn: str
    state: Cell = field(init=False)
    policy: Cell = field(init=False)
    tag: Cell = field(init=False)
    rotations: Cell = field(init=False)
    grants: dict[str, Cell] = field(default_factory=dict)
    grant_ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = Cell(f"state {self.key_id}", ENABLED)
        self.policy = Cell(f"policy {self.key_id}", TAKEN)
        self.tag = Cell(f"tag {self.key_id}", "0")
        self.rotations = Cell(f"rotations {self.key_id}", "0")

    def cells(self) -> list[Cell]:
        return [self.state, self.policy, self.tag, self.rotations, *self.grants.values()]

    def forget_gone(self) -> None:
        """What is gone for certain matters to nobody any more."""
        self.grants = {name: cell for name, cell in self.grants.items() if cell.value != GONE}


def possible(key: Key, access: Cell, who: str, *, before: Iterable[Cell] = ()) -> set[str]:
    """The results that a use of a key may have; also with the values that the cells `before` had until they changed."""
    old = set(before)

    def values(cell: Cell) -> set[str]:
        return cell.may | cell.was if cell in old else cell.may

    by_state = {_REFUSED_BY_STATE[state] for state in values(key.state)}
    if who != SECOND:
        return by_state
    results = set()
    grants = [{value == LIVE for value in values(cell)} for cell in key.grants.values()]
    rights = [{value == GIVEN for value in values(key.policy)}, *grants]
    for status in values(access):
        if status != ACTIVE:
            results.add("UnrecognizedClientException")
            continue
        for allowed in {any(combination) for combination in product(*rights)}:
            results |= by_state if allowed else {"AccessDeniedException"}
    return results
