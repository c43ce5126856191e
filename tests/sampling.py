"""Which tests `make test` leaves to `make soak`: long rounds, and the most of large tables.

`@pytest.mark.soak` leaves a test out. `@pytest.mark.soak(but=n, each="name")` leaves one in n cases in for each value of the
parameter `name`, or of an attribute of it: never none, the same in each run, and others for one value than for the next.
"""

from collections.abc import Iterable
from operator import attrgetter

import pytest


def left_out(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """The tests that only `make soak` has.

    Raises:
        UsageError: a mark says something else.
    """
    left: set[pytest.Item] = set()
    tables: dict[tuple[str, int], dict[object, list[pytest.Item]]] = {}
    for item in items:
        mark = item.get_closest_marker("soak")
        if mark is None:
            continue
        if mark.args or mark.kwargs.keys() not in (set(), {"but", "each"}):
            raise pytest.UsageError(f"{item.nodeid}: the mark is soak, or soak(but=..., each=...)")
        if mark.kwargs:
            table = tables.setdefault((item.nodeid.partition("[")[0], mark.kwargs["but"]), {})
            table.setdefault(_value(item, mark.kwargs["each"]), []).append(item)
        else:
            left.add(item)
    for (_, but), table in tables.items():
        for number, cases in enumerate(table.values()):
            first = number % min(but, len(cases))
            left.update(case for place, case in enumerate(cases) if place % but != first)
    return left


def _value(item: pytest.Item, each: str) -> object:
    assert isinstance(item, pytest.Function)
    name, _, attribute = each.partition(".")
    value = item.callspec.params[name]
    return attrgetter(attribute)(value) if attribute else value
