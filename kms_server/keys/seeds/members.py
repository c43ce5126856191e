"""Reading the mappings and lists of a seed file; what is wrong is told by its place, never by its value."""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from kms_server.errors import OperatorError

TOP = "the file"
# Shorter than any key material, so that a member that is none by mistake does not show it.
_NAME = re.compile(r"[A-Za-z]{1,24}")


class Item(NamedTuple):
    """A value and its place in the file."""

    where: str
    value: object


class Members:
    """One mapping, of which only certain members are known."""

    def __init__(self, item: Item, known: Collection[str]) -> None:
        self.where = item.where
        self._members = as_mapping(item)
        for name in self._members:
            if name not in known:
                shown = name if _NAME.fullmatch(name) else "with such a name"
                raise OperatorError(
                    f"{item.where}: there is no member {shown} here, only {', '.join(sorted(known))}"
                )

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def place(self, name: str) -> str:
        """Where a member is."""
        return name if self.where == TOP else f"{self.where}.{name}"

    def item(self, name: str) -> Item:
        """A member that must be there.

        Raises:
            OperatorError: it is not.
        """
        if name not in self._members:
            raise OperatorError(f"{self.where} has no {name}")
        return Item(self.place(name), self._members[name])

    def text(self, name: str, default: str | None = None) -> str:
        """A text; without a default it must be there.

        Raises:
            OperatorError: it is not there, or no text.
        """
        if name not in self._members and default is not None:
            return default
        return as_text(self.item(name))

    def optional_text(self, name: str) -> str | None:
        """A text, or None."""
        return as_text(self.item(name)) if name in self._members else None

    def flag(self, name: str, *, default: bool) -> bool:
        """`true` or `false`.

        Raises:
            OperatorError: it is neither.
        """
        text = self.text(name, "true" if default else "false")
        if text not in {"true", "false"}:
            raise OperatorError(f"{self.place(name)} must be true or false")
        return text == "true"

    def integer(self, name: str) -> int | None:
        """A natural number, or None.

        Raises:
            OperatorError: it is no number.
        """
        text = self.optional_text(name)
        if text is None:
            return None
        if re.fullmatch(r"[0-9]{1,9}", text) is None:
            raise OperatorError(f"{self.place(name)} must be a number")
        return int(text)

    def inner(self, name: str, known: Collection[str]) -> "Members":
        """The members of a mapping; of one that is not there, or left empty, none.

        Raises:
            OperatorError: it is no mapping, or has others than the known members.
        """
        if self._members.get(name, "") == "":
            return Members(Item(self.place(name), {}), known)
        return Members(self.item(name), known)

    def items(self, name: str) -> list[Item]:
        """The items of a list; of one that is not there, or left empty, none.

        Raises:
            OperatorError: it is no list.
        """
        if self._members.get(name, "") == "":
            return []
        return as_items(self.item(name))


def as_text(item: Item) -> str:
    """A text.

    Raises:
        OperatorError: it is a mapping or a list.
    """
    if not isinstance(item.value, str):
        raise OperatorError(f"{item.where} must be a text")
    return item.value


def as_mapping(item: Item) -> Mapping[str, object]:
    """A mapping.

    Raises:
        OperatorError: it is a text or a list.
    """
    if not isinstance(item.value, dict):
        raise OperatorError(f"{item.where} must be a mapping")
    return item.value


def as_items(item: Item) -> list[Item]:
    """The items of a list.

    Raises:
        OperatorError: it is a text or a mapping.
    """
    if not isinstance(item.value, list):
        raise OperatorError(f"{item.where} must be a list")
    return [Item(f"{item.where}[{index}]", value) for index, value in enumerate(item.value)]
