"""Bouncy Castle verifies ML-DSA signatures, which the openssl of many systems does not know yet."""

import base64
import json
from typing import Any

import pytest

from tests.interop.conftest import NewKey
from tests.interop.toolchain import Program, java

MESSAGE = b"after quantum"


@pytest.mark.parametrize("spec", ["ML_DSA_44", "ML_DSA_65", "ML_DSA_87"])
def test_it_verifies_our_signature(environment: dict[str, str], new_key: NewKey, kms: Any, spec: str) -> None:
    key = new_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
    public = kms.get_public_key(KeyId=key)["PublicKey"]
    signature = kms.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm="ML_DSA_SHAKE_256")["Signature"]
    verifier = Program(java("MlDsa", "Bouncy Castle"), environment)
    for message, valid in ((MESSAGE, True), (MESSAGE + b".", False)):
        parts = {"publicKey": public, "message": message, "signature": signature}
        given = {name: base64.b64encode(part).decode() for name, part in parts.items()}
        assert verifier.answer(given=json.dumps(given).encode()) is valid
