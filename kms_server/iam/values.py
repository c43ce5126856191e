"""Values of conditions that are more than text: numbers, dates, bytes and addresses. None: the text is no such value."""

import base64
import re
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_SECONDS = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DAY = re.compile(r"([0-9]{4}-[0-9]{2})(-[0-9]{2})?")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2})(?:(:[0-9]{2})(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_BASE64 = re.compile(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_NETWORK = re.compile(r"[0-9a-fA-F.:]+(/[0-9]+)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Network = IPv4Network | IPv6Network


def number(text: str) -> Fraction | None:
    """An integer or decimal number without exponent."""
    return Fraction(Decimal(text)) if _NUMBER.fullmatch(text) else None


@lru_cache(maxsize=1_024)
def moment(text: str) -> Fraction | None:
    """Seconds since 1970: an ISO 8601 month, day or time with its zone, or the seconds themselves."""
    if _SECONDS.fullmatch(text):
        return Fraction(Decimal(text))
    day, time = _DAY.fullmatch(text), _TIME.fullmatch(text)
    if day:
        return _since(f"{day[1]}{day[2] or '-01'}T00:00:00+00:00")
    if time:
        whole = _since(f"{time[1]}{time[2] or ':00'}{'+00:00' if time[4] == 'Z' else time[4]}")
        return None if whole is None else whole + Fraction(Decimal(time[3] or 0))
    return None


def _since(iso: str) -> Fraction | None:
    try:
        elapsed = datetime.fromisoformat(iso) - _EPOCH
    except ValueError:
        return None
    return Fraction(elapsed.days * 86_400 + elapsed.seconds)


def boolean(text: str) -> bool | None:
    """`true` or `false` in any case."""
    return {"true": True, "false": False}.get(text.lower())


def octets(text: str) -> bytes | None:
    """Padded base64."""
    return base64.b64decode(text) if _BASE64.fullmatch(text) else None


def network(text: str) -> Network | None:
    """A range of addresses; without a mask, one address. Bits behind the mask do not count."""
    if _NETWORK.fullmatch(text) is None:
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def address(text: str) -> IPv4Address | IPv6Address | None:
    """One address."""
    try:
        return ip_address(text)
    except ValueError:
        return None
