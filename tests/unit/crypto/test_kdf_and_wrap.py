"""Key derivation against an independent implementation, and key wrap."""

import os

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto.kdf import Prf, TwoKeys
from kms_server.crypto.wrap import WrapError, unwrap, wrap


@given(st.binary(min_size=16, max_size=64), st.binary(min_size=1), st.binary(min_size=1), st.integers(1, 200))
def test_derive_is_sp_800_108_counter_mode(key: bytes, label: bytes, context: bytes, length: int) -> None:
    expected = KBKDFHMAC(
        algorithm=SHA256(), mode=Mode.CounterMode, length=length, rlen=4, llen=4,
        location=CounterLocation.BeforeFixed, label=label, context=context, fixed=None,
    ).derive(key)  # fmt: skip
    assert Prf(key).derive(label, context, length) == expected


@given(st.binary(min_size=16, max_size=200), st.binary(), st.binary(), st.binary())
def test_two_keys_are_what_is_derived_of_the_whole_context(
    key: bytes, label: bytes, beginning: bytes, rest: bytes
) -> None:
    keys = TwoKeys(Prf(key), label, beginning)
    derived = Prf(key).derive(label, beginning + rest, 64)
    assert keys.derive(rest) == keys.derive(rest) == (derived[:32], derived[32:])


def test_wrapped_secrets_open_only_as_they_were_bound() -> None:
    key, secret = os.urandom(32), os.urandom(32)
    wrapped = wrap(key, secret, b"binding")
    assert unwrap(key, wrapped, b"binding") == secret
    for wrong in (
        (os.urandom(32), wrapped, b"binding"),
        (key, wrapped, b"other"),
        (key, wrapped[:-1], b"binding"),
    ):
        with pytest.raises(WrapError):
            unwrap(*wrong)
    for position in range(len(wrapped) * 8):
        flipped = bytearray(wrapped)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(WrapError):
            unwrap(key, bytes(flipped), b"binding")
