"""What AWS says when a key cannot be used for what is asked, word for word."""

from typing import Any

import pytest

from tests.unit.operations.key_kinds import KINDS, Keys
from tests.unit.operations.service import Refusal, Service

VALIDATION, USAGE = "ValidationException", "InvalidKeyUsageException"
BAD_CIPHERTEXT = Refusal("InvalidCiphertextException")
MAC: Any = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_224"}
SIGN: Any = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
RSA: Any = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
ECDH: Any = {"KeyAgreementAlgorithm": "ECDH"}
KEM: Any = {"EncapsulationAlgorithm": "ML_KEM"}
USES: dict[str, tuple[str, dict[str, Any]]] = {
    "Encrypt": ("ENCRYPT_DECRYPT", {"Plaintext": b"p"}),
    "Decrypt": ("ENCRYPT_DECRYPT", {"CiphertextBlob": b"c", **RSA}),
    "GenerateDataKey": ("ENCRYPT_DECRYPT", {"KeySpec": "AES_256"}),
    "GenerateDataKeyWithoutPlaintext": ("ENCRYPT_DECRYPT", {"KeySpec": "AES_256"}),
    "GenerateDataKeyPair": ("ENCRYPT_DECRYPT", {"KeyPairSpec": "ECC_NIST_P256"}),
    "GenerateDataKeyPairWithoutPlaintext": ("ENCRYPT_DECRYPT", {"KeyPairSpec": "ECC_NIST_P256"}),
    "Sign": ("SIGN_VERIFY", SIGN),
    "Verify": ("SIGN_VERIFY", {"Signature": b"s", **SIGN}),
    "GenerateMac": ("GENERATE_VERIFY_MAC", MAC),
    "VerifyMac": ("GENERATE_VERIFY_MAC", {"Mac": b"t", **MAC}),
    "DeriveSharedSecret": ("KEY_AGREEMENT", {"PublicKey": b"p", **ECDH}),
    "Encapsulate": ("ENCAPSULATE_DECAPSULATE", KEM),
    "Decapsulate": ("ENCAPSULATE_DECAPSULATE", {"SharedSecretCiphertextBlob": b"c", **KEM}),
}  # fmt: skip
WRONG_USAGES = [
    (operation, kind)
    for operation, (usage, _) in USES.items()
    for kind in ("symmetric", "rsa", "signing", "mac", "agreement", "ml-kem")
    if KINDS[kind].get("KeyUsage", "ENCRYPT_DECRYPT") != usage
]


@pytest.mark.parametrize(("operation", "kind"), WRONG_USAGES)
def test_a_key_of_another_usage(service: Service, keys: Keys, operation: str, kind: str) -> None:
    arn = keys.arn(kind)
    usage = KINDS[kind].get("KeyUsage", "ENCRYPT_DECRYPT")
    assert service.refused(operation, KeyId=arn, **USES[operation][1]) == (
        USAGE, f"{arn} key usage is {usage} which is not valid for {operation}.",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["signing", "mac"])
