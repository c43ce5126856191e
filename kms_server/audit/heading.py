"""What the records of many events have in common, written once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

_VERSION = "1.11"
_MOST_TEXT = 1_024  # bytes (CloudTrail "Record contents")


@dataclass(frozen=True, slots=True)
class Heading:
    """What one caller's calls of one operation have in common in their records.

    `is_data` tells data events, which are about objects, from management events, which are about anything else. The
    record begins with `before_time`; `after_time` stands behind the time, `kind` behind the ids, `about` behind the
    resources, and it ends with `end`: all of them pieces of JSON. `columns` are those of the rows that follow from it, in
    the order of the table.
    """

    source: str
    name: str
    account: str
    region: str
    identity: Mapping[str, Any]
    username: str | None
    access_key_id: str | None
    source_ip: str
    user_agent: str | None
    read_only: bool
    event_type: str
    tls: Mapping[str, str] | None = None
    is_data: bool = False
    columns: tuple[object, ...] = field(init=False, repr=False, compare=False)
    before_time: str = field(init=False, repr=False, compare=False)
    after_time: str = field(init=False, repr=False, compare=False)
    kind: str = field(init=False, repr=False, compare=False)
    about: str = field(init=False, repr=False, compare=False)
    end: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        category = "Data" if self.is_data else "Management"
        after = {
            "eventSource": self.source,
            "eventName": self.name,
            "awsRegion": self.region,
            "sourceIPAddress": self.source_ip,
        }
        if self.user_agent is not None:
            after["userAgent"] = cut(self.user_agent)
        about = {
            "eventType": self.event_type,
            "managementEvent": not self.is_data,
            "recipientAccountId": self.account,
        }
        end = {"eventCategory": category} | ({} if self.tls is None else {"tlsDetails": self.tls})
        columns = (
            self.account, self.region, self.name, self.source, self.read_only, self.username, self.access_key_id,
        )  # fmt: skip
        identity = text({"eventVersion": _VERSION, "userIdentity": self.identity})
        pieces = {
            "columns": columns,
            "before_time": f'{identity[:-1]},"eventTime":"',
            "after_time": f'",{members(after)}',
            "kind": f",{members({'readOnly': self.read_only})}",
            "about": f",{members(about)}",
            "end": f",{members(end)}}}",
        }
        for name, piece in pieces.items():
            object.__setattr__(self, name, piece)


def text(value: object) -> str:
    """JSON."""
    return "null" if value is None else orjson.dumps(value).decode()


def cut(value: str) -> str:
    """As much of a text as a record may have."""
    return value if len(value) * 4 <= _MOST_TEXT else value.encode()[:_MOST_TEXT].decode(errors="ignore")


def members(values: Mapping[str, object]) -> str:
    """The members of a JSON object without its braces."""
    return orjson.dumps(values)[1:-1].decode()
