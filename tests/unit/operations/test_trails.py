"""CreateTrail, UpdateTrail, DeleteTrail: names, what is kept, the answers and the records."""

import pytest

from kms_server.storage import trails
from tests.unit.operations.service import ACCOUNT, REGION, Refusal
from tests.unit.operations.trail_service import BUCKET, ELSEWHERE, CloudTrail

ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail"


def test_a_new_trail_has_the_defaults(client: CloudTrail) -> None:
    told = client.create("plain")
    assert told == {
        "Name": "plain", "S3BucketName": BUCKET, "IncludeGlobalServiceEvents": True, "IsMultiRegionTrail": False,
        "TrailARN": f"{ARN}/plain", "LogFileValidationEnabled": False, "IsOrganizationTrail": False,
        "RecursiveLogging": True,
    }  # fmt: skip
    kept = client.stored("plain")
    assert (kept.logging, kept.started_at, kept.selectors, kept.prefix, kept.kms_key) == (
        False,
        None,
        None,
        "",
        None,
    )


def test_a_new_trail_has_what_it_is_told(client: CloudTrail) -> None:
    key = client.service.key()
    told = client.create(
        "told", S3KeyPrefix="a/b", IsMultiRegionTrail=True, EnableLogFileValidation=True, KmsKeyId=key["KeyId"],
        TagsList=[{"Key": "team", "Value": "hr"}, {"Key": "empty"}], IncludeGlobalServiceEvents=True,
        SnsTopicName="", CloudWatchLogsLogGroupArn="", CloudWatchLogsRoleArn="", IsOrganizationTrail=False,
        RecursiveLogging=True,
    )  # fmt: skip
    assert told == {
        "Name": "told", "S3BucketName": BUCKET, "S3KeyPrefix": "a/b", "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": True, "TrailARN": f"{ARN}/told", "LogFileValidationEnabled": True, "KmsKeyId": key["Arn"],
        "IsOrganizationTrail": False, "RecursiveLogging": True,
    }  # fmt: skip
    (tags,) = client.ok("ListTags", ResourceIdList=[told["TrailARN"]])["ResourceTagList"]
    assert tags["TagsList"] == [{"Key": "empty"}, {"Key": "team", "Value": "hr"}]


@pytest.mark.parametrize("name", ["abc", "a" * 128, "A.b_c-9", "1.2.3", "1.2.3.4.5", "1234.1.1.1"])
def test_good_names(client: CloudTrail, name: str) -> None:
    assert client.create(name)["Name"] == name


@pytest.mark.parametrize(
    "name",
    ["", "ab", "a" * 129, "-abc", "abc.", "a b c", "a/b", "\u00e4bc", "my-_space", "my--space", "my..space", "192.168.5.4"],
)  # fmt: skip
def test_bad_names(client: CloudTrail, name: str) -> None:
    assert client.code("CreateTrail", Name=name, S3BucketName=BUCKET) == "InvalidTrailNameException"
    assert client.code("GetTrail", Name=name) == "InvalidTrailNameException"


def test_the_texts_of_bad_names(client: CloudTrail) -> None:
    assert client.refused("GetTrail", Name="ab") == Refusal(
        "InvalidTrailNameException",
        "Trail name too short. Minimum allowed length: 3 characters. Specified name length: 2 characters.",
    )
    assert client.refused("GetTrail", Name="a" * 129).text == (
        "Trail name too long. Maximum allowed length: 128 characters. Specified name length: 129 characters."
    )


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:cloudtrail", "arn:aws:s3:us-east-1:000000000000:trail/abc", "arn:aws-cn:cloudtrail:us-east-1:000000000000:trail/abc",
        "arn:aws:cloudtrail:nowhere:000000000000:trail/abc", "arn:aws:cloudtrail:us-east-1:111122223333:trail/abc",
        "arn:aws:cloudtrail:us-east-1:000000000000:channel/abc", "arn:aws:cloudtrail:us-east-1::trail/abc",
    ],
)  # fmt: skip
def test_bad_arns(client: CloudTrail, arn: str) -> None:
    for operation in ("GetTrail", "DeleteTrail"):
        assert client.code(operation, Name=arn) == "CloudTrailARNInvalidException"
    assert client.code("DescribeTrails", trailNameList=[arn]) == "CloudTrailARNInvalidException"


@pytest.mark.parametrize("operation", ["GetTrail", "GetTrailStatus", "UpdateTrail", "DeleteTrail", "StartLogging", "StopLogging"])  # fmt: skip
def test_unknown_trails(client: CloudTrail, operation: str) -> None:
    expected = Refusal("TrailNotFoundException", f"Unknown trail: {ARN}/none for the user: {ACCOUNT}")
    assert client.refused(operation, Name="none") == expected
    assert client.refused(operation, Name=f"{ARN}/none") == expected


