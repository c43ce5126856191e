"""Key material from outside, wrapped as ImportKeyMaterial takes it."""

from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)

from tests.unit.operations.service import Service

EXTERNAL = {"Origin": "EXTERNAL"}
SECRET = bytes(range(32))
PRIVATE_KEY = ec.derive_private_key(7, ec.SECP256R1()).private_bytes(
    Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
)
KEPT = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


def parameters(service: Service, key_id: str, **members: Any) -> dict[str, Any]:
    """The answer of GetParametersForImport."""
    asked = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"} | members
    return service.ok("GetParametersForImport", KeyId=key_id, **asked)


def wrapped(public_der: bytes, material: bytes) -> bytes:
    """Material under a wrapping key, by RSAES_OAEP_SHA_256."""
    public = load_der_public_key(public_der)
    assert isinstance(public, rsa.RSAPublicKey)
    sha256 = hashes.SHA256()
    return public.encrypt(material, padding.OAEP(padding.MGF1(sha256), sha256, None))


def wrapped_through_aes(public_der: bytes, material: bytes) -> bytes:
    """Material under a wrapping key, by RSA_AES_KEY_WRAP_SHA_256."""
    return wrapped(public_der, SECRET) + aes_key_wrap_with_padding(SECRET, material)


def members(service: Service, key_id: str, material: bytes = SECRET) -> dict[str, Any]:
    """What ImportKeyMaterial takes to import material for ever."""
    got = parameters(service, key_id)
    sealed = wrapped(got["PublicKey"], material)
    return KEPT | {"KeyId": key_id, "ImportToken": got["ImportToken"], "EncryptedKeyMaterial": sealed}
