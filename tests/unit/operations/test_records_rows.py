"""What the record of each KMS operation says (AWS "Logging AWS KMS API calls with AWS CloudTrail", its examples)."""

import re
from typing import Any, NamedTuple

import pytest

from kms_server.arn import alias_arn
from kms_server.operations.registry import find
from tests.unit.operations import imported
from tests.unit.operations.record_calls import Record, ask, body_of, of_event, violations
from tests.unit.operations.record_requests import of_kms
from tests.unit.operations.service import ACCOUNT, REGION, REPLICA_REGION, Service
from tests.unit.operations.state_matrix import MATRIX, WITHOUT_KEY

CONTEXT = {"EncryptionContext": {"Tenant": "t-19"}}


class Says(NamedTuple):
    """Names of requestParameters, and of responseElements; types of resources; what else is in the record.

    `beside` are members of the request that are asked for beside those of the scene.
    """

    parameters: str
    elements: str = ""
    resources: str = "Key"
    reads: bool = False
    beside: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it
    additional: str = ""


def uses(parameters: str, **others: Any) -> Says:
    return Says(parameters, reads=True, **others)


_DATA_KEY = {"beside": CONTEXT, "additional": "keyMaterialId"}
ROWS = {
    "Encrypt": uses("keyId encryptionAlgorithm encryptionContext", **_DATA_KEY),
    "Decrypt": uses("encryptionAlgorithm", additional="keyMaterialId"),
    "ReEncrypt from": uses(
        "sourceEncryptionAlgorithm destinationKeyId destinationEncryptionAlgorithm", resources="Key Key",
        additional="sourceKeyMaterialId destinationKeyMaterialId",
    ),
    "GenerateDataKey": uses("keyId keySpec encryptionContext", **_DATA_KEY),
    "GenerateDataKeyWithoutPlaintext": uses("keyId numberOfBytes encryptionContext", **_DATA_KEY),
    "GenerateDataKeyPair": uses("keyId keyPairSpec encryptionContext", **_DATA_KEY),
    "GenerateDataKeyPairWithoutPlaintext": uses("keyId keyPairSpec encryptionContext", **_DATA_KEY),
    "GenerateMac": uses("keyId macAlgorithm"),
    "VerifyMac": uses("keyId macAlgorithm"),
    "Sign": uses("keyId messageType signingAlgorithm"),
    "Verify": uses("keyId messageType signingAlgorithm"),
    "GenerateRandom": uses("", resources=""),
    "DeriveSharedSecret": uses("keyId keyAgreementAlgorithm"),
    "Encapsulate": uses("keyId encapsulationAlgorithm"),
    "Decapsulate": uses("keyId encapsulationAlgorithm"),
    "GetPublicKey": uses("keyId"),
    "DescribeKey": uses("keyId"),
    "GetKeyRotationStatus": uses("keyId"),
    "GetKeyLastUsage": uses("keyId"),
    "GetKeyPolicy": uses("keyId policyName", beside={"PolicyName": "default"}),
    "GetParametersForImport": uses("keyId wrappingAlgorithm wrappingKeySpec"),
    "ListAliases": uses("keyId limit", resources="", beside={"Limit": 9}),
    "ListGrants": uses("keyId limit", beside={"Limit": 9}),
    "ListKeyRotations": uses("keyId includeKeyMaterial", beside={"IncludeKeyMaterial": "ALL_KEY_MATERIAL"}),
    "ListKeyPolicies": uses("keyId limit", beside={"Limit": 9}),
    "ListResourceTags": uses("keyId limit", beside={"Limit": 9}),
    "ListKeys": uses("limit", resources="", beside={"Limit": 9}),
    "ListRetirableGrants": uses("retiringPrincipal", resources=""),
    "DescribeCustomKeyStores": uses("", resources=""),
    "CreateKey": Says(
        "policy description keyUsage keySpec customerMasterKeySpec origin bypassPolicyLockoutSafetyCheck tags multiRegion",
        "keyMetadata",
        beside={"Policy": None, "Description": "d", "Tags": [{"TagKey": "a", "TagValue": "b"}]},
    ),
    "CreateAlias": Says("aliasName targetKeyId", "keyId", "Key Alias"),
    "UpdateAlias from": Says("aliasName targetKeyId", "keyId", "Alias Key"),
    "DeleteAlias": Says("aliasName", "keyId", "Alias Key"),
    "CreateGrant": Says(
        "keyId granteePrincipal operations constraints name", "grantId keyId",
        beside={"Name": "n", "Constraints": {"EncryptionContextSubset": {"Tenant": "t-19"}}, "Operations": ["Decrypt"]},
    ),
    "RetireGrant": Says("", additional="grantId"),
    "RevokeGrant": Says("keyId grantId"),
    "PutKeyPolicy": Says("keyId policy"),
    "EnableKey": Says("keyId", "keyId"),
    "DisableKey": Says("keyId", "keyId"),
    "EnableKeyRotation": Says("keyId rotationPeriodInDays", "keyId", beside={"RotationPeriodInDays": 99}),
    "DisableKeyRotation": Says("keyId"),
    "RotateKeyOnDemand": Says("keyId", "keyId"),
    "ScheduleKeyRotation": Says("keyId rotationPeriodInDays", "keyId rotationDate rotationPeriodInDays"),
    "CancelScheduledKeyRotation": Says("keyId"),
    "ScheduleKeyDeletion": Says(
        "keyId pendingWindowInDays", "keyId keyState deletionDate pendingWindowInDays", beside={"PendingWindowInDays": 7}
    ),
    "CancelKeyDeletion": Says("keyId", "keyId"),
    "ImportKeyMaterial": Says(
        "keyId expirationModel importType keyMaterialDescription", "keyId keyMaterialId",
        beside={"ImportType": "EXISTING_KEY_MATERIAL", "KeyMaterialDescription": "d"},
    ),
    "DeleteImportedKeyMaterial": Says("keyId", "keyId keyMaterialId"),
    "TagResource": Says("keyId tags", "keyId"),
    "UntagResource": Says("keyId tagKeys", "keyId"),
    "UpdateKeyDescription": Says("keyId description"),
    "ReplicateKey": Says(
        "keyId replicaRegion bypassPolicyLockoutSafetyCheck description", "replicaKeyMetadata replicaPolicy",
        beside={"BypassPolicyLockoutSafetyCheck": True, "Description": "d"},
    ),
    "UpdatePrimaryRegion": Says("keyId primaryRegion", "keyId"),
    "InjectFault": Says("error principal", "faultId", ""),
    "ListInjectedFaults": uses("", resources=""),
    "RemoveInjectedFault": Says("faultId", "", ""),
}  # fmt: skip
# What is refused, for there are no custom key stores.
STORES = {
    "CreateCustomKeyStore": Says("customKeyStoreName clusterId", "", "", beside={"CloudHsmClusterId": "cluster-abcdefghijk"}),
    "ConnectCustomKeyStore": Says("customKeyStoreId", "", ""),
    "DisconnectCustomKeyStore": Says("customKeyStoreId", "", ""),
    "DeleteCustomKeyStore": Says("customKeyStoreId", "", ""),
    "UpdateCustomKeyStore": Says(
        "customKeyStoreId clusterId", "", "", beside={"CloudHsmClusterId": "cluster-abcdefghijk"}
    ),
}  # fmt: skip


