"""The merge gives what sorting gives, and opens no part before its turn."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.audit.merge import Part, Rows, begins, merged
from kms_server.audit.record import Row
from tests.unit.audit.audit_rows import row

IDS = st.integers(0, 40).map(lambda number: f"{number:08x}")


class Shelf:
    """Parts over lists, which remember which of them are open."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.touched: set[int] = set()

    def part(self, number: int, identifiers: Sequence[str], *, known: bool) -> Part:
        def rows() -> Rows:
            self.open.add(number)
            self.touched.add(number)
            try:
                yield from (row(event_id=identifier) for identifier in identifiers)
            finally:
                self.open.remove(number)

        return Part(identifiers[0] if known and identifiers else None, rows)


@given(st.lists(st.tuples(st.sets(IDS), st.booleans()), max_size=6), st.booleans(), st.integers(0, 60))
def test_it_sorts_without_repeats(
    parts: list[tuple[set[str], bool]], newest_first: bool, wanted: int
) -> None:
    shelf = Shelf()
    place = begins(newest_first=newest_first)
    in_order = sorted(
        (
            shelf.part(number, sorted(identifiers, reverse=newest_first), known=known)
            for number, (identifiers, known) in enumerate(parts)
        ),
        key=lambda part: place(part.start),
    )
    stream = merged(in_order, newest_first=newest_first)
    expected = sorted(set().union(*(identifiers for identifiers, _ in parts)), reverse=newest_first)
    taken: list[Row] = [one for one, _ in zip(stream, range(wanted), strict=False)]
    assert [one.event_id for one in taken] == expected[:wanted]
    stream.close()
    assert not shelf.open


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_part_waits_for_its_turn(newest_first: bool) -> None:
    shelf = Shelf()
    ranges = [sorted((f"{n}1", f"{n}5", f"{n}9"), reverse=newest_first) for n in range(1, 9)]
    ranges.sort(reverse=newest_first)
    stream = merged(
        [shelf.part(number, one, known=True) for number, one in enumerate(ranges)], newest_first=newest_first
    )
    next(stream)
    assert len(shelf.touched) == 1
    for _ in range(10):
        next(stream)
        assert len(shelf.open) <= 2
    stream.close()
    assert len(shelf.touched) < 8
    assert not shelf.open
