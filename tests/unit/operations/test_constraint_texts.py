"""Constraints of the model are checked before the key is looked for; their texts are AWS's, sets in AWS's order."""

from typing import Any

import pytest

from tests.unit.operations.service import Service

ENUM = "Member must satisfy enum value set: "
KEY = {"KeyId": "no key"}
MAC = KEY | {"Message": "AAAA"}
ECDH = KEY | {"PublicKey": "AAAA"}
WRAPPING = KEY | {"WrappingAlgorithm": "RSAES_OAEP_SHA_256"}
IMPORT = KEY | {"ImportToken": "AAAA", "EncryptedKeyMaterial": "AAAA"}


VIOLATIONS: list[tuple[str, dict[str, Any], str, str]] = [
    ("GenerateMac", MAC | {"MacAlgorithm": "MD5"}, "Value 'MD5' at 'macAlgorithm'",
     f"{ENUM}[HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]"),
    ("DeriveSharedSecret", ECDH | {"KeyAgreementAlgorithm": "DH"}, "Value 'DH' at 'keyAgreementAlgorithm'",
     f"{ENUM}[ECDH]"),
    ("GenerateDataKey", KEY | {"KeySpec": "AES"}, "Value 'AES' at 'keySpec'", f"{ENUM}[AES_256, AES_128]"),
    ("Encrypt", KEY | {"Plaintext": "AAAA", "EncryptionAlgorithm": "X"}, "Value 'X' at 'encryptionAlgorithm'",
     f"{ENUM}[RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE, SYMMETRIC_DEFAULT]"),
    ("ImportKeyMaterial", IMPORT | {"ExpirationModel": "NEVER"}, "Value 'NEVER' at 'expirationModel'",
     f"{ENUM}[KEY_MATERIAL_DOES_NOT_EXPIRE, KEY_MATERIAL_EXPIRES]"),
    ("Encrypt", KEY | {"Plaintext": "AAAA" * 1366}, "Value at 'plaintext'",
     "Member must have length less than or equal to 4096"),
    ("Sign", KEY | {"Message": "", "SigningAlgorithm": "ECDSA_SHA_256"}, "Value at 'message'",
     "Member must have length greater than or equal to 1"),
    ("GenerateDataKey", KEY | {"NumberOfBytes": 1025}, "Value '1025' at 'numberOfBytes'",
     "Member must have value less than or equal to 1024"),
    ("GenerateDataKey", KEY | {"NumberOfBytes": 0}, "Value '0' at 'numberOfBytes'",
     "Member must have value greater than or equal to 1"),
    ("GetParametersForImport", WRAPPING, "Value null at 'wrappingKeySpec'", "Member must not be null"),
    ("DescribeKey", {}, "Value null at 'keyId'", "Member must not be null"),
    ("Decrypt", {}, "Value null at 'ciphertextBlob'", "Member must not be null"),
    ("TagResource", KEY | {"Tags": [{"TagKey": "", "TagValue": ""}]}, "Value '' at 'tags.1.member.tagKey'",
     "Member must have length greater than or equal to 1"),
    ("CreateAlias", {"AliasName": "alias/a b", "TargetKeyId": "k"}, "Value 'alias/a b' at 'aliasName'",
     "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"),
    ("ReplicateKey", KEY | {"ReplicaRegion": "here"}, "Value 'here' at 'replicaRegion'",
     r"Member must satisfy regular expression pattern: ^([a-z]+-){2,3}\d+$"),
    ("EnableKeyRotation", KEY | {"RotationPeriodInDays": 89}, "Value '89' at 'rotationPeriodInDays'",
     "Member must have value greater than or equal to 90"),
    ("EnableKeyRotation", KEY | {"RotationPeriodInDays": 2561}, "Value '2561' at 'rotationPeriodInDays'",
     "Member must have value less than or equal to 2560"),
    ("ListKeys", {"Limit": 1001}, "Value '1001' at 'limit'", "Member must have value less than or equal to 1000"),
    ("DescribeKey", KEY | {"GrantTokens": ["t"] * 11}, "Value at 'grantTokens'",
     "Member must have length less than or equal to 10"),
    ("RetireGrant", {"GrantId": "x" * 129}, f"Value '{'x' * 129}' at 'grantId'",
     "Member must have length less than or equal to 128"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "members", "place", "constraint"),
    VIOLATIONS,
    ids=[f"{one[0]}-{number}" for number, one in enumerate(VIOLATIONS)],
)
def test_one_violation(
    service: Service, operation: str, members: dict[str, Any], place: str, constraint: str
) -> None:
    text = f"1 validation error detected: {place} failed to satisfy constraint: {constraint}"
    assert service.refused(operation, **members) == ("ValidationException", text)


def test_several_violations_are_told_at_once(service: Service) -> None:
    code, text = service.refused("Sign", KeyId="", Message="AAAA")
    assert code == "ValidationException"
    head, _, listed = text.partition(" detected: ")
    assert head == "2 validation errors"
    assert sorted(listed.split("; ")) == [
        "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
        "Value null at 'signingAlgorithm' failed to satisfy constraint: Member must not be null",
    ]


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"KeyId": ["k"]}, "Start of list found where not expected"),
        ({"KeyId": {"k": 1}}, "Start of structure or map found where not expected."),
        ({"KeyId": True}, "class java.lang.Boolean can not be converted to an String"),
        ({"KeyId": 1}, "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"),
        ({"NumberOfBytes": "1"}, "class java.lang.String can not be converted to an Integer"),
        ({"DryRun": "yes"}, "'yes' can not be converted to an Boolean"),
        ({"GrantTokens": "t"}, "Expected list or null"),
        ({"EncryptionContext": "c"}, "Expected map or null"),
    ],
    ids=range(8),
)  # fmt: skip
def test_members_of_another_type(service: Service, members: dict[str, Any], text: str) -> None:
    asked: dict[str, Any] = {"KeyId": "k", "NumberOfBytes": 1} | members
    assert service.refused("GenerateDataKey", **asked) == ("SerializationException", text)


def test_a_recipient_is_a_structure(service: Service) -> None:
    assert service.refused("GenerateRandom", Recipient="r") == ("SerializationException", "Expected null")


def test_what_nobody_asked_for_is_ignored_and_null_is_absent(service: Service) -> None:
    assert len(service.ok("GenerateRandom", NumberOfBytes=7.9, Novelty=[1], Recipient=None)["Plaintext"]) == 7
