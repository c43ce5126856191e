"""Which records a question wants: what columns tell becomes SQL, the rest is read in the record.

Where a member of the record decides, the text that it has is looked for in SQL first, so that few records are parsed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, NamedTuple, TypeAlias

import orjson
from sqlalchemy import ColumnElement, Table, or_, true

from kms_server.audit.record import Row
from kms_server.config import Network

Record: TypeAlias = Mapping[str, Any]
Conditions: TypeAlias = list[ColumnElement[bool]]
OBJECT_PAIR = "aws:s3:arn"
# The longest pattern that SQLite takes has 50,000 bytes; the beginning of a text is enough to look for.
_MOST_LOOKED_FOR = 4_096
_PENDING_DELETION = (" is pending deletion.", " is pending replica deletion.")
_INVALID_STATE = "KMSInvalidStateException"
# Columns that have what a filter's member of the same name says.
_EQUAL = ("event_id", "event_source", "username", "access_key_id", "error_code", "account", "region")


@dataclass(frozen=True, slots=True)
class Filter:
    """What the command line asks; what is None, False or empty matches everything.

    A row has one of `resources`, and `resource_end` is how an ARN of it ends. `since` and `until` are inclusive epoch seconds.
    `failed` asks for any error, or for none. `context` are pairs that one encryption context has. `object_arn` is an object
    or a bucket in a context, `principal` the ARN of a caller or of who issued its session; both may end in `*`.
    """

    resources: tuple[str, ...] = ()
    resource_end: str | None = None
    event_names: tuple[str, ...] = ()
    event_source: str | None = None
    username: str | None = None
    access_key_id: str | None = None
    error_code: str | None = None
    failed: bool | None = None
    read_only: bool | None = None
    account: str | None = None
    region: str | None = None
    event_id: str | None = None
    since: float | None = None
    until: float | None = None
    request_id: str | None = None
    principal: str | None = None
    invoked_by: str | None = None
    network: Network | None = None
    context: tuple[tuple[str, str], ...] = ()
    object_arn: str | None = None
    grant_id: str | None = None
    service_events: bool = False
    pending_deletion: bool = False
    newest_first: bool = False
    limit: int | None = None


def conditions(table: Table, wanted: Filter) -> Conditions:
    """What every matching row meets; more rows may meet it than match."""
    columns = table.c
    found: Conditions = [
        columns[name] == value
        for name in _EQUAL
        if (value := getattr(wanted, name)) is not None
    ]  # fmt: skip
    if wanted.event_names:
        found.append(columns.event_name.in_(wanted.event_names))
    if wanted.read_only is not None:
        found.append(columns.read_only.is_(wanted.read_only))
    if wanted.failed is not None:
        found.append(columns.error_code.is_not(None) if wanted.failed else columns.error_code.is_(None))
    if wanted.resource_end is not None:
        ends = (one.endswith(wanted.resource_end, autoescape=True) for one in _resources(table))
        found.append(or_(*ends))
    texts = (text for check, value in _asked(wanted) for text in check.texts(value))
    return [*found, *(columns.record.contains(text[:_MOST_LOOKED_FOR], autoescape=True) for text in texts)]


def alternatives(table: Table, wanted: Filter) -> Conditions:
    """Conditions of which a matching row meets one or more; apart, each is a range of one index in the order of time."""
    if wanted.resources:
        return [column == arn for column in _resources(table) for arn in wanted.resources]
    return [table.c.event_name == name for name in wanted.event_names] or [true()]


def matcher(wanted: Filter) -> Callable[[Row], bool] | None:
    """What tells of a row that meets the conditions whether it matches; None: it does."""
    checks = list(_asked(wanted))
    end = wanted.resource_end
    if not checks and end is None:
        return None

    def matches(row: Row) -> bool:
        # SQL's LIKE passes over the case of letters.
        if end is not None and not any(arn and arn.endswith(end) for arn in (row.resource_1, row.resource_2)):
            return False
        record = orjson.loads(row.record) if checks else {}
        return all(check.holds(record, value) for check, value in checks)

    return matches


def selector(wanted: Filter) -> Callable[[Row], bool]:
    """Tells of any row whether it matches, whatever its time: for those who follow the log."""
    equal = [(name, value) for name in _EQUAL if (value := getattr(wanted, name)) is not None]
    further = matcher(wanted)

    def selects(row: Row) -> bool:
        return (
            all(getattr(row, name) == value for name, value in equal)
            and (not wanted.event_names or row.event_name in wanted.event_names)
            and wanted.read_only in (None, row.read_only)
            and wanted.failed in (None, row.error_code is not None)
            and (
                not wanted.resources
                or row.resource_1 in wanted.resources
                or row.resource_2 in wanted.resources
            )
            and (further is None or further(row))
        )

    return selects


def uses_key_pending_deletion(record: Record) -> bool:
    """Whether a call was refused since its key is pending deletion, which tells who would miss the key."""
    code: str = record.get("errorCode", "")
    message: str = record.get("errorMessage", "")
    return code.endswith(_INVALID_STATE) and message.endswith(_PENDING_DELETION)


def unnamed_caller(record: Record) -> str | None:
    """Who called where a record has neither user nor session: a service, or, in the copy of an owner, another account."""
    identity = _identity(record)
    return identity.get("invokedBy") or identity.get("accountId")


def is_copy(row: Row) -> bool:
    """Whether it is what the owner of a resource has of another account's call, which has a row of its own there."""
    if row.username is not None:
        return False
    record = orjson.loads(row.record)
    return "sharedEventID" in record and _identity(record).get("type") == "AWSAccount"


