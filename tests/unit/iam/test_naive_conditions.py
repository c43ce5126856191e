"""The naive evaluator's conditions, against answers written by hand."""

from typing import Any

import pytest

from tests.unit.iam.naive import Asked, Caller, decide

ALICE = Caller("arn:aws:iam::111122223333:user/alice", "111122223333")
CONTEXT = {
    "aws:username": ["alice"],
    "aws:PrincipalArn": [ALICE.arn],
    "aws:PrincipalTag/Team": ["blue"],
    "aws:PrincipalTag/star": ["*"],
    "aws:PrincipalTag/empty": [""],
    "app:many": ["one", "two"],
}
TOPIC = "arn:aws:sns:eu-west-1:111122223333:alarms:sub"


def holds(operator: str, values: Any, given: list[str] | None, version: str = "2012-10-17") -> bool:
    """Whether a statement with this condition allows a request with these values of app:key."""
    statement = {
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": {operator: {"APP:Key": values}},
    }
    context = CONTEXT if given is None else CONTEXT | {"app:kEY": given}
    document = {"Version": version, "Statement": statement}
    return decide(Asked(ALICE, "kms:ListKeys", "*", context, None, None, [document])) == "allow"


# operator, a value of the document, a value that matches it, one that does not
POSITIVE: list[tuple[str, str, str, str]] = [
    ("StringEquals", "blue", "blue", "Blue"),
    ("StringEqualsIgnoreCase", "blue", "BLUE", "blues"),
    ("StringLike", "b*e?", "bluer", "Bluer"),
    ("NumericEquals", "7", "7.0", "7.1"),
    ("NumericLessThan", "7", "6.9", "7"),
    ("NumericLessThanEquals", "7", "7", "7.1"),
    ("NumericGreaterThan", "-7", "-6", "-7"),
    ("NumericGreaterThanEquals", "7", "7", "6"),
    ("DateEquals", "2026-01-01T00:00:00Z", "2026-01-01T02:00:00+02:00", "2026-01-01T00:00:01Z"),
    ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"),
    ("DateLessThanEquals", "2026-01-01T00:00:00Z", "1767225600", "1767225601"),
    ("DateGreaterThan", "1767225600", "2026-01-01T00:00:00.5Z", "2026-01-01"),
    ("DateGreaterThanEquals", "2026-01-01", "2026-01-01T00:00Z", "2025-12"),
    ("Bool", "true", "true", "false"),
    ("BinaryEquals", "QUJD", "QUJD", "qujd"),
    ("IpAddress", "203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
    ("ArnEquals", "arn:aws:sns:*:111122223333:alarms*", TOPIC, "arn:aws:sns:eu-west-1:1:alarms"),
    ("ArnLike", "arn:aws:sns:eu-west-?:*:*:sub", TOPIC, "arn:aws:sns:eu-west-1:111122223333:alarms"),
]
NEGATED: list[tuple[str, str, str, str]] = [
    ("StringNotEquals", "blue", "blue", "Blue"),
    ("StringNotEqualsIgnoreCase", "blue", "BLUE", "blues"),
    ("StringNotLike", "b*e?", "bluer", "Bluer"),
    ("NumericNotEquals", "7", "7.0", "7.1"),
    ("DateNotEquals", "2026-01-01T00:00:00Z", "2026-01-01T02:00:00+02:00", "2026-01-01T00:00:01Z"),
    ("NotIpAddress", "203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
    ("ArnNotEquals", "arn:aws:sns:*:111122223333:alarms*", TOPIC, "arn:aws:sns:eu-west-1:1:alarms"),
    ("ArnNotLike", "arn:aws:sns:eu-west-?:*:*:sub", TOPIC, "arn:aws:sns:eu-west-1:111122223333:alarms"),
]


@pytest.mark.parametrize(("operator", "value", "hit", "miss"), POSITIVE)
def test_a_positive_operator_asks_for_one_match(operator: str, value: str, hit: str, miss: str) -> None:
    for suffix, missing in (("", False), ("IfExists", True)):
        name = operator + suffix
        assert holds(name, value, [hit])
        assert holds(name, ["#none", value], [hit])
        assert not holds(name, value, [miss])
        assert not holds(name, "#none", [hit])
        assert not holds(name, [], [hit])
        assert holds(name, value, None) is missing
        assert holds(name, value, []) is missing
        assert holds(name, value, [miss, hit])
        assert holds(f"ForAllValues:{name}", value, [hit, hit])
        assert not holds(f"ForAllValues:{name}", value, [hit, miss])
        assert holds(f"ForAllValues:{name}", value, None)
        assert holds(f"ForAllValues:{name}", value, [])
        assert holds(f"ForAnyValue:{name}", value, [miss, hit])
        assert not holds(f"ForAnyValue:{name}", value, [miss, miss])
        assert holds(f"ForAnyValue:{name}", value, None) is missing


@pytest.mark.parametrize(("operator", "value", "hit", "miss"), NEGATED)
def test_a_negated_operator_is_the_opposite(operator: str, value: str, hit: str, miss: str) -> None:
    for suffix, missing in (("", False), ("IfExists", True)):
        name = operator + suffix
        assert not holds(name, value, [hit])
        assert not holds(name, ["#none", value], [hit])
        assert holds(name, value, [miss])
        assert holds(name, "#none", [hit])
        assert holds(name, value, None)
        assert not holds(name, value, [miss, hit])
        assert holds(f"ForAllValues:{name}", value, [miss, miss])
        assert not holds(f"ForAllValues:{name}", value, [hit, miss])
        assert holds(f"ForAllValues:{name}", value, None)
        assert holds(f"ForAnyValue:{name}", value, [hit, miss])
        assert not holds(f"ForAnyValue:{name}", value, [hit, hit])
        assert holds(f"ForAnyValue:{name}", value, None) is missing


@pytest.mark.parametrize(
    ("operator", "values", "given", "expected"),
    [
        ("Null", "true", None, True),
        ("Null", "true", ["x"], False),
        ("Null", "false", None, False),
        ("Null", ["false"], ["x", "y"], True),
        ("Null", False, [""], True),
        ("Null", "TRUE", [], True),
        ("Null", "no", ["x"], False),
        ("Null", ["true", "false"], None, True),
        ("ForAllValues:Null", "false", None, False),
        ("ForAnyValue:Null", "true", None, True),
        ("NullIfExists", "true", None, False),
        ("StringAlmostEquals", "x", ["x"], False),
        ("stringequals", "x", ["x"], False),
        ("ForSomeValues:StringEquals", "x", ["x"], False),
        # texts that are not what the operator compares
        ("NumericEquals", "seven", ["seven"], False),
        ("NumericNotEquals", "seven", ["seven"], True),
        ("NumericLessThan", "7", ["six"], False),
        ("NumericLessThan", ["six", "7"], ["6"], True),
        ("NumericEquals", 7, ["7"], True),
        ("NumericEquals", "100000000000000000001", ["100000000000000000000"], False),
        ("NumericEquals", "1e1", ["10"], False),
        ("NumericEquals", "0.10", ["+0.1"], True),
        ("DateEquals", "tomorrow", ["tomorrow"], False),
        ("DateNotEquals", "2026-13-01", ["2026-13-01"], True),
        ("DateEquals", "2026-01-01T00:00:00", ["2026-01-01T00:00:00"], False),
        ("DateEquals", "2026-02-30T00:00:00Z", ["2026-02-30T00:00:00Z"], False),
        ("DateEquals", "2026-01-01T00:00.5Z", ["2026-01-01T00:00.5Z"], False),
        ("DateEquals", "2020", ["1970-01-01T00:33:40Z"], True),
        ("DateLessThan", "-1", ["1969-12-31T23:59:58Z"], True),
        ("Bool", True, ["true"], True),
        ("Bool", "TRUE", ["true"], True),
        ("Bool", "yes", ["yes"], False),
        ("Bool", ["true", "false"], ["false"], True),
        ("BinaryEquals", "QUI", ["QUI"], False),
        ("BinaryEquals", "QR==", ["QQ=="], True),
        ("IpAddress", "203.0.113.9", ["203.0.113.9"], True),
        ("IpAddress", "203.0.113.9", ["203.0.113.8"], False),
        ("IpAddress", "2001:DB8::/32", ["2001:db8:0:0::1"], True),
        ("IpAddress", "2001:db8::/32", ["2001:db9::1"], False),
        ("IpAddress", "0.0.0.0/0", ["2001:db8::1"], False),
        ("IpAddress", "::/0", ["203.0.113.9"], False),
        ("IpAddress", "::/0", ["::ffff:203.0.113.9"], True),
        ("IpAddress", "203.0.113.7/24", ["203.0.113.9"], True),
        ("IpAddress", "203.0.113.0/33", ["203.0.113.9"], False),
        ("IpAddress", "203.0.113.0/255.255.255.0", ["203.0.113.9"], False),
        ("IpAddress", "203.0.113.*", ["203.0.113.9"], False),
        ("IpAddress", "203.0.113.0/24", ["localhost"], False),
        ("NotIpAddress", "203.0.113.0/33", ["203.0.113.9"], True),
        ("ArnLike", "*", [TOPIC], False),
        ("ArnLike", "arn:aws:*:alarms:sub", [TOPIC], False),
        ("ArnLike", "arn:aws:sns:*", [TOPIC], False),
        ("ArnLike", "arn:*:*:*:*:*", ["no ARN"], False),
        ("ArnNotLike", "arn:*:*:*:*:*", ["no ARN"], True),
        ("ArnEquals", "arn:aws:s3:::bucket/*", ["arn:aws:s3:::bucket/a/b:c"], True),
        # wildcards
        ("StringEquals", "b*", ["blue"], False),
        ("StringEquals", "b*", ["b*"], True),
        ("StringLike", "*", [""], True),
        ("StringLike", "?", [""], False),
        ("StringLike", "a*b*c", ["aXbbYc"], True),
        ("StringLike", "a*b*c", ["acb"], False),
        ("StringLike", "", ["x"], False),
    ],
)
def test_odd_values(operator: str, values: Any, given: list[str] | None, *, expected: bool) -> None:
    assert holds(operator, values, given) is expected


@pytest.mark.parametrize(
    ("operator", "value", "given", "expected"),
    [
        ("StringEquals", "${aws:username}", "alice", True),
        ("StringEquals", "${AWS:UserName}", "alice", True),
        ("StringEquals", "${aws:username}", "bob", False),
        ("StringLike", "*/${aws:username}/?", "home/alice/1", True),
        ("StringEqualsIgnoreCase", "${aws:PrincipalTag/team}", "BLUE", True),
        ("ArnEquals", "arn:aws:iam::*:user/${aws:username}", ALICE.arn, True),
        ("ArnEquals", "${aws:PrincipalArn}", ALICE.arn, True),
        # no value
        ("StringEquals", "${aws:nobody}", "", False),
        ("StringLike", "${aws:nobody}*", "anything", False),
        ("StringNotLike", "${aws:nobody}*", "anything", True),
        ("ArnNotEquals", "arn:aws:iam::*:user/${aws:nobody}", ALICE.arn, True),
        ("StringEquals", "${app:many}", "one", False),
        ("StringEquals", "${aws:PrincipalTag/empty}", "", True),
        ("StringEquals", "${}", "", False),
        # defaults
        ("StringEquals", "${aws:nobody, 'red'}", "red", True),
        ("StringEquals", "${aws:PrincipalTag/team, 'red'}", "red", False),
        ("StringLike", "${aws:nobody, 'r*'}", "red", False),
        ("StringLike", "${app:many, 'red'}", "red", True),
        # literals
        ("StringLike", "a${*}", "a*", True),
        ("StringLike", "a${*}", "ab", False),
        ("StringLike", "a${?}", "a?", True),
        ("StringLike", "a${?}", "ab", False),
        ("StringLike", "${$}{x}", "${x}", True),
        ("StringEquals", "a${*}${?}", "a*?", True),
        ("StringLike", "${aws:PrincipalTag/star}", "anything", False),
        ("StringLike", "${aws:PrincipalTag/star}", "*", True),
        ("StringEquals", "${open", "${open", True),
        # operators without variables
        ("NumericEquals", "${app:seven, '7'}", "7", False),
        ("Bool", "${app:yes, 'true'}", "true", False),
    ],
)
def test_variables(operator: str, value: str, given: str, *, expected: bool) -> None:
    assert holds(operator, value, [given]) is expected


@pytest.mark.parametrize("version", ["2008-10-17", ""])
def test_older_documents_have_no_variables(version: str) -> None:
    assert not holds("StringEquals", "${aws:username}", ["alice"], version)
    assert holds("StringEquals", "${aws:username}", ["${aws:username}"], version)
    assert holds("StringLike", "${*}", ["${anything}"], version)


def test_operators_and_keys_must_all_hold() -> None:
    def allows(condition: dict[str, Any]) -> bool:
        statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        return decide(Asked(ALICE, "kms:ListKeys", "*", CONTEXT, None, None, [document])) == "allow"

    yes = {"aws:username": "alice"}
    assert allows({})
    assert allows({"StringEquals": {}})
    assert allows({"StringEquals": yes, "StringLike": yes})
    assert not allows({"StringEquals": yes, "StringNotLike": yes})
    assert allows({"StringEquals": yes | {"aws:PrincipalTag/team": "blue"}})
    assert not allows({"StringEquals": yes | {"aws:PrincipalTag/team": "red"}})
