"""Trails by boto3: from creation to deletion, in several Regions, by several accounts."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.s3_client import new_bucket
from tests.functional.server_process import ServerProcess

ACCOUNT, REGION, ELSEWHERE = "000000000000", "us-east-1", "eu-central-1"


def arn(name: str, region: str = REGION, account: str = ACCOUNT) -> str:
    return f"arn:aws:cloudtrail:{region}:{account}:trail/{name}"


def remove_all(client: Any) -> None:
    for trail in client.describe_trails(includeShadowTrails=False)["trailList"]:
        client.delete_trail(Name=trail["Name"])


@pytest.fixture(scope="module")
def bucket(s3: Any) -> str:
    """A bucket that CloudTrail may write to, as its guide has the policy."""
    name = new_bucket(s3)
    service, arn = {"Service": "cloudtrail.amazonaws.com"}, f"arn:aws:s3:::{name}"
    statements = [
        {"Effect": "Allow", "Principal": service, "Action": "s3:GetBucketAcl", "Resource": arn},
        {"Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": f"{arn}/*"},
    ]
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    return name


@pytest.fixture
def trail(server: ServerProcess) -> Iterator[Any]:
    client = server.client("cloudtrail")
    yield client
    remove_all(client)


@pytest.fixture
def elsewhere(server: ServerProcess) -> Iterator[Any]:
    client = server.client("cloudtrail", region_name=ELSEWHERE)
    yield client
    remove_all(client)


def test_a_trail_from_its_creation_to_its_end(trail: Any, bucket: str, key: str) -> None:
    made = trail.create_trail(
        Name="whole", S3BucketName=bucket, S3KeyPrefix="logs", KmsKeyId=key, EnableLogFileValidation=True,
        TagsList=[{"Key": "team", "Value": "hr"}],
    )  # fmt: skip
    assert (made["TrailARN"], made["KmsKeyId"], made["LogFileValidationEnabled"]) == (arn("whole"), key, True)
    assert not trail.get_trail_status(Name="whole")["IsLogging"]
    trail.start_logging(Name="whole")
    status = trail.get_trail_status(Name=arn("whole"))
    assert status["IsLogging"]
    assert status["TimeLoggingStarted"] == f"{status['StartLoggingTime']:%Y-%m-%dT%H:%M:%SZ}"
    trail.stop_logging(Name="whole")
    status = trail.get_trail_status(Name="whole")
    assert not status["IsLogging"]
    assert status["StopLoggingTime"] >= status["StartLoggingTime"]
    changed = trail.update_trail(Name="whole", S3KeyPrefix="", KmsKeyId="")
    assert not changed.keys() & {"S3KeyPrefix", "KmsKeyId"}
    (shown,) = trail.describe_trails(trailNameList=["whole"])["trailList"]
    assert shown == trail.get_trail(Name="whole")["Trail"]
    assert shown["HomeRegion"] == REGION
    trail.delete_trail(Name="whole")
    with pytest.raises(
        trail.exceptions.TrailNotFoundException, match=r"Unknown trail: .*/whole for the user"
    ):
        trail.get_trail(Name="whole")


def test_a_trail_of_all_regions_is_changed_at_home(trail: Any, elsewhere: Any, bucket: str) -> None:
    trail.create_trail(Name="everywhere", S3BucketName=bucket, IsMultiRegionTrail=True)
    elsewhere.create_trail(Name="there", S3BucketName=bucket)
    shown = [one["TrailARN"] for one in elsewhere.describe_trails()["trailList"]]
    assert shown == [arn("there", ELSEWHERE), arn("everywhere")]
    assert elsewhere.get_trail(Name=arn("everywhere"))["Trail"]["HomeRegion"] == REGION
    with pytest.raises(elsewhere.exceptions.InvalidHomeRegionException):
        elsewhere.start_logging(Name=arn("everywhere"))
    pages = trail.get_paginator("list_trails").paginate()
    assert [(one["Name"], one["HomeRegion"]) for page in pages for one in page["Trails"]] == [
        ("there", ELSEWHERE),
        ("everywhere", REGION),
    ]
    elsewhere.delete_trail(Name="there")


def test_event_selectors(trail: Any, bucket: str) -> None:
    trail.create_trail(Name="choosing", S3BucketName=bucket)
    (default,) = trail.get_event_selectors(TrailName="choosing")["EventSelectors"]
    assert default == {
        "ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": [],
    }  # fmt: skip
    selectors = [{
        "Name": "writes in one bucket",
        "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]},
            {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
            {"Field": "readOnly", "Equals": ["false"]},
            {"Field": "resources.ARN", "StartsWith": [f"arn:aws:s3:::{bucket}/"]},
        ],
    }]  # fmt: skip
    trail.put_event_selectors(TrailName="choosing", AdvancedEventSelectors=selectors)
    told = trail.get_event_selectors(TrailName=arn("choosing"))
    assert told["AdvancedEventSelectors"] == selectors
    assert "EventSelectors" not in told
    assert trail.get_trail(Name="choosing")["Trail"]["HasCustomEventSelectors"]
    wrong = [{"DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::*"]}]}]
    with pytest.raises(trail.exceptions.InvalidEventSelectorsException, match="is invalid"):
        trail.put_event_selectors(TrailName="choosing", EventSelectors=wrong)


def test_tags(trail: Any, bucket: str) -> None:
    trail.create_trail(Name="labelled", S3BucketName=bucket)
    trail.add_tags(ResourceId=arn("labelled"), TagsList=[{"Key": "a", "Value": "1"}, {"Key": "b"}])
    trail.remove_tags(ResourceId=arn("labelled"), TagsList=[{"Key": "a"}])
    pages = trail.get_paginator("list_tags").paginate(ResourceIdList=[arn("labelled")])
    (told,) = [one for page in pages for one in page["ResourceTagList"]]
    assert told == {"ResourceId": arn("labelled"), "TagsList": [{"Key": "b"}]}


def test_public_keys(trail: Any, bucket: str) -> None:
    trail.create_trail(Name="signed", S3BucketName=bucket, EnableLogFileValidation=True)
    pages = trail.get_paginator("list_public_keys").paginate()
    (key,) = [one for page in pages for one in page["PublicKeyList"]]
    assert hashlib.md5(key["Value"], usedforsecurity=False).hexdigest() == key["Fingerprint"]
    assert (key["ValidityEndTime"] - key["ValidityStartTime"]).days == 30


def test_every_call_is_in_the_log_at_once(trail: Any, bucket: str) -> None:
    trail.create_trail(Name="logged", S3BucketName=bucket)
    trail.start_logging(Name="logged")
    attribute = {"AttributeKey": "ResourceName", "AttributeValue": arn("logged")}
    events = trail.lookup_events(LookupAttributes=[attribute])["Events"]
    assert [event["EventName"] for event in events] == ["StartLogging", "CreateTrail"]
    assert events[0]["Resources"] == [
        {"ResourceType": "AWS::CloudTrail::Trail", "ResourceName": arn("logged")}
    ]


def test_accounts_have_trails_of_their_own(server: ServerProcess, trail: Any, bucket: str) -> None:
    other = server.account_client("cloudtrail", "222233334444")
    trail.create_trail(Name="same", S3BucketName=bucket, IsMultiRegionTrail=True)
    assert other.describe_trails()["trailList"] == []
    with pytest.raises(other.exceptions.CloudTrailARNInvalidException):
        other.get_trail(Name=arn("same"))
    with pytest.raises(other.exceptions.TrailNotFoundException):
        other.stop_logging(Name="same")


def test_there_are_five_however_many_come_at_once(trail: Any, bucket: str) -> None:
    def create(number: int) -> str:
        try:
            trail.create_trail(Name=f"crowd{number}", S3BucketName=bucket)
        except ClientError as error:
            code: str = error.response["Error"]["Code"]
            return code
        return "made"

    with ThreadPoolExecutor(8) as threads:
        told = sorted(threads.map(create, range(8)))
    assert told == ["MaximumNumberOfTrailsExceededException"] * 3 + ["made"] * 5
    assert len(trail.list_trails()["Trails"]) == 5


def test_trails_outlive_the_server(server: ServerProcess, trail: Any, bucket: str) -> None:
    trail.create_trail(Name="lasting", S3BucketName=bucket, EnableLogFileValidation=True)
    trail.start_logging(Name="lasting")
    shown = trail.get_trail(Name="lasting")["Trail"]
    keys = trail.list_public_keys()["PublicKeyList"]
    assert server.stop() == 0
    server.restart()
    assert trail.get_trail(Name="lasting")["Trail"] == shown
    assert trail.get_trail_status(Name="lasting")["IsLogging"]
    assert trail.list_public_keys()["PublicKeyList"] == keys


def test_users_need_the_action(server: ServerProcess, trail: Any, bucket: str) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "cloudtrail:Get*", "Resource": arn("readable")}],
    }
    reader = server.user_client("cloudtrail", "trail-reader", policy)
    trail.create_trail(Name="readable", S3BucketName=bucket)
    assert reader.get_trail(Name="readable")["Trail"]["Name"] == "readable"
    with pytest.raises(ClientError, match="not authorized to perform: cloudtrail:StopLogging on resource: "):
        reader.stop_logging(Name="readable")
