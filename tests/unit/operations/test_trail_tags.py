"""AddTags, RemoveTags, ListTags."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.operations.query_service import allow, user
from tests.unit.operations.service import ACCOUNT, REGION, Refusal
from tests.unit.operations.trail_service import BUCKET, ELSEWHERE, CloudTrail

ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/abc"


@pytest.fixture
def client(client: CloudTrail) -> CloudTrail:
    client.create("abc")
    return client


def tags(client: CloudTrail, arn: str = ARN) -> dict[str, str]:
    (found,) = client.ok("ListTags", ResourceIdList=[arn])["ResourceTagList"]
    assert found["ResourceId"] == arn
    return {tag["Key"]: tag.get("Value", "") for tag in found["TagsList"]}


def numbered(numbers: Sequence[int]) -> list[dict[str, Any]]:
    return [{"Key": f"key{number}", "Value": "v"} for number in numbers]


def test_tags_come_change_and_go(client: CloudTrail) -> None:
    assert tags(client) == {}
    given = [{"Key": "team", "Value": "hr"}, {"Key": "Team", "Value": "\u00fc 1 _.:/=+-@"}, {"Key": "none"}]
    assert client.ok("AddTags", ResourceId=ARN, TagsList=given) == {}
    assert tags(client) == {"team": "hr", "Team": "\u00fc 1 _.:/=+-@", "none": ""}
    client.ok("AddTags", ResourceId=ARN, TagsList=[{"Key": "team", "Value": "it"}])
    assert client.ok("RemoveTags", ResourceId=ARN, TagsList=[{"Key": "none"}, {"Key": "gone"}]) == {}
    assert tags(client) == {"team": "it", "Team": "\u00fc 1 _.:/=+-@"}
    record = client.record("AddTags")
    assert record["requestParameters"] == {"resourceId": ARN, "tagsList": [{"key": "team", "value": "it"}]}
    assert record["responseElements"] is None
    assert [one["ARN"] for one in record["resources"]] == [ARN]


def test_tags_of_several_trails(client: CloudTrail) -> None:
    other = client.create("other", TagsList=[{"Key": "a", "Value": "b"}])["TrailARN"]
    told = client.ok("ListTags", ResourceIdList=[other, ARN, other])["ResourceTagList"]
    assert told == [
        {"ResourceId": other, "TagsList": [{"Key": "a", "Value": "b"}]},
        {"ResourceId": ARN, "TagsList": []},
    ]
    assert client.ok("ListTags", ResourceIdList=[]) == {"ResourceTagList": []}
    assert client.code("ListTags", ResourceIdList=[ARN] * 21) == "ValidationException"
    assert client.ok("ListTags", ResourceIdList=[ARN] * 20)
    assert client.code("ListTags", ResourceIdList=[ARN], NextToken="x") == "InvalidTokenException"


def test_fifty_are_the_most(client: CloudTrail) -> None:
    client.ok("AddTags", ResourceId=ARN, TagsList=numbered(range(49)))
    more = numbered(range(40, 51))
    assert client.code("AddTags", ResourceId=ARN, TagsList=more) == "TagsLimitExceededException"
    client.ok("AddTags", ResourceId=ARN, TagsList=numbered(range(40, 50)))
    assert len(tags(client)) == 50
    members = {"S3BucketName": BUCKET, "TagsList": numbered(range(51))}
    assert client.code("CreateTrail", Name="more", **members) == "TagsLimitExceededException"
    client.create("most", TagsList=numbered(range(50)))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ([{"Key": "a"}, {"Key": "a", "Value": "b"}], "InvalidTagParameterException"),
        ([{"Key": "aws:a", "Value": "b"}], "InvalidTagParameterException"),
        ([{"Key": "AWS:a", "Value": "b"}], "InvalidTagParameterException"),
        ([{"Key": "a*", "Value": "b"}], "InvalidTagParameterException"),
        ([{"Key": "a", "Value": "<b>"}], "InvalidTagParameterException"),
        ([{"Key": "", "Value": "b"}], "ValidationException"),
        ([{"Key": "a" * 129, "Value": "b"}], "ValidationException"),
        ([{"Key": "a", "Value": "b" * 257}], "ValidationException"),
        (numbered(range(201)), "ValidationException"),
    ],
    ids=["double", "aws", "AWS", "star", "angle", "empty", "long-key", "long-value", "many"],
)
def test_bad_tags(client: CloudTrail, wrong: list[dict[str, str]], code: str) -> None:
    assert client.code("AddTags", ResourceId=ARN, TagsList=wrong) == code
    assert client.code("CreateTrail", Name="new", S3BucketName=BUCKET, TagsList=wrong) == code
    assert client.code("RemoveTags", ResourceId=ARN, TagsList=wrong) == code
    assert tags(client) == {}


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ("abc", "CloudTrailARNInvalidException"),
        (f"arn:aws:s3:{REGION}:{ACCOUNT}:trail/abc", "CloudTrailARNInvalidException"),
        (f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:thing/abc", "CloudTrailARNInvalidException"),
        (f"arn:aws:cloudtrail:{REGION}:111122223333:trail/abc", "CloudTrailARNInvalidException"),
        (f"arn:aws:cloudtrail:{ELSEWHERE}:{ACCOUNT}:trail/abc", "CloudTrailARNInvalidException"),
        (f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:eventdatastore/abc", "ResourceTypeNotSupportedException"),
        (f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:channel/abc", "ResourceTypeNotSupportedException"),
        (f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/none", "ResourceNotFoundException"),
    ],
)
def test_what_has_no_tags(client: CloudTrail, resource: str, code: str) -> None:
    for operation in ("AddTags", "RemoveTags"):
        assert client.code(operation, ResourceId=resource, TagsList=[{"Key": "a"}]) == code
    assert client.code("ListTags", ResourceIdList=[ARN, resource]) == code


def test_the_texts_of_arns(client: CloudTrail) -> None:
    elsewhere = f"arn:aws:cloudtrail:{ELSEWHERE}:{ACCOUNT}:trail/abc"
    assert client.refused("ListTags", ResourceIdList=[elsewhere]) == Refusal(
        "CloudTrailARNInvalidException",
        f"Region in ARN is wrong, you can only access resources in region {REGION}.",
    )
    stranger = client.service.account("111122223333")
    assert client.refused("ListTags", ResourceIdList=[ARN], by=stranger) == Refusal(
        "CloudTrailARNInvalidException", "You must specify an ARN that the caller account can access."
    )


def test_policies_ask_for_the_tags_that_are_sent(client: CloudTrail) -> None:
    condition = {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}
    _, limited = user(client.service, "limited", allow("cloudtrail:*Tags", Condition=condition))
    client.ok("AddTags", ResourceId=ARN, TagsList=[{"Key": "a", "Value": "1"}, {"Key": "b"}], by=limited)
    assert client.code("AddTags", ResourceId=ARN, TagsList=[{"Key": "c"}], by=limited) == "AccessDeniedException"  # fmt: skip
    assert client.code("RemoveTags", ResourceId=ARN, TagsList=[{"Key": "c"}], by=limited) == "AccessDeniedException"  # fmt: skip
    client.ok("RemoveTags", ResourceId=ARN, TagsList=[{"Key": "a"}], by=limited)
    assert tags(client) == {"b": ""}
