"""Ids are well-formed, unique and in the order of time."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from kms_server.audit import event_id

TIMES = st.integers(0, 2**45).map(lambda milliseconds: milliseconds / 1000)


@given(TIMES, TIMES)
def test_order_is_time(one: float, other: float) -> None:
    first, second = event_id.new(one), event_id.new(other)
    if round(one * 1000) != round(other * 1000):
        assert (first < second) == (one < other)
    assert event_id.floor(one) <= first
    assert uuid.UUID(first).variant == uuid.RFC_4122
    assert uuid.UUID(first).version == 7


def test_ids_are_unique() -> None:
    assert len({event_id.new(1.0) for _ in range(10_000)}) == 10_000
    assert uuid.UUID(event_id.new_request_id()).version == 4
