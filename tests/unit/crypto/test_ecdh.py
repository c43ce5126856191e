"""ECDH, and peers' public keys that are none: the kinds of mistakes that Wycheproof collects."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto.asymmetric import private_der, public_der
from kms_server.errors import ValidationException
from tests.unit.crypto import der, independent_rsa
from tests.unit.crypto.test_ecc import CURVES, opened, private

nist = pytest.mark.parametrize("spec", [spec for spec in CURVES if "NIST" in spec])


@nist
def test_both_sides_derive_the_same_secret(spec: str) -> None:
    ours, theirs = opened(spec, 5), private(spec, 7)
    secret = ours.derive(public_der(theirs.public_key()))
    assert secret == theirs.exchange(ec.ECDH(), private(spec, 5).public_key())
    assert len(secret) == CURVES[spec][2]
    assert secret == (private(spec, 35).public_key().public_numbers().x).to_bytes(CURVES[spec][2])


@nist
def test_a_compressed_point_is_a_public_key(spec: str) -> None:
    peer = private(spec, 7).public_key()
    point = peer.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    sent = der.ec_public(CURVES[spec][1].name, point)
    assert opened(spec).derive(sent) == opened(spec).derive(public_der(peer))


def points_that_are_none(spec: str) -> list[bytes]:
    size = CURVES[spec][2]
    numbers = private(spec, 7).public_key().public_numbers()
    x, y = numbers.x.to_bytes(size), numbers.y.to_bytes(size)
    top = b"\xff" * size
    return [
        b"", b"\0", b"\4", b"\4" + x, b"\4" + x + y[:-1], b"\4" + x + y + b"\0", b"\5" + x + y, x + y,
        b"\4" + y + x, b"\4" + bytes(size) + y, b"\4" + x + bytes(size), b"\4" + bytes(2 * size),
        b"\4" + top + y, b"\4" + x + top, b"\4" + top + top, b"\2" + top, b"\2" + x[:-1], b"\4" + x + y[:-1] + bytes([y[-1] ^ 1]),
    ]  # fmt: skip


@nist
def test_a_point_off_the_curve_is_refused(spec: str) -> None:
    for point in points_that_are_none(spec):
        with pytest.raises(ValidationException) as refused:
            opened(spec).derive(der.ec_public(CURVES[spec][1].name, point))
        assert refused.value.message == ""


@nist
def test_a_public_key_of_another_kind_is_refused(spec: str) -> None:
    others: list[Any] = [
        *(private(other).public_key() for other in CURVES if other != spec),
        ec.derive_private_key(7, ec.SECP224R1()).public_key(),
        independent_rsa.key(2048).public_key(),
        ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key(),
        x25519.X25519PrivateKey.from_private_bytes(bytes(32)).public_key(),
    ]
    assert isinstance(others[-3], rsa.RSAPublicKey)
    for other in others:
        with pytest.raises(ValidationException) as refused:
            opened(spec).derive(public_der(other))
        assert refused.value.message == ""


@nist
def test_what_is_no_public_key_is_refused(spec: str) -> None:
    right = public_der(private(spec, 7).public_key())
    curve, key = CURVES[spec][1].name, right[-(2 * CURVES[spec][2] + 1) :]
    malformed = [
        b"", b"\0", right[:-1], right + b"\0", right[1:], key, private_der(private(spec, 7)),
        der.sequence(der.algorithm(der.EC_PUBLIC_KEY, der.CURVES[curve]), der.bits(key, unused=1)),
        der.public_key(der.algorithm(der.EC_PUBLIC_KEY), key),
        der.public_key(der.algorithm(der.EC_PUBLIC_KEY, "0500"), key),
        der.public_key(der.algorithm(der.CURVES[curve], der.EC_PUBLIC_KEY), key),
        der.public_key(der.algorithm("06032b6571", der.CURVES[curve]), key),
        der.public_key(der.algorithm(der.EC_PUBLIC_KEY, "06052b81040099"), key),
    ]  # fmt: skip
    for wrong in malformed:
        with pytest.raises(ValidationException) as refused:
            opened(spec).derive(wrong)
        assert refused.value.message == ""


@given(st.binary(max_size=120))
def test_arbitrary_bytes_are_no_public_key(peer: bytes) -> None:
    with pytest.raises(ValidationException):
        opened("ECC_NIST_P256").derive(peer)