def called(service: Service, row: str, **beside: Any) -> list[Record]:
    """The records of a call of the operation of a row."""
    operation = find("kms", row.partition(" ")[0])
    members = of_kms(service, row) | beside
    return ask(service, operation, body_of(operation, members)).records


def here(records: list[Record]) -> Record:
    """The record of the Region that was asked."""
    return next(one for one in records if one["awsRegion"] == REGION)


def names(found: dict[str, Any] | None) -> list[str]:
    return sorted(found or {})


def test_every_operation_has_its_row() -> None:
    rows = {row for row in MATRIX if " of " not in row and row not in {"ReEncrypt to", "UpdateAlias to"}}
    assert {*ROWS, *STORES} == rows | WITHOUT_KEY


@pytest.mark.parametrize("row", [*ROWS, *STORES])
def test_what_the_record_says(service: Service, row: str) -> None:
    says = {**ROWS, **STORES}[row]
    beside = {name: value for name, value in says.beside.items() if value is not None}
    if "Policy" in says.beside:
        key = service.key()["KeyId"]
        beside["Policy"] = service.ok("GetKeyPolicy", KeyId=key)["Policy"]
    record = here(called(service, row, **beside))
    assert ("errorCode" in record) is (row in STORES)
    assert record["readOnly"] is says.reads
    assert names(record["requestParameters"]) == sorted(says.parameters.split())
    assert (record["requestParameters"] is None) is (not says.parameters)
    assert names(record["responseElements"]) == sorted(says.elements.split())
    assert (record["responseElements"] is None) is (not says.elements)
    types = [one["type"].rpartition(":")[2] for one in record.get("resources", [])]
    assert types == says.resources.split()
    assert names(record.get("additionalEventData")) == sorted(says.additional.split())


