"""The openssl command line at the other end of a public key."""

from typing import Any

import pytest

from tests.interop.conftest import NewKey
from tests.interop.openssl import OAEP_SHA_1, OAEP_SHA_256, OpenSsl

PKCS1 = ("rsa_padding_mode:pkcs1",)
PSS = ("rsa_padding_mode:pss", "rsa_pss_saltlen:digest")
SIGNATURES = [
    ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", "sha256", PKCS1),
    ("RSA_3072", "RSASSA_PKCS1_V1_5_SHA_384", "sha384", PKCS1),
    ("RSA_4096", "RSASSA_PKCS1_V1_5_SHA_512", "sha512", PKCS1),
    ("RSA_2048", "RSASSA_PSS_SHA_256", "sha256", PSS),
    ("RSA_3072", "RSASSA_PSS_SHA_384", "sha384", PSS),
    ("RSA_4096", "RSASSA_PSS_SHA_512", "sha512", PSS),
    ("ECC_NIST_P256", "ECDSA_SHA_256", "sha256", ()),
    ("ECC_NIST_P384", "ECDSA_SHA_384", "sha384", ()),
    ("ECC_NIST_P521", "ECDSA_SHA_512", "sha512", ()),
    ("ECC_SECG_P256K1", "ECDSA_SHA_256", "sha256", ()),
]
CURVES = [("ECC_NIST_P256", "P-256"), ("ECC_NIST_P384", "P-384"), ("ECC_NIST_P521", "P-521")]
MESSAGE = b"signed here and checked there"


@pytest.mark.parametrize(("spec", "algorithm", "digest", "options"), SIGNATURES)
@pytest.mark.parametrize("message_type", ["RAW", "DIGEST"])
def test_it_verifies_our_signature(
    openssl: OpenSsl, new_key: NewKey, kms: Any, spec: str, algorithm: str, digest: str,
    options: tuple[str, ...], message_type: str,
) -> None:  # fmt: skip
    key = new_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
    public = openssl.public(kms.get_public_key(KeyId=key)["PublicKey"])
    message = openssl.file("message", MESSAGE)
    signed = MESSAGE if message_type == "RAW" else openssl.run("dgst", f"-{digest}", "-binary", message)
    made = kms.sign(KeyId=key, Message=signed, MessageType=message_type, SigningAlgorithm=algorithm)
    signature = openssl.file("signature", made["Signature"])
    chosen = [word for option in options for word in ("-sigopt", option)]
    said = openssl.run("dgst", f"-{digest}", *chosen, "-verify", public, "-signature", signature, message)
    assert said == b"Verified OK\n"


def test_it_verifies_our_edwards_signature(openssl: OpenSsl, new_key: NewKey, kms: Any) -> None:
    key = new_key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
    public = openssl.public(kms.get_public_key(KeyId=key)["PublicKey"])
    made = kms.sign(KeyId=key, Message=MESSAGE, MessageType="RAW", SigningAlgorithm="ED25519_SHA_512")
    signature, message = openssl.file("signature", made["Signature"]), openssl.file("message", MESSAGE)
    said = openssl.run(
        "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", message, "-sigfile", signature
    )
    assert said == b"Signature Verified Successfully\n"


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
@pytest.mark.parametrize(
    ("algorithm", "options"), [("RSAES_OAEP_SHA_256", OAEP_SHA_256), ("RSAES_OAEP_SHA_1", OAEP_SHA_1)]
)
def test_we_open_what_it_encrypted_offline(
    openssl: OpenSsl, new_key: NewKey, kms: Any, spec: str, algorithm: str, options: tuple[str, ...]
) -> None:
    key = new_key(KeySpec=spec, KeyUsage="ENCRYPT_DECRYPT")
    public = openssl.public(kms.get_public_key(KeyId=key)["PublicKey"])
    sealed = openssl.oaep(public, MESSAGE, options)
    opened = kms.decrypt(KeyId=key, CiphertextBlob=sealed, EncryptionAlgorithm=algorithm)
    assert opened["Plaintext"] == MESSAGE


@pytest.mark.parametrize(("spec", "curve"), CURVES)
def test_both_derive_the_same_secret(
    openssl: OpenSsl, new_key: NewKey, kms: Any, spec: str, curve: str
) -> None:
    key = new_key(KeySpec=spec, KeyUsage="KEY_AGREEMENT")
    private = openssl.private("-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}")
    mine = openssl.run("pkey", "-in", private, "-pubout", "-outform", "DER")
    ours = kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=mine)["SharedSecret"]
    public = openssl.public(kms.get_public_key(KeyId=key)["PublicKey"])
    assert openssl.run("pkeyutl", "-derive", "-inkey", private, "-peerkey", public) == ours


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_P521", "ECC_SECG_P256K1"])
def test_it_finds_our_data_key_pairs_sound(openssl: OpenSsl, kms: Any, key: str, spec: str) -> None:
    made = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec)
    private = openssl.file("pair.der", made["PrivateKeyPlaintext"])
    assert b"Key is valid" in openssl.run("pkey", "-in", private, "-inform", "DER", "-check", "-noout")
    public = openssl.run("pkey", "-in", private, "-inform", "DER", "-pubout", "-outform", "DER")
    assert public == made["PublicKey"]