def test_names_are_unique_in_a_region(client: CloudTrail) -> None:
    client.create("abc")
    assert client.code("CreateTrail", Name="abc", S3BucketName=BUCKET) == "TrailAlreadyExistsException"
    client.ok("CreateTrail", Name="abc", S3BucketName=BUCKET, region=ELSEWHERE)
    client.ok("CreateTrail", Name="all", S3BucketName=BUCKET, region=ELSEWHERE, IsMultiRegionTrail=True)
    assert client.code("CreateTrail", Name="all", S3BucketName=BUCKET) == "TrailAlreadyExistsException"
    client.ok("CreateTrail", Name="one", S3BucketName=BUCKET, region=ELSEWHERE)
    members = {"Name": "one", "S3BucketName": BUCKET, "IsMultiRegionTrail": True}
    assert client.code("CreateTrail", **members) == "TrailAlreadyExistsException"


def test_a_region_has_five_trails_with_the_shadows_of_others(client: CloudTrail) -> None:
    for number in range(4):
        client.create(f"trail{number}")
    client.ok("CreateTrail", Name="all", S3BucketName=BUCKET, region=ELSEWHERE, IsMultiRegionTrail=True)
    assert client.refused("CreateTrail", Name="more", S3BucketName=BUCKET) == Refusal(
        "MaximumNumberOfTrailsExceededException", f"User: {ACCOUNT} already has 5 trails in {REGION}."
    )
    client.ok("CreateTrail", Name="more", S3BucketName=BUCKET, region=ELSEWHERE)
    client.ok("DeleteTrail", Name="trail0")
    client.create("more")


def test_a_deleted_trail_stays_for_its_delivery_and_leaves_its_name(client: CloudTrail) -> None:
    client.create("abc")
    first = client.stored("abc")
    client.ok("StartLogging", Name="abc")
    assert client.ok("DeleteTrail", Name="abc") == {}
    assert client.code("GetTrail", Name="abc") == "TrailNotFoundException"
    client.create("abc")
    with client.service.database.read() as connection:
        kept = {one.trail_id: one for one in trails.every(connection)}
    deleted = kept[first.trail_id]
    assert deleted.deleted_at is not None
    assert deleted.stopped_at == deleted.deleted_at
    assert not deleted.logging
    assert len(kept) == 2


def test_changes_leave_the_rest_as_it_was(client: CloudTrail) -> None:
    key = client.service.key()["Arn"]
    client.create("abc", S3KeyPrefix="a", KmsKeyId=key, EnableLogFileValidation=True)
    before = client.stored("abc")
    told = client.ok("UpdateTrail", Name=f"{ARN}/abc", S3BucketName="another")
    assert (told["S3BucketName"], told["S3KeyPrefix"], told["KmsKeyId"]) == ("another", "a", key)
    told = client.ok("UpdateTrail", Name="abc", S3KeyPrefix="", KmsKeyId="", EnableLogFileValidation=False, IsMultiRegionTrail=True)  # fmt: skip
    assert told == {
        "Name": "abc", "S3BucketName": "another", "IncludeGlobalServiceEvents": True, "IsMultiRegionTrail": True,
        "TrailARN": f"{ARN}/abc", "LogFileValidationEnabled": False, "IsOrganizationTrail": False,
        "RecursiveLogging": True,
    }  # fmt: skip
    assert client.stored("abc").trail_id == before.trail_id
    assert client.code("UpdateTrail", Name="abc", IncludeGlobalServiceEvents=False) == "InvalidParameterCombinationException"  # fmt: skip


def test_records(client: CloudTrail) -> None:
    told = client.create("abc", S3KeyPrefix="a", TagsList=[{"Key": "team", "Value": "hr"}])
    record = client.record("CreateTrail")
    assert record["eventSource"] == "cloudtrail.amazonaws.com"
    assert not record["readOnly"]
    assert record["requestParameters"] == {
        "name": "abc", "s3BucketName": BUCKET, "s3KeyPrefix": "a", "tagsList": [{"key": "team", "value": "hr"}],
    }  # fmt: skip
    assert record["responseElements"] == {
        "name": "abc", "s3BucketName": BUCKET, "s3KeyPrefix": "a", "includeGlobalServiceEvents": True,
        "isMultiRegionTrail": False, "trailARN": told["TrailARN"], "logFileValidationEnabled": False,
        "isOrganizationTrail": False,
    }  # fmt: skip
    trail = {"accountId": ACCOUNT, "type": "AWS::CloudTrail::Trail", "ARN": told["TrailARN"]}
    assert record["resources"] == [trail]
    client.ok("UpdateTrail", Name="abc", S3BucketName="another")
    record = client.record("UpdateTrail")
    assert record["requestParameters"] == {"name": "abc", "s3BucketName": "another"}
    assert record["responseElements"]["s3BucketName"] == "another"
    client.ok("DeleteTrail", Name="abc")
    record = client.record("DeleteTrail")
    assert (record["requestParameters"], record["responseElements"]) == ({"name": "abc"}, None)
    assert record["resources"] == [trail]
    assert client.code("DeleteTrail", Name="abc") == "TrailNotFoundException"
    record = client.record("DeleteTrail")
    assert record["errorCode"] == "TrailNotFoundException"
    assert "resources" not in record


def test_both_forms_of_the_target(client: CloudTrail) -> None:
    assert client.ok("ListTrails", target="CloudTrail_20131101") == {"Trails": []}