def test_an_identifier_is_as_it_was_sent(service: Service) -> None:
    key = service.key()
    service.ok("CreateAlias", AliasName="alias/as-sent", TargetKeyId=key["KeyId"])
    operation = find("kms", "DescribeKey")
    for sent in (key["KeyId"], key["Arn"], "alias/as-sent", alias_arn(REGION, ACCOUNT, "alias/as-sent")):
        record = ask(service, operation, body_of(operation, {"KeyId": sent})).record
        assert record["requestParameters"] == {"keyId": sent}
        assert [one["ARN"] for one in record["resources"]] == [key["Arn"]]


def test_names_in_encryption_contexts_stay_as_they_are(service: Service) -> None:
    [record] = called(service, "Encrypt", EncryptionContext={"Tenant": "T", "shard": "s"})
    assert record["requestParameters"]["encryptionContext"] == {"Tenant": "T", "shard": "s"}
    constraints = {"EncryptionContextSubset": {"Tenant": "T"}, "EncryptionContextEquals": {"Shard": "S"}}
    for name, context in constraints.items():
        [record] = called(service, "CreateGrant", Operations=["Decrypt"], Constraints={name: context})
        assert record["requestParameters"]["constraints"] == {name[0].lower() + name[1:]: context}


def test_dates_are_text_without_a_leading_zero(service: Service) -> None:
    record = ask(service, find("kms", "CreateKey"), b"{}").record
    pattern = r"[A-Z][a-z]{2} [1-9][0-9]?, 20[0-9]{2}, (1[0-2]|[1-9]):[0-5][0-9]:[0-5][0-9] [AP]M"
    assert_matches(pattern, record["responseElements"]["keyMetadata"]["creationDate"])
    assert record["responseElements"]["keyMetadata"]["aWSAccountId"] == ACCOUNT
    [record] = called(service, "ScheduleKeyDeletion", PendingWindowInDays=7)
    assert_matches(pattern, record["responseElements"]["deletionDate"])
    key_id = service.key(**imported.EXTERNAL)["KeyId"]
    members = imported.members(service, key_id) | {
        "ExpirationModel": "KEY_MATERIAL_EXPIRES",
        "ValidTo": 1_797_000_000,
    }
    operation = find("kms", "ImportKeyMaterial")
    record = ask(service, operation, body_of(operation, members)).record
    assert record["requestParameters"]["validTo"] == "Dec 11, 2026, 2:40:00 PM"


def assert_matches(pattern: str, text: str) -> None:
    assert re.fullmatch(pattern, text), text


def test_a_dry_run(service: Service) -> None:
    for row in ("Encrypt", "Sign", "GenerateDataKeyPair", "CreateGrant", "RevokeGrant", "RetireGrant"):
        [record] = called(service, row, DryRun=True)
        assert record["errorCode"] == "DryRunOperationException"
        assert record["errorMessage"] == "The request would have succeeded, but the DryRun option is set."
        assert record["requestParameters"]["dryRun"] is True
        assert record["responseElements"] is None
    assert "keyMaterialId" in called(service, "Encrypt", DryRun=True)[0]["additionalEventData"]


