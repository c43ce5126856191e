"""The filter of a segment's values refuses none that is there, and few of the others pass."""

from hypothesis import given
from hypothesis import strategies as st

from kms_server.audit import value_filter


@given(st.sets(st.integers(0, 2**64 - 1), max_size=300))
def test_what_is_there_passes(values: set[int]) -> None:
    bits = value_filter.build(values)
    assert all(value_filter.may_have(bits, value) for value in values)


def test_little_else_passes() -> None:
    bits = value_filter.build(value_filter.fingerprint("there", str(number)) for number in range(5_000))
    passed = sum(
        value_filter.may_have(bits, value_filter.fingerprint("absent", str(number)))
        for number in range(20_000)
    )
    assert 0 < passed < 200  # 0.65 % are 130
    assert len(bits) == 7_500


def test_an_empty_filter_refuses_all() -> None:
    bits = value_filter.build([])
    assert not any(value_filter.may_have(bits, value_filter.fingerprint(str(number))) for number in range(50))


def test_texts_are_kept_apart() -> None:
    assert value_filter.fingerprint("ab", "c") != value_filter.fingerprint("a", "bc")
