"""Pages of any size, put together, are what a plain listing of everything is."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kms_server.s3.rolling import Page, Place, after_marker, roll_up


@dataclass(frozen=True)
class One:
    key: str
    tie: int


Entries = list["One | str"]


class Source:
    """Items in order, which counts what is read of it."""

    def __init__(self, items: Sequence[One]) -> None:
        self.items = sorted(items, key=lambda one: (one.key.encode(), -one.tie))
        self.rows = self.queries = 0

    def fetch(self, prefix: str, place: "Place[int]", count: int) -> list[One]:
        assert count > 0
        self.queries += 1
        found = [one for one in self.items if one.key.startswith(prefix) and self._is_behind(one, place)][
            :count
        ]
        self.rows += len(found)
        return found

    def _is_behind(self, one: One, place: "Place[int]") -> bool:
        if place.key is None:
            return True
        same = one.key.encode() == place.key and place.tie is not None and one.tie < place.tie
        return same or one.key.encode() > place.key


def naive(items: Sequence[One], prefix: str, delimiter: str, after: str) -> Entries:
    """What S3's documentation says, in the words of its own: group, then sort."""
    entries: dict[tuple[bytes, int], One | str] = {}
    for one in items:
        if not one.key.startswith(prefix):
            continue
        rest = one.key[len(prefix) :]
        if delimiter and delimiter in rest:
            group = prefix + rest.split(delimiter)[0] + delimiter
            if not after.startswith(group) and group > after:
                entries[group.encode(), 1] = group
        elif one.key.encode() > after.encode():
            entries[one.key.encode(), -one.tie] = one
    return [entries[place] for place in sorted(entries)]


def page(source: Source, prefix: str, delimiter: str, limit: int, start: "Place[int]") -> "Page[One, int]":
    return roll_up(
        lambda place, count: source.fetch(prefix, place, count),
        lambda one: Place(one.key.encode(), one.tie),
        prefix, delimiter, limit, start,
    )  # fmt: skip


def merged(found: "Page[One, int]") -> Entries:
    """Items and prefixes of a page in one order."""
    both: Entries = [*found.items, *found.prefixes]
    return sorted(
        both, key=lambda one: (one.encode(), 1) if isinstance(one, str) else (one.key.encode(), -one.tie)
    )


KEYS = st.text("ab/Ω\U0001f600", max_size=5)
ITEMS = st.lists(st.builds(One, KEYS, st.integers(0, 3)), unique=True, max_size=40)


@given(
    items=ITEMS, prefix=st.text("ab/", max_size=2), delimiter=st.sampled_from(["", "/", "a", "ab", "//", "Ω"]),
    marker=st.one_of(st.just(""), KEYS), limit=st.integers(1, 7),
)  # fmt: skip
@example([One("a/a", 0), One("a/b", 0), One("a0", 0)], "", "/", "a/a", 1)
@example([One("b", number) for number in range(4)] + [One("a/", 0)], "", "/", "", 2)
def test_pages_put_together_are_the_whole_listing(
    items: list[One], prefix: str, delimiter: str, marker: str, limit: int
) -> None:
    source = Source(items)
    start: Place[int] = Place(after_marker(marker, prefix, delimiter))
    found: Entries = []
    while True:
        got = page(source, prefix, delimiter, limit, start)
        assert len(got) == limit or not got.more
        found += merged(got)
        start = got.place
        if not got.more:
            break
    assert found == naive(items, prefix, delimiter, marker)


def test_an_empty_page_says_that_there_is_no_more() -> None:
    found = page(Source([One("a", 0)]), "", "/", 0, Place())
    assert (len(found), found.more, found.last) == (0, False, None)


@pytest.mark.parametrize(("directories", "below"), [(20, 5_000), (1_000, 20), (3, 3)])
def test_what_is_below_a_prefix_is_jumped_over(directories: int, below: int) -> None:
    source = Source(
        [One(f"{directory:04}/{number:05}", 0) for directory in range(directories) for number in range(below)]
    )
    source.items, everything = source.items[:2_000], len(source.items)
    found = page(source, "", "/", 1_000, Place())
    assert len(found.prefixes) == min(directories, -(-2_000 // below))
    assert source.rows <= 16 + 12 * len(found.prefixes) + min(everything, 64)


def test_a_flat_listing_takes_few_queries() -> None:
    source = Source([One(f"{number:05}", 0) for number in range(1_500)])
    for delimiter, most in (("", 1), ("/", 8)):
        source.queries = 0
        found = page(source, "", delimiter, 1_000, Place())
        assert (len(found.items), found.more) == (1_000, True)
        assert source.queries <= most