def test_re_encrypting_to_a_key_of_another_usage(service: Service, keys: Keys, kind: str) -> None:
    sealed = service.ok("Encrypt", KeyId=keys.arn("symmetric"), Plaintext=b"p")["CiphertextBlob"]
    arn, usage = keys.arn(kind), KINDS[kind]["KeyUsage"]
    assert service.refused("ReEncrypt", CiphertextBlob=sealed, DestinationKeyId=arn) == (
        USAGE, f"{arn} key usage is {usage} which is not valid for ReEncrypt.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "kind", "algorithm"),
    [
        ("GenerateMac", "mac", {"MacAlgorithm": "HMAC_SHA_256"}),
        ("VerifyMac", "mac", {"MacAlgorithm": "HMAC_SHA_512"}),
        ("Sign", "signing", {"SigningAlgorithm": "ECDSA_SHA_384"}),
        ("Sign", "p521", {"SigningAlgorithm": "ECDSA_SHA_256"}),
        ("Sign", "edwards", {"SigningAlgorithm": "ECDSA_SHA_256"}),
        ("Verify", "ml-dsa", {"SigningAlgorithm": "RSASSA_PSS_SHA_256"}),
        ("Verify", "rsa-signing", {"SigningAlgorithm": "ECDSA_SHA_256"}),
        ("Encrypt", "symmetric", {"EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}),
        ("Encrypt", "rsa", {"EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}),
        ("Encrypt", "rsa", {"EncryptionAlgorithm": "SM2PKE"}),
    ],
)
def test_an_algorithm_of_another_key_spec(
    service: Service, keys: Keys, operation: str, kind: str, algorithm: dict[str, str]
) -> None:
    spec = KINDS[kind].get("KeySpec", "SYMMETRIC_DEFAULT")
    (name,) = algorithm.values()
    members = USES[operation][1] | algorithm
    assert service.refused(operation, KeyId=keys.arn(kind), **members) == (
        USAGE, f"Algorithm {name} is incompatible with key spec {spec}.",
    )  # fmt: skip


def test_rsa_keys_encrypt_by_a_named_algorithm_only(service: Service, keys: Keys) -> None:
    assert service.refused("Encrypt", KeyId=keys.arn("rsa"), Plaintext=b"p") == (
        USAGE, "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["mac", "other", "signing", "rsa"])
def test_a_ciphertext_of_another_key(service: Service, keys: Keys, kind: str) -> None:
    sealed = service.ok("Encrypt", KeyId=keys.arn("symmetric"), Plaintext=b"p")["CiphertextBlob"]
    expected = ("IncorrectKeyException",
                "The key ID in the request does not identify a CMK that can perform this operation.")  # fmt: skip
    assert service.refused("Decrypt", KeyId=keys.arn(kind), CiphertextBlob=sealed) == expected
    again = {"CiphertextBlob": sealed, "DestinationKeyId": keys.arn("symmetric")}
    assert service.refused("ReEncrypt", SourceKeyId=keys.arn(kind), **again) == expected


def test_ciphertexts_that_do_not_open_have_no_text(service: Service, keys: Keys) -> None:
    key, rsa = keys.arn("symmetric"), keys.arn("rsa")
    context: Any = {"EncryptionContext": {"a": "b"}}
    sealed = service.ok("Encrypt", KeyId=key, Plaintext=b"p", **context)["CiphertextBlob"]
    flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
    by_rsa = service.ok("Encrypt", KeyId=rsa, Plaintext=b"p", **RSA)["CiphertextBlob"]
    for members in (
        {"CiphertextBlob": flipped, **context},
        {"CiphertextBlob": sealed[:-1], **context},
        {"CiphertextBlob": sealed},
        {"CiphertextBlob": sealed, "EncryptionContext": {"A": "b"}},
        {"CiphertextBlob": b"no ciphertext"},
        {"CiphertextBlob": by_rsa, "KeyId": rsa},
        {"CiphertextBlob": by_rsa, "KeyId": rsa, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"},
        {"CiphertextBlob": by_rsa[:-1], "KeyId": rsa, **RSA},
        {"CiphertextBlob": sealed, "KeyId": key, **RSA},
    ):
        assert service.refused("Decrypt", **members) == BAD_CIPHERTEXT


def test_ciphertexts_of_rsa_keys_need_the_key(service: Service) -> None:
    missing = Refusal(VALIDATION, "KeyId must not be null")
    assert service.refused("Decrypt", CiphertextBlob=b"c", **RSA) == missing


def test_a_context_is_for_symmetric_keys(service: Service, keys: Keys) -> None:
    refusal = Refusal(
        VALIDATION, "EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs."
    )
    asked = {"KeyId": keys.arn("rsa"), "EncryptionContext": {"a": "b"}, **RSA}
    assert service.refused("Encrypt", Plaintext=b"p", **asked) == refusal
    assert service.refused("Decrypt", CiphertextBlob=b"c", **asked) == refusal


@pytest.mark.parametrize(("algorithm", "most"), [("RSAES_OAEP_SHA_256", 190), ("RSAES_OAEP_SHA_1", 214)])
def test_rsa_keys_encrypt_what_fits(service: Service, keys: Keys, algorithm: str, most: int) -> None:
    asked = {"KeyId": keys.arn("rsa"), "EncryptionAlgorithm": algorithm}
    sealed = service.ok("Encrypt", Plaintext=bytes(most), **asked)["CiphertextBlob"]
    assert service.ok("Decrypt", CiphertextBlob=sealed, **asked)["Plaintext"] == bytes(most)
    assert service.refused("Encrypt", Plaintext=bytes(most + 1), **asked) == (
        VALIDATION, f"Algorithm {algorithm} and key spec RSA_2048 cannot encrypt data larger than {most} bytes.",
    )  # fmt: skip


@pytest.mark.parametrize("operation", ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"])
@pytest.mark.parametrize("sizes", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}], ids=["neither", "both"])
def test_a_data_key_has_one_size(service: Service, keys: Keys, operation: str, sizes: dict[str, Any]) -> None:
    asked = Refusal(VALIDATION, "Please specify either number of bytes or key spec.")
    assert service.refused(operation, KeyId=keys.arn("symmetric"), **sizes) == asked


@pytest.mark.parametrize("operation", [name for name in USES if name.startswith("GenerateDataKey")])
def test_data_keys_are_made_by_symmetric_keys(service: Service, keys: Keys, operation: str) -> None:
    assert service.refused(operation, KeyId=keys.arn("rsa"), **USES[operation][1]) == (
        USAGE, "You cannot generate a data key with an asymmetric CMK",
    )  # fmt: skip


def test_random_bytes_need_a_number(service: Service) -> None:
    assert service.refused("GenerateRandom") == (VALIDATION, "NumberOfBytes is required.")


@pytest.mark.parametrize("operation", ["Sign", "Verify"])
@pytest.mark.parametrize(
    ("kind", "algorithm", "size"),
    [("signing", "ECDSA_SHA_256", 32), ("p384", "ECDSA_SHA_384", 48), ("p521", "ECDSA_SHA_512", 64),
     ("k1", "ECDSA_SHA_256", 32), ("rsa-signing", "RSASSA_PSS_SHA_384", 48),
     ("rsa-signing", "RSASSA_PKCS1_V1_5_SHA_512", 64), ("edwards", "ED25519_PH_SHA_512", 64)],
)  # fmt: skip
def test_a_digest_is_as_long_as_its_hash(
    service: Service, keys: Keys, operation: str, kind: str, algorithm: str, size: int
) -> None:
    asked: Any = {"KeyId": keys.arn(kind), "SigningAlgorithm": algorithm, "MessageType": "DIGEST"}
    signature = service.ok("Sign", Message=bytes(size), **asked)["Signature"]
    if operation == "Verify":
        asked["Signature"] = signature
        assert service.ok("Verify", Message=bytes(size), **asked)["SignatureValid"] is True
    for wrong in (size - 1, size + 1):
        assert service.refused(operation, Message=bytes(wrong), **asked) == (
            VALIDATION, f"Digest is invalid length for algorithm {algorithm}.",
        )  # fmt: skip


def test_signatures_and_tags_that_are_wrong_have_no_text(service: Service, keys: Keys) -> None:
    for kind, algorithm in (("signing", "ECDSA_SHA_256"), ("edwards", "ED25519_SHA_512"),
                            ("ml-dsa", "ML_DSA_SHAKE_256"), ("rsa-signing", "RSASSA_PSS_SHA_256")):  # fmt: skip
        asked: Any = {"KeyId": keys.arn(kind), "SigningAlgorithm": algorithm}
        signature = service.ok("Sign", Message=b"m", **asked)["Signature"]
        wrong = Refusal("KMSInvalidSignatureException")
        assert service.refused("Verify", Message=b"n", Signature=signature, **asked) == wrong
        assert service.refused("Verify", Message=b"m", Signature=b"s", **asked) == wrong
    for tag in (b"t", bytes(28), bytes(29)):
        asked = {"KeyId": keys.arn("mac"), "Mac": tag, **MAC}
        assert service.refused("VerifyMac", **asked) == ("KMSInvalidMacException", "")


def test_a_peers_key_that_does_not_fit_has_no_text(service: Service, keys: Keys) -> None:
    for public in (b"no key", *(service.ok("GetPublicKey", KeyId=keys.arn(kind))["PublicKey"]
                                for kind in ("p384", "k1", "edwards", "rsa"))):  # fmt: skip
        asked: Any = {"KeyId": keys.arn("agreement"), "PublicKey": public, **ECDH}
        assert service.refused("DeriveSharedSecret", **asked) == (VALIDATION, "")


def test_an_encapsulated_secret_of_another_length_has_no_text(service: Service, keys: Keys) -> None:
    asked: Any = {"KeyId": keys.arn("ml-kem"), **KEM}
    for size in (1, 1087, 1089):
        refusal = service.refused("Decapsulate", SharedSecretCiphertextBlob=bytes(size), **asked)
        assert refusal == BAD_CIPHERTEXT
    assert (
        len(service.ok("Decapsulate", SharedSecretCiphertextBlob=bytes(1088), **asked)["SharedSecret"]) == 32
    )


@pytest.mark.parametrize("kind", ["symmetric", "mac", "external", "external-mac"])
def test_keys_without_a_public_half_say_nothing(service: Service, keys: Keys, kind: str) -> None:
    assert service.refused("GetPublicKey", KeyId=keys.arn(kind)) == ("UnsupportedOperationException", "")
