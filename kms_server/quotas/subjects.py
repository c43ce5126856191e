"""What a limit can be set on, as one line of text."""

from typing import NamedTuple
from urllib.parse import quote, unquote

QUOTA, KEY, ALIAS, TAG, PRINCIPAL = "quota", "key", "alias", "tag", "principal"


class Place(NamedTuple):
    """An account and a Region."""

    account: str
    region: str


class Subject(NamedTuple):
    """What a limit is set on: `name` is a quota's id, a key's id, or the pattern of an alias or of a principal's ARN.

    `value` is the pattern of a tag's value; `place` is None where the name alone says what is meant.
    """

    kind: str
    name: str
    place: Place | None = None
    value: str = ""


def of_quota(account: str, region: str, quota_id: str) -> str:
    """An account's quota in a Region."""
    return f"quota:{account}:{region}:{quota_id}"


def of_key(key_id: str) -> str:
    """One key."""
    return f"key:{key_id}"


def of_alias(account: str, region: str, pattern: str) -> str:
    """Each key of an account and Region that has an alias like `alias/app-*`."""
    return f"alias:{account}:{region}:{pattern}"


def of_tag(account: str, region: str, key: str, value: str) -> str:
    """Each key of an account and Region that has a tag; `value` may have wildcards."""
    return f"tag:{account}:{region}:{quote(key, safe='')}={quote(value, safe='*?')}"


def of_principal(pattern: str) -> str:
    """Each principal whose ARN is like the pattern."""
    return f"principal:{pattern}"


def parse(subject: str) -> Subject:
    """What a line names.

    Raises:
        ValueError: nothing here makes such a line.
    """
    kind, _, rest = subject.partition(":")
    if kind in {KEY, PRINCIPAL}:
        return Subject(kind, rest)
    account, region, name = rest.split(":", 2)
    place = Place(account, region)
    if kind == TAG:
        name, _, value = name.partition("=")
        return Subject(kind, unquote(name), place, unquote(value))
    return Subject(kind, name, place)
