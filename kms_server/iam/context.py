"""What a request says about itself: the values of condition keys (AWS "Condition keys")."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class Context(Protocol):
    """The condition keys of one request."""

    def values(self, key: str) -> Sequence[str]:
        """The values of a key, by its name in lower case; none when the request has no such key."""
        ...


class FixedContext:
    """Condition keys that are known beforehand, as in a simulation; names may have any case."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values: dict[str, tuple[str, ...]] = {}
        for name, given in values.items():
            self._values[name.lower()] = (*self._values.get(name.lower(), ()), *given)

    def values(self, key: str) -> Sequence[str]:
        """The values of a key, by its name in lower case."""
        return self._values.get(key, ())


NOTHING = FixedContext({})
