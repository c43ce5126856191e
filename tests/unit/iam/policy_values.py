"""Conditions for the policy cases: what documents and requests may say, for every operator.

Each pair is a value of a document and a value of a request; about half of the pairs of an operator match. The
pairs under UNCLEAR rest on decisions of the naive evaluator where the rules are silent.
"""

from random import Random
from typing import Any

from tests.unit.iam.naive_conditions import POSITIVE_OF

HOME, AWAY = "111122223333", "444455556666"
TOPIC = f"arn:aws:sns:eu-west-1:{HOME}:alarms"

Pair = tuple[Any, str]

TEXTS: list[Pair] = [
    ("finance", "finance"),
    ("finance", "Finance"),
    ("FINANCE", "finance"),
    ("finance", "finances"),
    ("fin*", "finance"),
    ("fin*", "fin*"),
    ("f?n", "fun"),
    ("f?nan*", "finance"),
    ("*", "finance"),
    ("f?n", "F?N"),
    ("", ""),
    ("", "x"),
    ("a${*}c", "a*c"),
    ("a${*}c", "abc"),
    ("a${?}", "a?"),
    ("a${?}", "ab"),
    ("${$}{x}", "${x}"),
    ("${$}5", "$5"),
    ("x${?}${*}", "x?*"),
    ("${aws:username}", "alice"),
    ("${aws:username}", "bob"),
    ("${aws:username}", "${aws:username}"),
    ("${kms:CallerAccount}", HOME),
    ("${kms:CallerAccount}", AWAY),
    ("${AWS:PrincipalTag/TEAM}", "blue"),
    ("${AWS:PrincipalTag/TEAM}", "Blue"),
    ("${aws:PrincipalArn}", f"arn:aws:iam::{HOME}:user/alice"),
    ("${aws:PrincipalTag/none, 'blue'}", "blue"),
    ("${aws:PrincipalTag/team, 'red'}", "red"),
    ("${aws:PrincipalTag/none}", ""),
    ("${aws:FederatedProviders}", "one"),
]
PATTERNS: list[Pair] = [
    *TEXTS,
    ("*", "anything"),
    ("*", ""),
    ("?", ""),
    ("a*b*c", "aXbbYc"),
    ("a*b*c", "acb"),
    ("*/${aws:username}/?", "home/alice/1"),
    ("*/${aws:username}/?", "home/alice/12"),
    ("team-${aws:PrincipalTag/team}-*", "team-blue-7"),
    ("team-${aws:PrincipalTag/team}-*", "team-red-7"),
]
NUMBERS: list[Pair] = [
    ("7", "7"),
    ("7", "7.0"),
    ("7", "6"),
    ("7", "8"),
    ("-1", "0"),
    ("0", "-1"),
    ("365.5", "365.50"),
    ("0", "0.0"),
    ("0.25", "0.250"),
    ("90", "90"),
    ("2560", "2560"),
    ("365.5", "366"),
    (30, "30"),
    (30, "7"),
    ("10", "9"),
    ("9", "10"),
    ("seven", "7"),
    ("7", "seven"),
    ("seven", "seven"),
    ("7", ""),
    ("*", "7"),
]
DATES: list[Pair] = [
    ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ("2026-01-01T00:00:00Z", "2026-01-01T02:00:00+02:00"),
    ("1767225600", "2026-01-01T00:00:00Z"),
    ("2026-01-01T00:00:00Z", "1767225600"),
    ("2026-01-01", "2026-01-01T00:00:00Z"),
    ("2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z"),
    ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
    ("2026-01-01T00:00:00-01:00", "2026-01-01T00:30:00Z"),
    ("1767225600", "1767225601"),
    ("1767225600", "999999999"),
    ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500Z"),
    ("2026-02-30T00:00:00Z", "2026-03-01T00:00:00Z"),
    ("tomorrow", "2026-01-01T00:00:00Z"),
    ("2026-01-01T00:00:00Z", "yesterday"),
    ("tomorrow", "tomorrow"),
    ("2026-*", "2026-01-01T00:00:00Z"),
]
ADDRESSES: list[Pair] = [
    ("203.0.113.0/24", "203.0.113.9"),
    ("203.0.113.0/24", "203.0.114.9"),
    ("203.0.113.128/25", "203.0.113.129"),
    ("203.0.113.128/25", "203.0.113.127"),
    ("203.0.113.9", "203.0.113.9"),
    ("203.0.113.9", "203.0.113.90"),
    ("0.0.0.0/0", "198.51.100.1"),
    ("0.0.0.0/0", "2001:db8::1"),
    ("::/0", "203.0.113.9"),
    ("2001:db8::/32", "2001:db8:1::1"),
    ("2001:DB8::/32", "2001:db8:0:0:0:0:0:1"),
    ("2001:db8::/32", "2001:db9::1"),
    ("2001:db8::1", "2001:0db8::0001"),
    ("203.0.113.0/33", "203.0.113.9"),
    ("203.0.113.*", "203.0.113.9"),
    ("203.0.113.0/24", "localhost"),
    ("localhost", "localhost"),
]
ARNS: list[Pair] = [
    (TOPIC, TOPIC),
    (TOPIC, TOPIC + "2"),
    (TOPIC, TOPIC.upper()),
    (f"arn:aws:sns:*:{HOME}:alarms*", TOPIC + ":sub"),
    ("arn:aws:sns:eu-west-?:*:alarm?", TOPIC),
    ("arn:aws:sns:eu-west-?:*:alarm", TOPIC),
    ("arn:*:*:*:*:*", TOPIC),
    ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a/b"),
    ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket"),
    ("arn:aws:iam::*:user/${aws:username}", f"arn:aws:iam::{HOME}:user/alice"),
    ("arn:aws:iam::*:user/${aws:username}", f"arn:aws:iam::{HOME}:user/bob"),
    ("arn:aws:iam::*:user/${aws:PrincipalTag/none}", f"arn:aws:iam::{HOME}:user/"),
    ("arn:aws:s3:::${*}/*", "arn:aws:s3:::*/x"),
    ("arn:aws:s3:::${*}/*", "arn:aws:s3:::b/x"),
    (TOPIC, "no ARN"),
    ("arn:*:*:*:*:*", "alarms"),
]
PAIRS: dict[str, list[Pair]] = {
    "StringEquals": TEXTS,
    "StringEqualsIgnoreCase": TEXTS,
    "StringLike": PATTERNS,
    "ArnEquals": ARNS,
    "ArnLike": ARNS,
    "Bool": [
        *[("true", "true"), ("true", "false"), ("false", "false"), ("false", "true")],
        *[(True, "true"), (False, "true"), ("yes", "true"), ("true", "1"), ("false", "")],
    ],
    "BinaryEquals": [
        *[("QUJD", "QUJD"), ("QUJD", "QUJE"), ("QUI=", "QUI="), ("QUJD", "qujd")],
        *[("QUI", "QUI"), ("!", "!"), ("+/8=", "+/8="), ("+/8=", "-_8=")],
    ],
    "IpAddress": ADDRESSES,
}
HOWS = ["Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"]
PAIRS |= {f"Numeric{how}": NUMBERS for how in HOWS} | {f"Date{how}": DATES for how in HOWS}

