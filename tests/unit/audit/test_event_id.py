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


@given(TIMES)
def test_the_id_of_a_request_lasts_in_that_of_its_event(time: float) -> None:
    request_id = event_id.new_request_id()
    found = uuid.UUID(event_id.of_request(request_id, time))
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert found.int >> 80 == round(time * 1000)
    assert str(found)[15:] == request_id[15:]


def test_ids_are_unique() -> None:
    assert len({event_id.new(1.0) for _ in range(10_000)}) == 10_000
    assert len({event_id.new_request_id() for _ in range(10_000)}) == 10_000


def test_all_of_a_request_id_is_random_but_its_kind() -> None:
    made = [uuid.UUID(one) for one in (event_id.new_request_id() for _ in range(1_000)) if len(one) == 36]
    assert {(one.version, one.variant) for one in made} == {(4, uuid.RFC_4122)}
    seen = [{one.int >> bit & 1 for one in made} for bit in range(128)]
    assert [bit for bit, values in enumerate(seen) if len(values) == 1] == [62, 63, 76, 77, 78, 79]


def test_times_out_of_range_are_the_first_and_the_last() -> None:
    assert event_id.floor(-1.0) == "00000000-0000-7000-8000-000000000000"
    assert event_id.floor(1e15) == "ffffffff-ffff-7000-8000-000000000000"
