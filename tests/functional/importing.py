"""Material on its way into a key, wrapped as its owner would."""

import os
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_public_key

KEPT = "KEY_MATERIAL_DOES_NOT_EXPIRE"
HASHES = {"SHA_1": hashes.SHA1, "SHA_256": hashes.SHA256}


def wrapped(public_der: bytes, algorithm: str, material: bytes) -> bytes:
    """Material under a wrapping key."""
    public = load_der_public_key(public_der)
    assert isinstance(public, rsa.RSAPublicKey)
    kind, _, name = algorithm.partition("_SHA_")
    make_hash = HASHES[f"SHA_{name}"]
    oaep = padding.OAEP(padding.MGF1(make_hash()), make_hash(), None)
    if kind == "RSAES_OAEP":
        return public.encrypt(material, oaep)
    ephemeral = os.urandom(32)
    return public.encrypt(ephemeral, oaep) + aes_key_wrap_with_padding(ephemeral, material)


def parcel(
    kms: Any, key_id: str, material: bytes, algorithm: str = "RSAES_OAEP_SHA_256", spec: str = "RSA_2048"
) -> dict[str, Any]:
    """The members of ImportKeyMaterial that carry `material`."""
    given = kms.get_parameters_for_import(KeyId=key_id, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
    return {
        "KeyId": key_id,
        "ImportToken": given["ImportToken"],
        "EncryptedKeyMaterial": wrapped(given["PublicKey"], algorithm, material),
    }


def bring(kms: Any, key_id: str, material: bytes, **members: Any) -> str:
    """Import material for good; its KeyMaterialId, where it has one."""
    done = kms.import_key_material(**parcel(kms, key_id, material), ExpirationModel=KEPT, **members)
    return str(done.get("KeyMaterialId"))