UNCLEAR: dict[str, list[Pair]] = {
    "String": [("${aws:PrincipalTag/star}", "anything"), ("${aws:FederatedProviders, 'red'}", "red")],
    "Arn": [
        ("*", TOPIC),
        ("arn:aws:sns:*", TOPIC),
        ("${aws:PrincipalArn}", f"arn:aws:iam::{HOME}:user/alice"),
    ],
    "Numeric": [("1e1", "10"), ("+7", "7"), ("100000000000000000001", "100000000000000000000"), (" 7", "7")],
    "Date": [
        ("2020", "2020-01-01T00:00:00Z"),
        ("2026-01", "2026-01-01"),
        ("2026-01-01T00:00:00", "2026-01-01"),
    ],
    "Bool": [("True", "true"), ("yes", "yes")],
    "Binary": [("QR==", "QQ==")],
    "Ip": [
        *[("203.0.113.7/24", "203.0.113.9"), ("203.0.113.0/24", "::ffff:203.0.113.9")],
        ("203.0.113.0/255.255.255.0", "203.0.113.9"),
    ],
}

BASES = [*PAIRS, *POSITIVE_OF, "Null"]
SINGLE_KEYS = ["kms:ViaService", "kms:EncryptionContext:Dept", "aws:ResourceTag/Owner", "aws:SourceVpce"]
MULTI_KEYS = ["kms:EncryptionContextKeys", "aws:TagKeys", "kms:GrantOperations", "kms:ResourceAliases"]


def pairs_for(base: str, *, unclear: bool) -> list[Pair]:
    positive = POSITIVE_OF.get(base, base)
    if positive == "Null":
        return [("true", "x"), ("false", "x"), (True, "x"), (False, "x")]
    extra = [pair for family, pairs in UNCLEAR.items() if positive.startswith(family) for pair in pairs]
    return PAIRS[positive] + (extra if unclear else [])


def odds(rng: Random, twentieths: int) -> bool:
    """True so many times in twenty; the simpler examples have false."""
    return rng.randrange(20) >= 20 - twentieths


def cased(rng: Random, key: str) -> str:
    """The key, in other case now and then."""
    return rng.choice([key, key, key.lower(), key.upper(), key.swapcase()])


def conditions(rng: Random, *, unclear: bool) -> tuple[str, dict[str, Any], dict[str, list[str]]]:
    """An operator, a condition that consists of it, and what a request says about its key."""
    base = rng.choice(BASES)
    over = "" if base == "Null" and not unclear else rng.choice(["", "ForAllValues:", "ForAnyValue:"])
    operator = over + base + ("IfExists" if base != "Null" and odds(rng, 6) else "")
    several = bool(over) or (unclear and odds(rng, 5))
    key = rng.choice(MULTI_KEYS if several else SINGLE_KEYS)
    pairs = pairs_for(base, unclear=unclear)
    text, value = rng.choice(pairs)
    texts, values = [text], [value]
    while len(texts) < 3 and base != "Null" and odds(rng, 4):
        texts.insert(rng.randrange(2), rng.choice(pairs)[0])
    while len(values) < 4 and several and odds(rng, 8):
        values.insert(rng.randrange(2), rng.choice(pairs)[1])
    condition = {operator: {cased(rng, key): texts if len(texts) > 1 or odds(rng, 8) else texts[0]}}
    if odds(rng, 10 if base == "Null" else 3):
        return operator, condition, {}
    return operator, condition, {cased(rng, key): values}


def operator_forms() -> list[str]:
    """All names that a condition operator may have."""
    forms = [
        f"{over}{base}{end}"
        for over in ("", "ForAllValues:", "ForAnyValue:")
        for base in BASES
        for end in ("", "IfExists")
    ]
    return [form for form in forms if not form.endswith("NullIfExists")]
