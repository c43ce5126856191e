"""AWS's guide to imported key material, step by step with the openssl command line."""

from typing import Any

import pytest

from tests.interop.conftest import NewKey
from tests.interop.openssl import OAEP_SHA_1, OAEP_SHA_256, OpenSsl

MESSAGE = b"signed there and checked here"


def import_(kms: Any, openssl: OpenSsl, key: str, material: bytes, algorithm: str, spec: str) -> Any:
    """Wrap the material for a key and import it."""
    parameters = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
    public = openssl.public(parameters["PublicKey"])
    options = OAEP_SHA_1 if algorithm.endswith("SHA_1") else OAEP_SHA_256
    if algorithm.startswith("RSA_AES_KEY_WRAP"):
        wrapping = openssl.run("rand", "32")
        wrapped = openssl.oaep(public, wrapping, options) + openssl.key_wrap(wrapping, material)
    else:
        wrapped = openssl.oaep(public, material, options)
    return kms.import_key_material(
        KeyId=key, ImportToken=parameters["ImportToken"], EncryptedKeyMaterial=wrapped,
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )  # fmt: skip


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
@pytest.mark.parametrize(
    "algorithm",
    ["RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1"],
)
def test_material_of_a_symmetric_key(
    openssl: OpenSsl, new_key: NewKey, kms: Any, algorithm: str, spec: str
) -> None:
    key = new_key(Origin="EXTERNAL")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    material = openssl.run("rand", "32")
    import_(kms, openssl, key, material, algorithm, spec)
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert metadata["KeyState"] == "Enabled"
    assert metadata["Origin"] == "EXTERNAL"
    assert metadata["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    sealed = kms.encrypt(KeyId=key, Plaintext=b"hello")["CiphertextBlob"]

    kms.delete_imported_key_material(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    import_(kms, openssl, key, material, algorithm, spec)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"hello"


def test_material_of_a_code_key_makes_the_codes_it_makes(openssl: OpenSsl, new_key: NewKey, kms: Any) -> None:
    key = new_key(Origin="EXTERNAL", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    material = openssl.run("rand", "32")
    import_(kms, openssl, key, material, "RSAES_OAEP_SHA_256", "RSA_3072")
    theirs = openssl.run(
        "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{material.hex()}", "-binary",
        openssl.file("message", MESSAGE),
    )  # fmt: skip
    assert kms.generate_mac(KeyId=key, Message=MESSAGE, MacAlgorithm="HMAC_SHA_256")["Mac"] == theirs


PRIVATE_KEYS = [
    ("RSA_2048", ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"), "RSASSA_PSS_SHA_256", "sha256"),
    ("RSA_3072", ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"), "RSASSA_PKCS1_V1_5_SHA_512", "sha512"),
    ("ECC_NIST_P256", ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"), "ECDSA_SHA_256", "sha256"),
    ("ECC_NIST_P521", ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"), "ECDSA_SHA_512", "sha512"),
    ("ECC_SECG_P256K1", ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"), "ECDSA_SHA_256", "sha256"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "options", "algorithm", "digest"), PRIVATE_KEYS)
def test_we_verify_what_it_signed_with_the_key_that_was_imported(
    openssl: OpenSsl, new_key: NewKey, kms: Any, spec: str, options: tuple[str, ...], algorithm: str, digest: str
) -> None:  # fmt: skip
    key = new_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage="SIGN_VERIFY")
    private = openssl.private(*options)
    import_(kms, openssl, key, openssl.pkcs8(private), "RSA_AES_KEY_WRAP_SHA_256", "RSA_4096")
    public = openssl.run("pkey", "-in", private, "-pubout", "-outform", "DER")
    assert kms.get_public_key(KeyId=key)["PublicKey"] == public
    pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
    signature = openssl.run(
        "dgst", f"-{digest}", *(pss if "PSS" in algorithm else []), "-sign", private,
        openssl.file("message", MESSAGE),
    )  # fmt: skip
    asked = {"KeyId": key, "Message": MESSAGE, "SigningAlgorithm": algorithm}
    assert kms.verify(Signature=signature, **asked)["SignatureValid"]
    assert kms.verify(Signature=kms.sign(**asked)["Signature"], **asked)["SignatureValid"]


def test_we_verify_its_edwards_signature(openssl: OpenSsl, new_key: NewKey, kms: Any) -> None:
    key = new_key(Origin="EXTERNAL", KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
    private = openssl.private("-algorithm", "ED25519")
    import_(kms, openssl, key, openssl.pkcs8(private), "RSA_AES_KEY_WRAP_SHA_256", "RSA_4096")
    message = openssl.file("message", MESSAGE)
    signature = openssl.run("pkeyutl", "-sign", "-inkey", private, "-rawin", "-in", message)
    asked = {"KeyId": key, "Message": MESSAGE, "SigningAlgorithm": "ED25519_SHA_512"}
    assert kms.verify(Signature=signature, **asked)["SignatureValid"]
    assert kms.sign(**asked)["Signature"] == signature


def test_we_open_what_was_encrypted_for_the_key_that_was_imported(
    openssl: OpenSsl, new_key: NewKey, kms: Any
) -> None:
    key = new_key(Origin="EXTERNAL", KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    private = openssl.private("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    import_(kms, openssl, key, openssl.pkcs8(private), "RSA_AES_KEY_WRAP_SHA_256", "RSA_4096")
    public = openssl.run("pkey", "-in", private, "-pubout", "-outform", "DER")
    sealed = openssl.oaep(openssl.public(public), MESSAGE)
    opened = kms.decrypt(KeyId=key, CiphertextBlob=sealed, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert opened["Plaintext"] == MESSAGE
