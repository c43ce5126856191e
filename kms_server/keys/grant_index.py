"""The grants of one grantee on one key, found by what a request asks for and not by looking at each.

Pairs of an encryption context are compared exactly, keys too: AWS's developer guide says so, its API reference that
keys are compared in any case. The stricter of the two cannot allow what the other would not.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

CREATE_GRANT = "CreateGrant"
_RETIRE_GRANT = "RetireGrant"
# What says something about a key, not about data: an encryption context does not bind it.
_WITHOUT_CONTEXT = frozenset({"DescribeKey"})

Pair = tuple[str, str]
Pairs = frozenset[Pair]


class Bounds(NamedTuple):
    """What a grant binds its use to: the whole encryption context, a part of it, and the source of the request."""

    equals: Pairs | None
    subset: Pairs
    source: str | None

    @classmethod
    def of(cls, constraints: Mapping[str, Any]) -> "Bounds":
        """The bounds of a GrantConstraints structure."""
        equals = constraints.get("EncryptionContextEquals")
        subset = constraints.get("EncryptionContextSubset") or {}
        return cls(
            None if equals is None else frozenset(equals.items()),
            frozenset(subset.items()),
            constraints.get("SourceArn"),
        )

    def include(self, other: "Bounds") -> bool:
        """Whether all that `other` lets through passes here, too."""
        if self.source is not None and other.source != self.source:
            return False
        if self.equals is not None and other.equals != self.equals:
            return False
        return self.subset <= (other.subset if other.equals is None else other.equals | other.subset)


class Held(NamedTuple):
    """A grant as its grantee has it."""

    grant_id: str
    operations: frozenset[str]
    bounds: Bounds


class Use(NamedTuple):
    """A request as grants see it: its encryption context, and the ARNs of the resource on whose behalf it is made."""

    operation: str
    context: Mapping[str, str]
    sources: Sequence[str]


@dataclass(slots=True)
class _Table:
    """The grants that have one operation; of several with the same bounds, one."""

    free: dict[str | None, str] = field(default_factory=dict)
    equals: dict[tuple[str | None, Pairs], str] = field(default_factory=dict)
    subset: dict[tuple[str | None, Pair], list[tuple[Pairs, str]]] = field(default_factory=dict)

    def add(self, grant_id: str, bounds: Bounds, rarity: Counter[Pair], *, with_context: bool) -> None:
        equals, subset, source = bounds
        if not with_context or (equals is None and not subset):
            self.free.setdefault(source, grant_id)
        elif equals is None:
            place = source, min(subset, key=lambda pair: (rarity[pair], pair))
            self.subset.setdefault(place, []).append((subset, grant_id))
        elif subset <= equals:
            self.equals.setdefault((source, equals), grant_id)

    def find(self, use: Use) -> str | None:
        for source in (None, *use.sources):
            found = self.free.get(source) or self._in_context(use.context, source)
            if found is not None:
                return found
        return None

    def _in_context(self, context: Mapping[str, str], source: str | None) -> str | None:
        found = self.equals.get((source, frozenset(context.items()))) if self.equals else None
        if found is not None or not self.subset:
            return found
        given = context.items()
        for pair in given:
            for wanted, grant_id in self.subset.get((source, pair), ()):
                if wanted <= given:
                    return grant_id
        return None


class GrantIndex:
    """Answers in the time of a few look-ups, however many grants there are; CreateGrant goes through its grants."""

    __slots__ = ("_parents", "_tables")

    def __init__(self, grants: Iterable[Held]) -> None:
        held = list(grants)
        rarity = Counter(pair for one in held for pair in one.bounds.subset)
        self._tables: dict[str, _Table] = {}
        parents: dict[tuple[frozenset[str], Bounds], str] = {}
        for grant_id, operations, bounds in held:
            for operation in operations - {CREATE_GRANT, _RETIRE_GRANT}:
                table = self._tables.setdefault(operation, _Table())
                table.add(grant_id, bounds, rarity, with_context=operation not in _WITHOUT_CONTEXT)
            if CREATE_GRANT in operations:
                parents.setdefault((operations, bounds), grant_id)
        self._parents = tuple(Held(grant_id, *key) for key, grant_id in parents.items())

    def find(self, use: Use) -> str | None:
        """The id of a grant that allows a request other than CreateGrant."""
        table = self._tables.get(use.operation)
        return None if table is None else table.find(use)

    def parent(self, operations: frozenset[str], bounds: Bounds, sources: Sequence[str]) -> str | None:
        """The id of a grant that allows to make another: with no more operations, and at least as bound."""
        for grant_id, own, limits in self._parents:
            from_source = limits.source is None or limits.source in sources
            if from_source and operations <= own and limits.include(bounds):
                return grant_id
        return None


NONE = GrantIndex(())
