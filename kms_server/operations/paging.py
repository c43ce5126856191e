"""Pages of lists: opaque markers that name the last item and the list they belong to."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from kms_server.errors import (
    InvalidMarkerException,
    InvalidPaginationTokenException,
    ValidationException,
)
from kms_server.operations.call import Call

Item = TypeVar("Item")
Fetch: TypeAlias = Callable[[str, int], Sequence[Item]]
# Where a page begins and ends; everything else that is asked for says which list it is.
_PLACE = frozenset({"Limit", "Marker", "MaxItems", "MaxResults", "NextToken"})
_USUAL_ITEMS = 100
_MOST_ITEMS = 1_000
_MOST_RESULTS = 100


def page(
    call: Call,
    fetch: Fetch[Item],
    name: Callable[[Item], str],
    *,
    default: int,
    maximum: int,
) -> tuple[list[Item], dict[str, object]]:
    """One page of a list in the order of its names, and the members Truncated and NextMarker.

    `fetch(after, count)` returns up to `count` items that sort after `after`. A marker stays good while items
    come and go.

    Raises:
        InvalidMarkerException: the marker belongs to another list or was never issued.
    """
    size = min(call.get("Limit") or default, maximum)
    items = list(fetch(_last(call), size + 1))
    if len(items) <= size:
        return items, {"Truncated": False}
    return items[:size], {"Truncated": True, "NextMarker": _marker(call, name(items[size - 1]))}


def marked_page(
    call: Call,
    fetch: Fetch[Item],
    name: Callable[[Item], str],
    *,
    most: int | None = None,
) -> tuple[list[Item], dict[str, object]]:
    """One page as IAM has them, with the members IsTruncated and Marker; otherwise as `page`.

    It has `most` items where that is less than what is asked for.

    Raises:
        ValidationException: the marker belongs to another list or was never issued.
    """
    size = min(call.get("MaxItems") or _USUAL_ITEMS, most or _MOST_ITEMS)
    try:
        items = list(fetch(_last(call), size + 1))
    except InvalidMarkerException:
        raise ValidationException("Invalid Marker.") from None
    if len(items) <= size:
        return items, {"IsTruncated": False}
    return items[:size], {"IsTruncated": True, "Marker": _marker(call, name(items[size - 1]))}


def marked_page_of(
    call: Call, items: Sequence[Item], name: Callable[[Item], str], *, most: int | None = None
) -> tuple[list[Item], dict[str, object]]:
    """One page, as IAM has them, of a list that is short enough to be read whole."""
    return marked_page(call, listed(items, name), name, most=most)


def listed(items: Sequence[Item], name: Callable[[Item], str]) -> Fetch[Item]:
    """How pages fetch from a list that is short enough to be read whole."""
    ordered = sorted(items, key=name)

    def fetch(after: str, count: int) -> Sequence[Item]:
        return [item for item in ordered if name(item) > after][:count]

    return fetch


def counted_page(
    call: Call, fetch: Fetch[Item], name: Callable[[Item], str]
) -> tuple[list[Item], dict[str, object]]:
    """One page as Service Quotas has them, with the member NextToken if there is more; otherwise as `page`.

    Raises:
        InvalidPaginationTokenException: the token belongs to another list or was never issued.
    """
    size = call.get("MaxResults") or _MOST_RESULTS
    try:
        items = list(fetch(_last(call, "NextToken"), size + 1))
    except InvalidMarkerException:
        raise InvalidPaginationTokenException from None
    if len(items) <= size:
        return items, {}
    return items[:size], {"NextToken": _marker(call, name(items[size - 1]))}


def token_page(
    call: Call, items: Sequence[Item], name: Callable[[Item], str], *, most: int
) -> tuple[list[Item], dict[str, object]]:
    """One page as CloudTrail has them, of a short list in the order of its names, with the member NextToken if there is more.

    Raises:
        ValidationException: the token belongs to another list or was never issued.
    """
    try:
        last = _last(call, "NextToken")
    except InvalidMarkerException:
        raise ValidationException("Invalid NextToken.") from None
    rest = [item for item in items if name(item) > last]
    if len(rest) <= most:
        return rest, {}
    return rest[:most], {"NextToken": _marker(call, name(rest[most - 1]))}


def _marker(call: Call, last: str) -> str:
    """The place after `last`, with a digest of it and its list: what was cut or changed is no marker."""
    filters = [(name, call.get(name)) for name in sorted(call.parameters.keys() - _PLACE)]
    named = json.dumps([call.operation.name, call.account, call.region, filters, last])
    digest = hashlib.sha256(named.encode()).hexdigest()[:32]
    return base64.b64encode(f"{digest}\n{last}".encode()).decode()


def _last(call: Call, member: str = "Marker") -> str:
    marker = call.get(member)
    if marker is None:
        return ""
    try:
        _, _, last = base64.b64decode(marker, validate=True).decode().partition("\n")
    except ValueError:
        raise InvalidMarkerException from None
    if marker != _marker(call, last) or "\0" in last:
        raise InvalidMarkerException
    return last
