"""Secret sharing: any threshold of shares gives the secret, fewer say nothing, and the field is AES's."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto import shamir


def powers() -> list[int]:
    """The powers of x + 1, which generates the field: multiplication as long division says it, apart from the code's."""
    found = [1]
    while len(found) < 255:
        product = found[-1] ^ (found[-1] << 1)
        found.append(product ^ 0x11B if product & 0x100 else product)
    return found


def test_the_field_is_that_of_aes() -> None:
    exponents = powers()
    logarithms = {value: exponent for exponent, value in enumerate(exponents)}
    assert len(logarithms) == 255
    for one in range(256):
        assert shamir._multiply(one, 0) == shamir._multiply(0, one) == 0
        for other in range(1, 256):
            if one:
                expected = exponents[(logarithms[one] + logarithms[other]) % 255]
                assert shamir._multiply(one, other) == expected
    assert all(shamir._multiply(one, shamir._inverse(one)) == 1 for one in range(1, 256))


@given(st.binary(max_size=40), st.integers(2, 5), st.integers(0, 3))
def test_any_threshold_of_shares_gives_the_secret(secret: bytes, threshold: int, more: int) -> None:
    shares = shamir.split(secret, shares=threshold + more, threshold=threshold)
    for size in range(threshold, threshold + more + 1):
        for chosen in combinations(shares, size):
            assert shamir.combine({index: shares[index] for index in chosen}) == secret


@pytest.mark.soak
def test_the_most_shares_there_can_be() -> None:
    shares = shamir.split(b"secret", shares=255, threshold=255)
    assert shamir.combine(shares) == b"secret"
    del shares[128]
    assert shamir.combine(shares) != b"secret"


def test_fewer_shares_fit_every_secret_alike() -> None:
    # With threshold - 1 shares fixed, each value of one more share gives another secret: a bijection, so none is likelier.
    shares = shamir.split(b"\x2a", shares=3, threshold=3)
    found = Counter(shamir.combine({1: shares[1], 2: shares[2], 3: bytes([third])}) for third in range(256))
    assert set(found.values()) == {1}


def test_each_split_is_another() -> None:
    assert len({shamir.split(b"secret", shares=2, threshold=2)[1] for _ in range(20)}) == 20


@pytest.mark.parametrize(("shares", "threshold"), [(1, 1), (2, 1), (2, 3), (256, 2), (0, 0)])
def test_numbers_that_do_not_fit(shares: int, threshold: int) -> None:
    with pytest.raises(ValueError, match="threshold"):
        shamir.split(b"secret", shares=shares, threshold=threshold)


@pytest.mark.parametrize("shares", [{}, {0: b"a", 1: b"b"}, {256: b"a", 1: b"b"}, {1: b"a", 2: b"bc"}])
def test_what_are_no_shares(shares: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="shares"):
        shamir.combine(shares)
