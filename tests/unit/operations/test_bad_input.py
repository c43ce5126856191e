"""What is too long, too short or of the wrong kind is refused, at its very limit is not, and a refusal changes nothing."""

from typing import Any

import pytest

from tests.unit.operations import imported
from tests.unit.operations.key_kinds import KINDS, Keys
from tests.unit.operations.service import REPLICA_REGION, Service

VALIDATION = "ValidationException"
SIGN: Any = {"SigningAlgorithm": "ECDSA_SHA_256"}
MAC: Any = {"MacAlgorithm": "HMAC_SHA_224"}


@pytest.mark.parametrize(
    ("operation", "kind", "member", "most", "others"),
    [
        ("Encrypt", "symmetric", "Plaintext", 4096, {}),
        ("Sign", "signing", "Message", 4096, SIGN),
        ("Sign", "edwards", "Message", 4096, {"SigningAlgorithm": "ED25519_SHA_512"}),
        ("Sign", "ml-dsa", "Message", 4096, {"SigningAlgorithm": "ML_DSA_SHAKE_256"}),
        ("Sign", "rsa-signing", "Message", 4096, {"SigningAlgorithm": "RSASSA_PSS_SHA_512"}),
        ("GenerateMac", "mac", "Message", 4096, MAC),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_messages_at_and_past_the_limits(
    service: Service, keys: Keys, operation: str, kind: str, member: str, most: int, others: dict[str, Any]
) -> None:
    asked: Any = {"KeyId": keys.arn(kind), **others}
    for fits in (1, most):
        service.ok(operation, **asked | {member: bytes(fits)})
    for wrong in (0, most + 1):
        assert service.unchanged(operation, **asked | {member: bytes(wrong)}).code == VALIDATION


@pytest.mark.parametrize(
    ("operation", "kind", "member", "most", "others"),
    [
        ("Decrypt", "symmetric", "CiphertextBlob", 6144, {}),
        ("Verify", "signing", "Signature", 6144, {"Message": b"m", **SIGN}),
        ("VerifyMac", "mac", "Mac", 6144, {"Message": b"m", **MAC}),
        ("Decapsulate", "ml-kem", "SharedSecretCiphertextBlob", 6144, {"EncapsulationAlgorithm": "ML_KEM"}),
        ("ImportKeyMaterial", "external", "ImportToken", 6144, {"EncryptedKeyMaterial": b"m", **imported.KEPT}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_read_has_a_longest_length(
    service: Service, keys: Keys, operation: str, kind: str, member: str, most: int, others: dict[str, Any]
) -> None:
    asked: Any = {"KeyId": keys.arn(kind), **others}
    for allowed in (1, most):
        assert service.refused(operation, **asked | {member: bytes(allowed)}).code != VALIDATION
    for wrong in (0, most + 1):
        assert service.unchanged(operation, **asked | {member: bytes(wrong)}).code == VALIDATION


@pytest.mark.parametrize(
    "operation", ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateRandom"]
)
def test_random_bytes_have_a_largest_number(service: Service, keys: Keys, operation: str) -> None:
    key = {} if operation == "GenerateRandom" else {"KeyId": keys.arn("symmetric")}
    for fits in (1, 1024):
        answer = service.ok(operation, **key, NumberOfBytes=fits)
        assert len(answer.get("Plaintext", bytes(fits))) == fits
    for wrong in (-1, 0, 1025):
        assert service.refused(operation, **key, NumberOfBytes=wrong).code == VALIDATION


@pytest.mark.parametrize("operation", ["Sign", "Verify"])
@pytest.mark.parametrize(
    ("kind", "algorithm", "message_type", "size"),
    [
        ("edwards", "ED25519_SHA_512", "DIGEST", 64),
        ("edwards", "ED25519_PH_SHA_512", "RAW", 64),
        ("edwards", "ED25519_SHA_512", "EXTERNAL_MU", 64),
        ("ml-dsa", "ML_DSA_SHAKE_256", "DIGEST", 64),
        ("ml-dsa", "ML_DSA_SHAKE_256", "EXTERNAL_MU", 63),
        ("ml-dsa", "ML_DSA_SHAKE_256", "EXTERNAL_MU", 65),
        ("signing", "ECDSA_SHA_256", "EXTERNAL_MU", 32),
        ("rsa-signing", "RSASSA_PSS_SHA_256", "EXTERNAL_MU", 32),
    ],
)
def test_message_types_that_an_algorithm_does_not_take(
    service: Service, keys: Keys, operation: str, kind: str, algorithm: str, message_type: str, size: int
) -> None:
    asked: Any = {"KeyId": keys.arn(kind), "SigningAlgorithm": algorithm, "MessageType": message_type}
    if operation == "Verify":
        asked["Signature"] = b"s"
    assert algorithm in service.unchanged(operation, Message=bytes(size), **asked).text


@pytest.mark.parametrize("days", [6, 31, 1, 365])
def test_a_deletion_waits_7_to_30_days(service: Service, keys: Keys, days: int) -> None:
    assert (
        service.unchanged("ScheduleKeyDeletion", KeyId=keys.arn("symmetric"), PendingWindowInDays=days).code
        == VALIDATION
    )


@pytest.mark.parametrize("days", [7, 30])
def test_a_deletion_may_wait_that_long(service: Service, keys: Keys, days: int) -> None:
    answer = service.ok("ScheduleKeyDeletion", KeyId=keys.new("symmetric"), PendingWindowInDays=days)
    assert (answer["PendingWindowInDays"], answer["KeyState"]) == (days, "PendingDeletion")


@pytest.mark.parametrize(
    "members",
    [
        {}, {"RotationDate": 4e9, "RotationPeriodInDays": 90}, {"RotationDate": 1},
        {"RotationPeriodInDays": 89}, {"RotationPeriodInDays": 2561},
    ],
    ids=["neither", "both", "past", "too-often", "too-seldom"],
)  # fmt: skip
def test_rotations_that_cannot_be_scheduled(service: Service, keys: Keys, members: dict[str, Any]) -> None:
    assert service.unchanged("ScheduleKeyRotation", KeyId=keys.arn("symmetric"), **members).code == VALIDATION


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"Description": "d" * 8193}, VALIDATION),
        ({"Description": "\0"}, VALIDATION),
        ({"Tags": [{"TagKey": "k" * 129, "TagValue": ""}]}, VALIDATION),
        ({"Tags": [{"TagKey": "k", "TagValue": "v" * 257}]}, VALIDATION),
        ({"Tags": [{"TagKey": "k"}]}, VALIDATION),
        ({"Policy": "not JSON"}, "MalformedPolicyDocumentException"),
        ({"Policy": "\u0100"}, VALIDATION),
        ({"Origin": "EXTERNAL", **KINDS["ml-dsa"]}, "UnsupportedOperationException"),
        ({"Origin": "EXTERNAL", **KINDS["ml-kem"]}, "UnsupportedOperationException"),
        ({"Origin": "AWS_CLOUDHSM"}, "UnsupportedOperationException"),
        ({"Origin": "EXTERNAL_KEY_STORE"}, "UnsupportedOperationException"),
        ({"XksKeyId": "x"}, "UnsupportedOperationException"),
        ({"CustomKeyStoreId": "cks-1"}, "CustomKeyStoreNotFoundException"),
        ({"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"}, "UnsupportedOperationException"),
        ({"KeySpec": "RSA_1024", "KeyUsage": "SIGN_VERIFY"}, VALIDATION),
        ({"KeyUsage": "SIGN_VERIFY"}, VALIDATION),
    ],
    ids=range(16),
)
def test_keys_that_cannot_be_made(service: Service, members: dict[str, Any], code: str) -> None:
    before = service.ok("ListKeys")
    assert service.refused("CreateKey", **members).code == code
    assert service.ok("ListKeys") == before


def test_texts_at_their_limits_are_kept_as_they_are(service: Service) -> None:
    tag = {"TagKey": "\u00e9" * 128, "TagValue": "\U0001f600" * 256}
    made = service.key(Description="\u20ac" * 8192, Tags=[tag])
    assert made["Description"] == "\u20ac" * 8192
    assert service.ok("ListResourceTags", KeyId=made["KeyId"])["Tags"] == [tag]
    name = "alias/" + "a" * 250
    service.ok("CreateAlias", AliasName=name, TargetKeyId=made["KeyId"])
    assert service.state_of(name) == "Enabled"
    assert service.refused("CreateAlias", AliasName=f"{name}b", TargetKeyId=made["KeyId"]).code == VALIDATION


def test_replicas_that_cannot_be(service: Service, keys: Keys) -> None:
    primary = keys.new("primary")
    service.ok("ReplicateKey", KeyId=primary, ReplicaRegion=REPLICA_REGION)
    for region in ("us-east-1", REPLICA_REGION):
        assert (
            service.unchanged("ReplicateKey", KeyId=primary, ReplicaRegion=region).code
            == "AlreadyExistsException"
        )
    assert service.unchanged("ReplicateKey", KeyId=primary, ReplicaRegion="EU-WEST-1").code == VALIDATION
    assert (
        service.unchanged("UpdatePrimaryRegion", KeyId=primary, PrimaryRegion="sa-east-1").code
        == "NotFoundException"
    )
