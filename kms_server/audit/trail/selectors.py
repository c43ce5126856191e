"""Which records a trail delivers (CloudTrail "EventSelector")."""

from collections.abc import Mapping
from typing import Any


class Selectors:
    """All management events."""

    wants_management = True
    wants_data = False

    @classmethod
    def of(cls, _text: str | None) -> "Selectors":
        """The selectors of a trail, as it keeps them."""
        return cls()

    def selects(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is delivered."""
        return bool(record["managementEvent"])
