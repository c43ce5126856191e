"""Counts over time."""

import orjson
import pytest

from kms_server.audit.record import to_row
from kms_server.audit.statistics import DIMENSIONS, Line, Periods, Tally
from tests.unit.audit.test_record import KEY, event

DAY = 86_400.0
NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("span", "most", "size"),
    [
        (0.0, 24, 60), (1_440.0, 24, 300), (3_600.0, 24, 300), (DAY, 25, 3_600), (DAY, 12, 3 * 3_600), (7 * DAY, 24, 43_200),
        (365 * DAY, 24, 28 * 86_400), (NOW, 24, 3 * 364 * 86_400),
    ],
)  # fmt: skip
def test_periods_that_fit(span: float, most: int, size: int) -> None:
    periods = Periods.between(NOW - span, NOW, most=most)
    assert periods.size == size
    assert periods.count <= most + 1
    assert periods.first <= NOW - span < periods.first + size
    assert periods.starts()[-1] <= NOW < periods.starts()[-1] + size
    assert periods.number(NOW - span) == 0
    assert periods.number(NOW) == periods.number(NOW + 9 * DAY) == periods.count - 1
    assert periods.number(0.0) == 0


def test_a_size_of_its_own() -> None:
    assert Periods.between(3_599.0, 7_200.0, most=1, size=3_600) == Periods(0, 3_600, 3)


def test_the_most_frequent_come_first() -> None:
    tally = Tally(Periods(0, 10, 2))
    for value, when in (("a", 0.0), ("b", 1.0), ("b", 11.0), ("c", 12.0), ("d", 3.0)):
        tally.add((value,), when)
    assert tally.records == 5
    assert tally.top(2) == [Line("b", 2, [1, 1]), Line("a", 1, [1, 0]), Line(None, 2, [1, 1])]
    assert tally.top(4)[-1] == Line("d", 1, [1, 0])
    assert Tally(Periods(0, 10, 2)).top(3) == []


def test_no_more_values_than_there_is_memory_for() -> None:
    tally = Tally(Periods(0, 10, 1), most_values=2)
    for value in ("a", "b", "c", "a", "d"):
        tally.add((value,), 0.0)
    assert tally.top(9) == [Line("a", 2, [2]), Line("b", 1, [1]), Line(None, 2, [2])]


def test_a_call_with_two_keys_counts_for_both() -> None:
    other = f"{KEY}0"
    keys = DIMENSIONS["key"]
    assert keys(to_row(event(resources=(("AWS::KMS::Key", KEY), ("AWS::KMS::Key", other))))) == (KEY, other)
    assert keys(to_row(event(resources=(("AWS::KMS::Key", KEY), ("AWS::KMS::Key", KEY))))) == (KEY,)


def test_what_a_record_does_not_have() -> None:
    bare = to_row(
        event(identity={"invokedBy": "AWS Internal"}, username=None, resources=(), source_ip="AWS Internal")
    )
    found = {name: list(values(bare)) for name, values in DIMENSIONS.items()}
    assert found["principal"] == ["AWS Internal"]
    assert found["source-ip"] == ["AWS Internal"]
    assert found["key"] == found["user"] == found["error"] == found["object"] == ["(none)"]


def test_both_contexts_count() -> None:
    parameters = {
        "sourceEncryptionContext": {"aws:s3:arn": "arn:aws:s3:::b/1"},
        "destinationEncryptionContext": {"aws:s3:arn": "arn:aws:s3:::b/2"},
    }
    row = to_row(event(request_parameters=parameters))
    assert orjson.loads(row.record)["requestParameters"] == parameters
    assert DIMENSIONS["object"](row) == ("arn:aws:s3:::b/1", "arn:aws:s3:::b/2")
