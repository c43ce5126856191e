"""Which of several things wrong with a call is told: the order of AWS's checks."""

from typing import Any

import pytest
from botocore.credentials import Credentials

from tests.unit.operations import imported
from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.service import ACCOUNT, REGION, Refusal, Service

UNKNOWN = "1234abcd-12ab-34cd-56ef-1234567890ab"
HERE = f"arn:aws:kms:{REGION}:{ACCOUNT}"
DIGEST: Any = {"Message": b"no digest", "MessageType": "DIGEST"}
BAD_CIPHERTEXT = Refusal("InvalidCiphertextException")
INCORRECT_KEY = "IncorrectKeyException"
NOBODY = f"User: arn:aws:iam::{ACCOUNT}:user/nobody is not authorized to perform:"
NO_IDENTITY = "because no identity-based policy allows the"
DRY = Refusal("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


@pytest.fixture(scope="module")
def nobody(service: Service) -> Credentials:
    """A user who may do nothing."""
    return service.user("nobody")[1]


def test_constraints_come_first(service: Service, nobody: Credentials) -> None:
    code, text = service.refused("GenerateMac", by=nobody, KeyId="x", Message=b"m", MacAlgorithm="MD5")
    assert (code, "macAlgorithm" in text) == ("ValidationException", True)


def test_then_the_identifier(service: Service, nobody: Credentials) -> None:
    assert service.refused("DisableKey", by=nobody, KeyId=UNKNOWN) == (
        "NotFoundException", f"Key '{HERE}:key/{UNKNOWN}' does not exist",
    )  # fmt: skip


def test_then_permission(service: Service, keys: Keys, nobody: Credentials) -> None:
    arn = keys.disabled("mac")
    denied = f"{NOBODY} kms:Encrypt on resource: {arn} {NO_IDENTITY} kms:Encrypt action"
    refusal = service.refused("Encrypt", by=nobody, KeyId=arn, Plaintext=b"p")
    assert refusal == ("AccessDeniedException", denied)


def test_then_the_usage(service: Service, keys: Keys) -> None:
    arn = keys.disabled("mac")
    text = f"{arn} key usage is GENERATE_VERIFY_MAC which is not valid for Sign."
    asked = {"KeyId": arn, "SigningAlgorithm": "ECDSA_SHA_384", **DIGEST}
    assert service.refused("Sign", **asked) == ("InvalidKeyUsageException", text)


def test_then_the_state(service: Service, keys: Keys) -> None:
    arn = keys.disabled("signing")
    asked = {"KeyId": arn, "SigningAlgorithm": "ECDSA_SHA_384", **DIGEST}
    assert service.refused("Sign", **asked) == ("DisabledException", f"{arn} is disabled.")


def test_then_the_algorithm(service: Service, keys: Keys) -> None:
    text = "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256."
    asked = {"KeyId": keys.arn("signing"), "SigningAlgorithm": "ECDSA_SHA_384", **DIGEST}
    assert service.refused("Sign", **asked) == ("InvalidKeyUsageException", text)


def test_then_what_was_sent(service: Service, keys: Keys) -> None:
    asked: Any = {"KeyId": keys.arn("signing"), "SigningAlgorithm": "ECDSA_SHA_256", "DryRun": True}
    assert service.refused("Sign", **asked, **DIGEST) == (
        "ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.",
    )  # fmt: skip
    assert service.refused("Sign", **asked, Message=b"m") == DRY


def test_a_ciphertext_is_read_before_anything_else(service: Service, keys: Keys, nobody: Credentials) -> None:
    for named in ({}, {"KeyId": keys.arn("symmetric")}, {"KeyId": UNKNOWN}, {"KeyId": keys.arn("mac")}):
        assert service.refused("Decrypt", by=nobody, CiphertextBlob=b"garbage", **named) == BAD_CIPHERTEXT


def test_its_key_is_compared_before_permission_usage_and_state(
    service: Service, keys: Keys, nobody: Credentials
) -> None:
    sealed = service.ok("Encrypt", KeyId=keys.arn("symmetric"), Plaintext=b"p")["CiphertextBlob"]
    for other in (keys.arn("mac"), keys.disabled("other"), keys.arn("external")):
        assert service.refused("Decrypt", CiphertextBlob=sealed, KeyId=other).code == INCORRECT_KEY
        assert service.refused("Decrypt", by=nobody, CiphertextBlob=sealed, KeyId=other).code == INCORRECT_KEY


def test_permission_comes_before_the_state_of_a_ciphertexts_key(
    service: Service, keys: Keys, nobody: Credentials
) -> None:
    arn = keys.new("symmetric")
    sealed = service.ok("Encrypt", KeyId=arn, Plaintext=b"p")["CiphertextBlob"]
    service.ok("DisableKey", KeyId=arn)
    place = "on the resource associated with this ciphertext"
    denied = f"{NOBODY} kms:Decrypt {place} {NO_IDENTITY} kms:Decrypt action"
    refusal = service.refused("Decrypt", by=nobody, CiphertextBlob=sealed)
    assert refusal == ("AccessDeniedException", denied)
    wrong = {"CiphertextBlob": sealed, "EncryptionContext": {"a": "b"}}
    assert service.refused("Decrypt", **wrong) == ("DisabledException", f"{arn} is disabled.")


def test_a_key_comes_before_the_size_of_its_data_key(service: Service, keys: Keys) -> None:
    arn = keys.disabled("symmetric")
    assert service.refused("GenerateDataKey", KeyId=UNKNOWN).code == "NotFoundException"
    assert service.refused("GenerateDataKey", KeyId=arn) == ("DisabledException", f"{arn} is disabled.")


@pytest.mark.parametrize("operation", ["EnableKeyRotation", "DisableKeyRotation"])
def test_rotation_asks_for_origin_then_state_then_spec(service: Service, keys: Keys, operation: str) -> None:
    external, mac = keys.arn("external-mac"), keys.disabled("mac")
    origin = f"{external} origin is EXTERNAL which is not valid for this operation."
    assert service.refused(operation, KeyId=external) == ("UnsupportedOperationException", origin)
    assert service.refused(operation, KeyId=mac) == ("DisabledException", f"{mac} is disabled.")
    assert service.refused(operation, KeyId=keys.arn("mac")) == ("UnsupportedOperationException", "")


def test_rotation_on_demand_of_a_key_without_material(service: Service, keys: Keys) -> None:
    for kind in ("external", "external-mac", "external-rsa"):
        arn = keys.arn(kind)
        expected = ("KMSInvalidStateException", f"{arn} is pending import.")
        assert service.refused("RotateKeyOnDemand", KeyId=arn) == expected


def test_the_origin_comes_before_the_state_of_an_import(service: Service, keys: Keys) -> None:
    arn = keys.new("symmetric")
    service.ok("ScheduleKeyDeletion", KeyId=arn)
    for operation, members in (
        (
            "GetParametersForImport",
            {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
        ),
        ("ImportKeyMaterial", {"ImportToken": b"t", "EncryptedKeyMaterial": b"m", **imported.KEPT}),
        ("DeleteImportedKeyMaterial", {}),
    ):
        assert service.refused(operation, KeyId=arn, **members) == (
            "UnsupportedOperationException",
            f"{arn} origin is AWS_KMS which is not valid for this operation.",
        )


def test_the_state_comes_before_the_body(service: Service, keys: Keys) -> None:
    arn = keys.arn("external")
    asked: Any = {"KeyId": arn, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256", "EncryptionContext": {"a": "b"}}
    expected = ("KMSInvalidStateException", f"{arn} is pending import.")
    assert service.refused("Encrypt", Plaintext=b"p", **asked) == expected
