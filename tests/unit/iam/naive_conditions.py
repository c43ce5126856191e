"""Condition elements for the naive evaluator.

Decisions where the rules are unclear:

* A negated operator is the exact opposite of its positive twin, so a value that is no number, date or address
  satisfies NumericNotEquals, DateNotEquals and NotIpAddress, and fails all others.
* An operator without ForAllValues or ForAnyValue asks, of a key with several values, whether any of them matches;
  negated, whether none does.
* ForAnyValue with a negated operator is false on a missing key, as ForAnyValue always is; IfExists makes it true.
* Null asks for the key, not for its values, so ForAllValues:Null and ForAnyValue:Null mean Null. NullIfExists and
  names this module does not know (their case counts) never hold.
* Numbers: digits, perhaps a sign before and a fraction behind; no exponent, no blanks. Compared exactly.
* Dates: YYYY-MM, YYYY-MM-DD, or a day with hh:mm, hh:mm:ss or hh:mm:ss.fraction and a zone, Z or +hh:mm. A
  time without a zone is no date. Only digits: seconds since 1970, also when they are four and could be a year; these
  may have a fraction, too.
* Bool and Null read true and false in any case; other texts match nothing, not even themselves.
* BinaryEquals compares decoded bytes; text that is not padded base64 matches nothing.
* IpAddress: the bits behind the mask are ignored (10.0.0.9/8 is 10.0.0.0/8), the mask is a number, and an IPv4
  address written in IPv6 is an IPv6 address.
* JSON numbers and booleans in a document are the texts JSON writes for them.
* An empty list of values matches nothing.
"""

import base64
import ipaddress
import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.unit.iam.naive_text import Context, Pattern, arn_matches, as_text, expand, matches, values_of

POSITIVE_OF = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}

FAMILIES = [
    *["StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"],
    *["NumericEquals", "NumericLessThan", "NumericLessThanEquals"],
    *["NumericGreaterThan", "NumericGreaterThanEquals"],
    *["DateEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"],
    *["Bool", "BinaryEquals", "IpAddress"],
]


def listed(value: Any) -> list[Any]:
    """A member of a document that may stand without its list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def conditions_hold(condition: Mapping[str, Any], version: str, context: Context) -> bool:
    """Whether all operators hold for all of their keys."""
    for operator, keys in condition.items():
        for key, values in keys.items():
            texts = [value if isinstance(value, str) else json.dumps(value) for value in listed(values)]
            if not operator_holds(operator, key, texts, version, context):
                return False
    return True


def operator_holds(operator: str, key: str, texts: list[str], version: str, context: Context) -> bool:
    """Whether one operator holds for one key."""
    read = re.fullmatch(r"(ForAllValues:|ForAnyValue:|)([A-Za-z]+?)(IfExists|)", operator)
    if not read:
        return False
    over, base, if_exists = read.groups()
    request = values_of(context, key)
    if base == "Null":
        truth = "false" if request else "true"
        return not if_exists and any(text.lower() == truth for text in texts)
    negated = base in POSITIVE_OF
    positive = POSITIVE_OF.get(base, base)
    if positive not in FAMILIES:
        return False
    if not request:
        return bool(if_exists) or over == "ForAllValues:" or (negated and over != "ForAnyValue:")
    hits = [
        any(value_matches(positive, text, value, version, context) for text in texts) for value in request
    ]
    return combined(over, hits, negated=negated)


def combined(over: str, hits: list[bool], *, negated: bool) -> bool:
    """The answer for a key, given which of the request's values match a value of the document."""
    if negated:
        return not all(hits) if over == "ForAnyValue:" else not any(hits)
    return all(hits) if over == "ForAllValues:" else any(hits)


def value_matches(operator: str, text: str, value: str, version: str, context: Context) -> bool:
    """Whether a positive operator finds one value of the document in one value of the request."""
    if operator.startswith(("String", "Arn")):
        pattern = expand(text, version, context)
        return pattern is not None and pattern_matches(operator, pattern, value)
    if operator.startswith("Numeric"):
        return compare(operator.removeprefix("Numeric"), number(text), number(value))
    if operator.startswith("Date"):
        return compare(operator.removeprefix("Date"), moment(text), moment(value))
    if operator == "Bool":
        return text.lower() in ("true", "false") and text.lower() == value.lower()
    if operator == "BinaryEquals":
        return octets(text) is not None and octets(text) == octets(value)
    return address_in(text, value)


def pattern_matches(operator: str, pattern: Pattern, value: str) -> bool:
    """String and Arn operators. StringEquals knows no wildcards: * and ? are themselves."""
    if operator.startswith("Arn"):
        return arn_matches(pattern, value)
    if operator == "StringLike":
        return matches(pattern, value)
    if operator == "StringEqualsIgnoreCase":
        return as_text(pattern).lower() == value.lower()
    return as_text(pattern) == value


def compare(how: str, wanted: Fraction | None, given: Fraction | None) -> bool:
    """Whether the request's value stands to the document's as the operator says."""
    if wanted is None or given is None:
        return False
    return {
        "Equals": given == wanted,
        "LessThan": given < wanted,
        "LessThanEquals": given <= wanted,
        "GreaterThan": given > wanted,
        "GreaterThanEquals": given >= wanted,
    }[how]


def number(text: str) -> Fraction | None:
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text):
        return None
    return Fraction(Decimal(text))


def moment(text: str) -> Fraction | None:
    """Seconds since 1970."""
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        return Fraction(Decimal(text))
    day_alone = re.fullmatch(r"([0-9]{4})-([0-9]{2})(-[0-9]{2})?", text)
    if day_alone:
        day = day_alone.group(3) or "-01"
        return moment(f"{day_alone.group(1)}-{day_alone.group(2)}{day}T00:00Z")
    time = re.fullmatch(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})",
        text,
    )
    if not time:
        return None
    day, minutes, seconds, fraction, zone = time.groups()
    if fraction and not seconds:
        return None
    zone = "+00:00" if zone == "Z" else zone
    try:
        whole = datetime.fromisoformat(f"{day}T{minutes}{seconds or ':00'}{zone}")
    except ValueError:
        return None
    since = whole - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return Fraction(since.days * 86400 + since.seconds) + Fraction(Decimal(f"0{fraction or '.0'}"))


def octets(text: str) -> bytes | None:
    if not re.fullmatch(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", text):
        return None
    return base64.b64decode(text)


def address_in(network: str, address: str) -> bool:
    """Whether the address lies in the network; a network without a mask is one address."""
    if not re.fullmatch(r"[0-9a-fA-F.:]+(/[0-9]+)?", network):
        return False
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
