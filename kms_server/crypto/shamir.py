"""Shamir's secret sharing over GF(2^8), reduced by x^8 + x^4 + x^3 + x + 1, byte by byte.

Neither tables nor branches depend on a secret. Fewer shares than the threshold tell nothing about the secret; which shares
belong together, and whether they are whole, is for the caller to check.
"""

import os
from collections.abc import Mapping

_REDUCTION = 0x11B
MOST = 255


def split(secret: bytes, *, shares: int, threshold: int) -> dict[int, bytes]:
    """Shares of a secret by their index, from 1; any `threshold` of them give it back.

    Raises:
        ValueError: the threshold is below 2 or above the number of shares, or that is above 255.
    """
    if not 2 <= threshold <= shares <= MOST:
        raise ValueError("2 <= threshold <= shares <= 255")
    # One polynomial for each byte: the secret's is its value at 0, the other coefficients are random.
    coefficients = [secret, *(os.urandom(len(secret)) for _ in range(threshold - 1))]
    return {index: _evaluate(coefficients, index) for index in range(1, shares + 1)}


def combine(shares: Mapping[int, bytes]) -> bytes:
    """The secret, by Lagrange's interpolation at 0. As many shares as the threshold give it; others give some other bytes.

    Raises:
        ValueError: there are none, of different lengths, or an index is out of range.
    """
    lengths = {len(share) for share in shares.values()}
    if len(lengths) != 1 or not all(1 <= index <= MOST for index in shares):
        raise ValueError("shares of one length, by their index")
    secret = bytes(lengths.pop())
    for index, share in shares.items():
        weight = 1
        for other in shares:
            if other != index:
                weight = _multiply(weight, _multiply(other, _inverse(other ^ index)))
        secret = bytes(byte ^ _multiply(weight, part) for byte, part in zip(secret, share, strict=True))
    return secret


def _evaluate(coefficients: list[bytes], at: int) -> bytes:
    """The polynomials' values, by Horner's rule."""
    value = bytes(len(coefficients[0]))
    for coefficient in reversed(coefficients):
        value = bytes(_multiply(byte, at) ^ more for byte, more in zip(value, coefficient, strict=True))
    return value


def _multiply(one: int, other: int) -> int:
    product = 0
    for _ in range(8):
        product ^= -(other & 1) & one
        other >>= 1
        one = (one << 1) ^ (-(one >> 7) & _REDUCTION)
    return product


def _inverse(of: int) -> int:
    """of^254, since of^255 is 1 (and 0 for 0)."""
    power = inverse = of
    for _ in range(6):
        power = _multiply(power, power)
        inverse = _multiply(inverse, power)
    return _multiply(inverse, inverse)
