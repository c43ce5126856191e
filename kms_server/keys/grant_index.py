"""The grants of one grantee on one key, found by what a request asks for and not by looking at each.

Pairs of an encryption context are compared exactly, keys too: AWS's developer guide says so, its API reference that
keys are compared in any case. The stricter of the two cannot allow what the other would not.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

CREATE_GRANT = "CreateGrant"
DESCRIBE_KEY = "DescribeKey"
_NOT_ON_DATA = frozenset({CREATE_GRANT, DESCRIBE_KEY, "RetireGrant"})  # no encryption context binds them

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

    def allows_child(self, operations: frozenset[str], bounds: Bounds, sources: Sequence[str]) -> bool:
        """Whether its grantee may make another grant by it: with no more operations, and at least as bound."""
        limits = self.bounds
        from_source = limits.source is None or limits.source in sources
        return (
            from_source
            and CREATE_GRANT in self.operations
            and operations <= self.operations
            and limits.include(bounds)
        )


class Use(NamedTuple):
    """A request as grants see it: its encryption context, and the ARNs of the resource on whose behalf it is made."""

    operation: str
    context: Mapping[str, str]
    sources: Sequence[str]


class _Table:
    """The grants with the same cryptographic operations; of several with the same bounds, one."""

    __slots__ = ("equals", "free", "subset")

    def __init__(self) -> None:
        self.free: dict[str | None, str] = {}
        self.equals: dict[tuple[str | None, Pairs], str] = {}
        self.subset: dict[tuple[str | None, Pair], list[tuple[Pairs, str]]] = {}

    def add(self, grant_id: str, bounds: Bounds, rarity: Mapping[Pair, int]) -> None:
        equals, subset, source = bounds
        if equals is not None:
            if subset <= equals:
                self.equals[source, equals] = grant_id
        elif subset:
            rarest = min(subset, key=rarity.__getitem__)
            self.subset.setdefault((source, rarest), []).append((subset, grant_id))
        else:
            self.free[source] = grant_id

    def find(self, context: Mapping[str, str], source: str | None) -> str | None:
        found = self.free.get(source)
        if found is None and self.equals:
            found = self.equals.get((source, frozenset(context.items())))
        if found is None and self.subset:
            return self._containing(context, source)
        return found

    def _containing(self, context: Mapping[str, str], source: str | None) -> str | None:
        given = context.items()
        for pair in given:
            for wanted, grant_id in self.subset.get((source, pair), ()):
                if wanted <= given:
                    return grant_id
        return None


class GrantIndex:
    """Answers in the time of a few look-ups, however many grants there are; it leaves out CreateGrant and RetireGrant.

    There are eight operations on data at most, so 128 tables for one of them.
    """

    __slots__ = ("_tables",)

    def __init__(self, grants: Iterable[Held]) -> None:
        held = list(grants)
        rarity = Counter(pair for one in held for pair in one.bounds.subset)
        described = _Table()
        tables = {frozenset({DESCRIBE_KEY}): described}
        for grant_id, operations, bounds in held:
            tables.setdefault(operations - _NOT_ON_DATA, _Table()).add(grant_id, bounds, rarity)
            if DESCRIBE_KEY in operations:
                described.free[bounds.source] = grant_id
        self._tables: dict[str, list[_Table]] = {}
        for operations, table in tables.items():
            for operation in operations:
                self._tables.setdefault(operation, []).append(table)

    def find(self, use: Use) -> str | None:
        """The id of a grant that allows a request other than CreateGrant."""
        tables = self._tables.get(use.operation, ())
        for source in (None, *use.sources):
            for table in tables:
                found = table.find(use.context, source)
                if found is not None:
                    return found
        return None


NONE = GrantIndex(())
