"""Numbers, dates, bytes and addresses: which texts are values, and which values are equal."""

import ipaddress
from fractions import Fraction

import pytest

from kms_server.iam import values

FIRST_OF_2026 = Fraction(1_767_225_600)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", Fraction(7)), ("+7", Fraction(7)), ("-0.50", Fraction(-1, 2)), ("007.0", Fraction(7)),
        ("100000000000000000001", Fraction(100000000000000000001)),
        ("", None), ("seven", None), ("1e1", None), ("1.", None), (".5", None), (" 7", None), ("7\n", None),
        ("0x7", None), ("1_000", None), ("\u0667", None), ("inf", None), ("nan", None), ("--7", None),
    ],
)  # fmt: skip
def test_numbers(text: str, value: Fraction | None) -> None:
    assert values.number(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-01T00:00:00Z", FIRST_OF_2026),
        ("2026-01-01T02:00:00+02:00", FIRST_OF_2026),
        ("2025-12-31T23:30-00:30", FIRST_OF_2026),
        ("2026-01-01T00:00:00.5Z", FIRST_OF_2026 + Fraction(1, 2)),
        ("2026-01-01", FIRST_OF_2026),
        ("2026-01", FIRST_OF_2026),
        ("1767225600", FIRST_OF_2026),
        ("2026", Fraction(2026)),
        ("-1", Fraction(-1)),
        ("1767225600.5", FIRST_OF_2026 + Fraction(1, 2)),
        ("0001-01-01T00:00:00Z", Fraction(-62_135_596_800)),
        ("0000-01-01T00:00:00Z", None), ("2026-13-01", None), ("2026-02-30T00:00:00Z", None),
        ("2026-01-01T24:00:00Z", None), ("2026-01-01T00:00:00", None), ("2026-01-01T00:00.5Z", None),
        ("2026-01-01 00:00:00Z", None), ("20260101T000000Z", None), ("2026-1-1", None), ("2026-01-01T00:00:00z", None),
        ("2026-01-01T00:00:00+24:00", None), ("1767225600.", None), ("tomorrow", None), ("", None),
        ("2026-01-01\n", None), ("\u0662026-01-01", None),
    ],
)  # fmt: skip
def test_moments(text: str, value: Fraction | None) -> None:
    assert values.moment(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("1", None),
        ("yes", None),
        ("", None),
        ("true ", None),
    ],
)
def test_booleans(text: str, value: bool | None) -> None:
    assert values.boolean(text) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", b""), ("QUJD", b"ABC"), ("QUI=", b"AB"), ("QR==", b"A"), ("+/8=", b"\xfb\xff"),
        ("QUI", None), ("-_8=", None), ("Q===", None), ("QUJD\n", None), ("!", None),
    ],
)  # fmt: skip
def test_octets(text: str, value: bytes | None) -> None:
    assert values.octets(text) == value


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("203.0.113.9", "203.0.113.9/32"), ("203.0.113.9/24", "203.0.113.0/24"), ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::/32", "2001:db8::/32"), ("2001:db8::1", "2001:db8::1/128"), ("::/0", "::/0"),
        ("203.0.113.0/33", None), ("203.0.113.0/255.255.255.0", None), ("203.0.113.*", None), ("203.0.113", None),
        ("203.0.113.0/", None), ("localhost", None), ("", None), ("fe80::1%eth0", None), ("203.0.113.009", None),
    ],
)  # fmt: skip
def test_networks(text: str, written: str | None) -> None:
    assert values.network(text) == (None if written is None else ipaddress.ip_network(written))


@pytest.mark.parametrize(
    ("text", "known"), [("203.0.113.9", True), ("::1", True), ("203.0.113.9/32", False), ("", False)]
)
def test_addresses(text: str, known: bool) -> None:
    assert (values.address(text) is not None) is known
