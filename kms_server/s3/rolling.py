"""Pages of keys in order, with those that share a prefix rolled up into one entry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar

from kms_server.storage.object_lists import BEHIND

_FIRST, _LEAST, _MOST = 16, 2, 1_001


class Keyed(Protocol):
    """What is listed."""

    @property
    def key(self) -> str:
        """The object key."""


Listed = TypeVar("Listed", bound=Keyed)
Tie = TypeVar("Tie", int, str)


class Place(NamedTuple, Generic[Tie]):
    """A place in the order: behind all of a key, or behind one of several that have the same key."""

    key: bytes | None = None
    tie: Tie | None = None


# Up to so many of what comes behind a place, in order.
Fetch = Callable[[Place[Tie], int], Sequence[Listed]]


@dataclass(slots=True)
class Page(Generic[Listed, Tie]):
    """What a page shows; `place` is behind its last entry, and `last` names that: an item or a common prefix."""

    place: Place[Tie]
    items: list[Listed] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: "Listed | str | None" = None
    more: bool = False

    def __len__(self) -> int:
        return len(self.items) + len(self.prefixes)


def common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """What a key is rolled up into: all of it to the first delimiter behind the prefix, if there is one."""
    if not delimiter or not key.startswith(prefix):
        return None
    found = key.find(delimiter, len(prefix))
    return None if found < 0 else key[: found + len(delimiter)]


def behind(prefix: str) -> bytes:
    """Sorts after all keys that begin with `prefix`, and before all later ones."""
    return prefix.encode() + BEHIND


def after_marker(marker: str, prefix: str, delimiter: str) -> bytes:
    """Where a listing goes on that ended with `marker`: behind a whole common prefix, where the key was in one."""
    rolled = common_prefix(marker, prefix, delimiter)
    return marker.encode() if rolled is None else behind(rolled)


def roll_up(
    fetch: "Fetch[Tie, Listed]",
    place_of: Callable[[Listed], Place[Tie]],
    prefix: str,
    delimiter: str,
    limit: int,
    start: Place[Tie],
) -> Page[Listed, Tie]:
    """A page of at most `limit` entries behind `start`.

    Of the keys below a common prefix it reads a few and jumps over the rest: how many it asks for at once grows while
    they are of use.
    """
    page: Page[Listed, Tie] = Page(start)
    size = _FIRST if delimiter else _MOST
    while limit:
        asked = min(size, limit - len(page) + 1)
        found = fetch(page.place, asked)
        shown = _show(page, found, place_of, prefix, delimiter, limit)
        if page.more or len(found) < asked:
            break
        size = min(size * 2, _MOST) if shown * 4 >= asked else max(_LEAST, size // 4)
    return page


def _show(
    page: Page[Listed, Tie],
    found: Sequence[Listed],
    place_of: Callable[[Listed], Place[Tie]],
    prefix: str,
    delimiter: str,
    limit: int,
) -> int:
    """Put items on a page until it is full; how many entries there are more."""
    before = len(page)
    for item in found:
        rolled = common_prefix(item.key, prefix, delimiter)
        if rolled is not None and rolled == page.last:
            continue
        if len(page) == limit:
            page.more = True
            break
        if rolled is None:
            page.items.append(item)
            page.last, page.place = item, place_of(item)
        else:
            page.prefixes.append(rolled)
            page.last, page.place = rolled, Place(behind(rolled))
    return len(page) - before
