"""Seed files with fresh key material."""

import base64
import textwrap
from collections.abc import Iterator
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kms_server.keys import specs

AES, ROTATED, OVERDUE, GIVEN, AWAITED, HMAC, ECC, RSA = (
    f"{n}0000000-0000-4000-8000-000000000000" for n in "12345678"
)


def material(n: int, length: int = 32) -> str:
    """Hexadecimal material, different for each number."""
    return bytes([n]).hex() * length


def pem(key: PrivateKeyTypes, indent: int = 10, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    """A private key as it stands in a block of YAML."""
    text = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    return "|\n" + textwrap.indent(text, " " * indent).rstrip()


def fresh_rsa() -> rsa.RSAPrivateKey:
    """A small RSA key."""
    return rsa.generate_private_key(65_537, 2048)


def fresh_ecc() -> ec.EllipticCurvePrivateKey:
    """A key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def of_local_kms(rsa_key: rsa.RSAPrivateKey, ecc_key: ec.EllipticCurvePrivateKey) -> str:
    """A file with all that the README and the tests of local-kms 3 show, in their layout."""
    return f"""
Keys:
  Symmetric:
    Aes:
      - Metadata:
          KeyId: {AES}
        BackingKeys:
          - {material(0x11)}

      - Metadata:
          KeyId: {ROTATED}
        BackingKeys:
          - {material(0xAA).upper()}
          - {material(0xAB).upper()}

      - Metadata:
          KeyId: {OVERDUE}
          Description: "Your key description"
        NextKeyRotation: "2019-09-12T15:19:21+00:00"
        BackingKeys:
          - {material(0x14)}
      - Metadata:
          KeyId: {GIVEN}
          Origin: EXTERNAL
        BackingKeys:
          - {material(0x15)}
      - Metadata:
          KeyId: {AWAITED}
          Origin: EXTERNAL
    Hmac:
      - Metadata:
          KeyId: {HMAC}
          KeyUsage: GENERATE_VERIFY_MAC
          KeySpec: HMAC_384
          Description: Test HMAC-384 key
        BackingKeys:
          - {material(0x16, 48)}
  Asymmetric:
    Ecc:
      - Metadata:
          KeyId: {ECC}
          KeyUsage: SIGN_VERIFY
          Description: ECC key with curve secp256r1
        PrivateKeyPem: {pem(ecc_key, form=PrivateFormat.TraditionalOpenSSL)}
    Rsa:
      - Metadata:
          KeyId: {RSA}
          KeyUsage: SIGN_VERIFY # or ENCRYPT_DECRYPT
          Description: RSA key with 2048 bits
        PrivateKeyPem: {pem(rsa_key)}

Aliases:
  - AliasName: alias/testing
    TargetKeyId: {AES}
"""


@cache
def every_spec() -> list[tuple[str, str, str]]:
    """Spec, usage and Material of each kind of key that can be given."""
    return list(_every_spec())


def _every_spec() -> Iterator[tuple[str, str, str]]:
    for spec in specs.KEY_SPECS.values():
        if not spec.wrapping:
            continue
        # Of key pairs this is PKCS#8.
        given = f"{{Base64: {base64.b64encode(spec.type.generate()).decode()}}}"
        for usage in spec.algorithms:
            yield spec.name, usage, given
