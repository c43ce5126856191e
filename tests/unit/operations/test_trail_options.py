"""Where trails may deliver to, under which keys, and what there is none of."""

from dataclasses import replace
from typing import Any

import pytest

from kms_server import errors as e
from kms_server.keys.states import KeyState
from kms_server.storage.trails import Trail
from tests.unit.operations.query_service import user
from tests.unit.operations.service import ACCOUNT, REGION
from tests.unit.operations.trail_service import BUCKET, ELSEWHERE, CloudTrail

ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail"


@pytest.mark.parametrize(
    "bucket", ["", "ab", "a" * 64, "Upper", "under_score", "-a-b", "a..b", "192.168.5.4", "a/b"]
)
def test_bad_buckets(client: CloudTrail, bucket: str) -> None:
    assert client.code("CreateTrail", Name="abc", S3BucketName=bucket) == "InvalidS3BucketNameException"
    client.create("abc")
    assert client.code("UpdateTrail", Name="abc", S3BucketName=bucket) == "InvalidS3BucketNameException"


@pytest.mark.parametrize(
    "prefix",
    [
        "a" * 201,
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        "./a",
        "a\nb",
        "a\x7f",
        "AWSLogs",
        "AWSLogs/1",
        "a/AWSLogs",
    ],
)
def test_bad_prefixes(client: CloudTrail, prefix: str) -> None:
    members = {"Name": "abc", "S3BucketName": BUCKET, "S3KeyPrefix": prefix}
    assert client.code("CreateTrail", **members) == "InvalidS3PrefixException"


def test_the_longest_prefix(client: CloudTrail) -> None:
    assert client.create("abc", S3KeyPrefix="a" * 200)["S3KeyPrefix"] == "a" * 200


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"SnsTopicName": "topic"}, "UnsupportedOperationException"),
        ({"CloudWatchLogsLogGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"}, "CloudWatchLogsDeliveryUnavailableException"),
        ({"CloudWatchLogsRoleArn": "arn:aws:iam::000000000000:role/r"}, "CloudWatchLogsDeliveryUnavailableException"),
        ({"IsOrganizationTrail": True}, "OrganizationsNotInUseException"),
        ({"RecursiveLogging": False}, "UnsupportedOperationException"),
        ({"IsMultiRegionTrail": True, "IncludeGlobalServiceEvents": False}, "InvalidParameterCombinationException"),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)  # fmt: skip
def test_what_there_is_none_of_is_refused(client: CloudTrail, members: dict[str, Any], code: str) -> None:
    assert client.code("CreateTrail", Name="abc", S3BucketName=BUCKET, **members) == code
    client.create("abc")
    before = client.stored("abc")
    assert client.code("UpdateTrail", Name="abc", **members) == code
    assert client.stored("abc") == before


def test_keys_by_all_their_names(client: CloudTrail) -> None:
    key = client.service.key()
    client.service.ok("CreateAlias", AliasName="alias/trail", TargetKeyId=key["KeyId"])
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/trail"
    client.create("abc")
    for identifier in (key["KeyId"], key["Arn"], "alias/trail", alias):
        assert client.ok("UpdateTrail", Name="abc", KmsKeyId=identifier)["KmsKeyId"] == key["Arn"]
    client.service.ok("DeleteAlias", AliasName="alias/trail")


def test_keys_that_are_none(client: CloudTrail) -> None:
    unknown = "12345678-1234-1234-1234-123456789012"
    stranger = client.service.account("111122223333")
    foreign = client.service.ok("CreateKey", by=stranger)["KeyMetadata"]["Arn"]
    for identifier, code in (
        (unknown, "KmsKeyNotFoundException"),
        (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{unknown}", "KmsKeyNotFoundException"),
        (f"arn:aws:kms:{ELSEWHERE}:{ACCOUNT}:key/{unknown}", "KmsKeyNotFoundException"),
        ("alias/none", "KmsKeyNotFoundException"),
        ("alias/aws/sns", "KmsKeyNotFoundException"),
        (foreign, "KmsKeyNotFoundException"),
        ("nothing", "InvalidKmsKeyIdException"),
        (f"arn:aws:s3:{REGION}:{ACCOUNT}:key/{unknown}", "InvalidKmsKeyIdException"),
    ):
        members = {"Name": "abc", "S3BucketName": BUCKET, "KmsKeyId": identifier}
        assert client.code("CreateTrail", **members) == code, identifier


def test_keys_that_do_not_fit(client: CloudTrail) -> None:
    service = client.service
    disabled, doomed = service.key()["KeyId"], service.key()["KeyId"]
    service.ok("DisableKey", KeyId=disabled)
    service.ok("ScheduleKeyDeletion", KeyId=doomed)
    mac = service.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyId"]
    pair = service.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyId"]
    assert service.state_of(disabled) == KeyState.DISABLED
    client.create("abc")
    for identifier in (disabled, doomed, mac, pair):
        assert client.code("UpdateTrail", Name="abc", KmsKeyId=identifier) == "KmsException"
        assert client.code("CreateTrail", Name="new", S3BucketName=BUCKET, KmsKeyId=identifier) == "KmsException"  # fmt: skip
    managed = service.ok("DescribeKey", KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    assert client.code("UpdateTrail", Name="abc", KmsKeyId=managed) == "InsufficientEncryptionPolicyException"  # fmt: skip


def test_the_bucket_is_looked_at_where_it_changes(
    client: CloudTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Trail] = []

    def check(trail: Trail) -> None:
        seen.append(trail)
        if trail.bucket == "missing":
            raise e.S3BucketDoesNotExistException("There is none.")

    pipeline = client.service._worker.pipeline
    monkeypatch.setattr(pipeline, "_services", replace(pipeline._services, bucket_check=check))
    client.create("abc", S3KeyPrefix="a")
    client.ok("UpdateTrail", Name="abc", EnableLogFileValidation=False)
    assert [(one.bucket, one.prefix, one.arn) for one in seen] == [(BUCKET, "a", f"{ARN}/abc")]
    missing = {"Name": "new", "S3BucketName": "missing"}
    assert client.code("UpdateTrail", **missing | {"Name": "abc"}) == "S3BucketDoesNotExistException"
    assert client.code("CreateTrail", **missing) == "S3BucketDoesNotExistException"
    assert client.stored("abc").bucket == BUCKET
    _, nobody = user(client.service, "bucketless")
    assert client.code("CreateTrail", **missing, by=nobody) == "AccessDeniedException"
    assert [one.bucket for one in seen] == [BUCKET, "missing", "missing"]
