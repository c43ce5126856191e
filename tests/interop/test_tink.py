"""Tink, directly and with data keys in an envelope."""

from typing import Any

import pytest

from tests.interop.toolchain import Program, python

MESSAGE = b"of tink" * 1000


@pytest.fixture
def tink(environment: dict[str, str]) -> Program:
    return Program(python("tink_envelope.py"), environment)


@pytest.mark.parametrize("kind", ["direct", "envelope"])
def test_there_and_back_with_associated_data(tink: Program, key: str, kind: str) -> None:
    message = MESSAGE[:4000] if kind == "direct" else MESSAGE
    sealed = tink.output("encrypt", kind, key, "mine", given=message)
    assert tink.output("decrypt", kind, key, "mine", given=sealed) == message
    refused = tink.run("decrypt", kind, key, "yours", given=sealed, fails=True)
    assert b"TinkError" in refused.stderr


def test_the_associated_data_is_the_encryption_context(tink: Program, key: str, kms: Any) -> None:
    sealed = tink.output("encrypt", "direct", key, "mine", given=b"hello")
    context = {"associatedData": b"mine".hex()}
    assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"] == b"hello"
