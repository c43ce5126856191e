"""securesystemslib's AWSSigner, the signer of TUF repositories and in-toto."""

import pytest

from tests.interop.conftest import NewKey
from tests.interop.toolchain import Program, python

SCHEMES = [
    ("ECC_NIST_P256", "", "ecdsa-sha2-nistp256"),
    ("ECC_NIST_P384", "", "ecdsa-sha2-nistp384"),
    ("RSA_3072", "", "rsassa-pss-sha256"),
    ("RSA_3072", "rsassa-pss-sha512", "rsassa-pss-sha512"),
    ("RSA_2048", "rsa-pkcs1v15-sha384", "rsa-pkcs1v15-sha384"),
]


@pytest.mark.parametrize(("spec", "asked", "scheme"), SCHEMES)
def test_the_library_verifies_our_signature(
    environment: dict[str, str], new_key: NewKey, spec: str, asked: str, scheme: str
) -> None:
    key = new_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
    signer = Program(python("aws_signer.py"), environment)
    assert signer.answer(key, *filter(None, [asked]), given=b"metadata")["scheme"] == scheme