def contexts(record: Record) -> Iterator[Mapping[str, str]]:
    """The encryption contexts of a call, of which ReEncrypt has two."""
    for name, value in (record.get("requestParameters") or {}).items():
        if name.endswith("ncryptionContext") and isinstance(value, Mapping):
            yield value


def _resources(table: Table) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return table.c.resource_1, table.c.resource_2


class _Check(NamedTuple):
    """How a member of the record is asked for: texts that the record then has, and whether it truly fits."""

    texts: Callable[[Any], Iterable[str]]
    holds: Callable[[Record, Any], bool]


def _asked(wanted: Filter) -> Iterator[tuple[_Check, Any]]:
    return ((check, value) for name, check in _CHECKS.items() if (value := getattr(wanted, name)))


def _pair(name: str, value: str) -> str:
    """A member as it stands in a record; of a value that ends in `*`, the beginning."""
    written = f"{_json(name)}:{_json(value.removesuffix('*'))}"
    return written[:-1] if value.endswith("*") else written


def _json(text: str) -> str:
    return orjson.dumps(text).decode()


def _fits(text: str | None, pattern: str) -> bool:
    if text is not None and pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern


def _has_pairs(record: Record, pairs: tuple[tuple[str, str], ...]) -> bool:
    return any(all(one.get(name) == value for name, value in pairs) for one in contexts(record))


def _is_for(record: Record, object_arn: str) -> bool:
    return any(_fits(one.get(OBJECT_PAIR), object_arn) for one in contexts(record))


def _identity(record: Record) -> Mapping[str, Any]:
    return record.get("userIdentity") or {}


def _is_by(record: Record, principal: str) -> bool:
    identity = _identity(record)
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {})
    return _fits(identity.get("arn"), principal) or _fits(issuer.get("arn"), principal)


def _is_from(record: Record, network: Network) -> bool:
    address = _address(record.get("sourceIPAddress", ""))
    return address is not None and address in network


@lru_cache(maxsize=1_024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:  # the name of a service
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _names_grant(record: Record, grant_id: str) -> bool:
    members = (record.get("requestParameters"), record.get("responseElements"))
    return any(one is not None and one.get("grantId") == grant_id for one in members)


_CHECKS = {
    "request_id": _Check(
        lambda value: [_pair("requestID", value)], lambda record, value: record.get("requestID") == value
    ),
    "principal": _Check(lambda value: [_pair("arn", value)], _is_by),
    "invoked_by": _Check(
        lambda value: [_pair("invokedBy", value)],
        lambda record, value: _fits(_identity(record).get("invokedBy"), value),
    ),
    "network": _Check(lambda _: [], _is_from),
    "context": _Check(lambda pairs: [f"{_json(name)}:{_json(value)}" for name, value in pairs], _has_pairs),
    "object_arn": _Check(lambda value: [_pair(OBJECT_PAIR, value)], _is_for),
    "grant_id": _Check(lambda value: [_pair("grantId", value)], _names_grant),
    "service_events": _Check(
        lambda _: ['"eventType":"AwsServiceEvent"'],
        lambda record, _: record.get("eventType") == "AwsServiceEvent",
    ),
    "pending_deletion": _Check(
        lambda _: [_INVALID_STATE], lambda record, _: uses_key_pending_deletion(record)
    ),
}