def test_a_replica_is_made_in_its_own_region_too(service: Service) -> None:
    records = called(service, "ReplicateKey")
    primary = here(records)["resources"][0]["ARN"]
    [created] = [one for one in records if one["awsRegion"] == "eu-central-1"]
    assert len(records) == 2
    assert created["eventName"] == "CreateKey"
    replica = primary.replace(REGION, "eu-central-1")
    assert [one["ARN"] for one in created["resources"]] == [replica]
    assert created["responseElements"]["keyMetadata"]["arn"] == replica
    assert created["requestParameters"]["multiRegion"] is True
    assert created["userIdentity"] == here(records)["userIdentity"]
    assert created["requestID"] == here(records)["requestID"]
    assert created["eventID"] != here(records)["eventID"]


def test_each_region_has_a_record_of_a_new_primary(service: Service) -> None:
    records = called(service, "UpdatePrimaryRegion")
    [there] = [one for one in records if one["awsRegion"] == REPLICA_REGION]
    assert len(records) == 2
    assert there["eventName"] == "UpdatePrimaryRegion"
    assert "resources" not in there
    assert there["requestParameters"]["primaryRegion"] == REPLICA_REGION
    assert [one["ARN"] for one in here(records)["resources"]] == [there["requestParameters"]["keyId"]]


def test_a_primary_waits_for_its_replicas(service: Service) -> None:
    key = service.key(MultiRegion=True)
    service.ok("ReplicateKey", KeyId=key["KeyId"], ReplicaRegion=REPLICA_REGION)
    operation = find("kms", "ScheduleKeyDeletion")
    record = ask(service, operation, body_of(operation, {"KeyId": key["KeyId"]})).record
    assert record["responseElements"] == {
        "keyId": key["Arn"], "keyState": "PendingReplicaDeletion", "pendingWindowInDays": 30,
    }  # fmt: skip


def test_rotations_and_deletions_are_service_events(service: Service) -> None:
    key = service.key()
    service.ok("RotateKeyOnDemand", KeyId=key["KeyId"])
    service.ok("EnableKeyRotation", KeyId=key["KeyId"], RotationPeriodInDays=90)
    service.advance(91 * 86_400)
    rotated = [one for one in of_event(service, "RotateKey") if one["resources"][0]["ARN"] == key["Arn"]]
    assert [one["serviceEventDetails"]["rotationType"] for one in rotated] == ["ON_DEMAND", "AUTOMATIC"]
    assert names(rotated[0]["serviceEventDetails"]) == [
        "currentKeyMaterialId", "keyId", "keyOrigin", "previousKeyMaterialId", "rotationType",
    ]  # fmt: skip
    service.ok("ScheduleKeyDeletion", KeyId=key["KeyId"], PendingWindowInDays=7)
    service.advance(8 * 86_400)
    [deleted] = [one for one in of_event(service, "DeleteKey") if one["resources"][0]["ARN"] == key["Arn"]]
    assert deleted["serviceEventDetails"] == {"keyId": key["KeyId"]}
    for event in (*rotated, deleted):
        assert violations(event) == []
        assert event["eventType"] == "AwsServiceEvent"


def test_material_that_expires_is_a_service_event(service: Service) -> None:
    key = service.key(**imported.EXTERNAL)
    until = service._worker.state.clock.now() + 86_400
    members = imported.members(service, key["KeyId"]) | {
        "ExpirationModel": "KEY_MATERIAL_EXPIRES",
        "ValidTo": until,
    }
    service.ok("ImportKeyMaterial", **members)
    service.advance(2 * 86_400)
    found = of_event(service, "DeleteExpiredKeyMaterial", resources=(key["Arn"],))
    assert [one["serviceEventDetails"] for one in found] == [{"keyId": key["KeyId"]}]
    assert violations(found[0]) == []
