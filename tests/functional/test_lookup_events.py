"""LookupEvents as boto3 sees it: every attribute, pages, tokens, errors and its quota."""

import base64
import json
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.functional.server_process import ServerProcess, StartServer

OTHER = "111122223333"


def looked_up(
    trail: Any, attribute: str | None = None, value: str = "", **members: Any
) -> list[dict[str, Any]]:
    """All events, by boto3's paginator."""
    if attribute is not None:
        members["LookupAttributes"] = [{"AttributeKey": attribute, "AttributeValue": value}]
    pages = trail.get_paginator("lookup_events").paginate(**members)
    return [event for page in pages for event in page["Events"]]


def refusal(trail: Any, **members: Any) -> str:
    """The code of the error that LookupEvents gets."""
    with pytest.raises(ClientError) as refused:
        trail.lookup_events(**members)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(refused.value.response["Error"]["Code"])


def test_every_attribute_finds_a_call_at_once(server: ServerProcess) -> None:
    kms, trail = server.client("kms"), server.client("cloudtrail")
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName=f"alias/{arn[-12:]}", TargetKeyId=arn)
    [event] = [one for one in looked_up(trail, "ResourceName", arn) if one["EventName"] == "CreateAlias"]
    alias = arn.split(":key/")[0] + f":alias/{arn[-12:]}"
    named = {(one["ResourceType"], one["ResourceName"]) for one in event["Resources"]}
    assert named == {("AWS::KMS::Key", arn), ("AWS::KMS::Alias", alias)}
    assert event["ReadOnly"] == "false"
    record = json.loads(event["CloudTrailEvent"])
    assert record["eventID"] == event["EventId"]
    for attribute, value in {
        "EventId": event["EventId"],
        "EventName": "CreateAlias",
        "ReadOnly": "false",
        "Username": event["Username"],
        "ResourceType": "AWS::KMS::Alias",
        "ResourceName": alias,
        "EventSource": "kms.amazonaws.com",
        "AccessKeyId": event["AccessKeyId"],
    }.items():
        assert event in looked_up(trail, attribute, value), attribute
        assert looked_up(trail, attribute, f"{value}x") == []
    when = event["EventTime"]
    assert event in looked_up(trail, StartTime=when, EndTime=when)
    assert event not in looked_up(trail, StartTime=when.timestamp() + 1)
    assert event not in looked_up(trail, EndTime=when.timestamp() - 1)


def test_pages_are_newest_first_and_whole(server: ServerProcess) -> None:
    kms, trail = server.client("kms"), server.client("cloudtrail")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    for _ in range(60):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    asked = {"LookupAttributes": [{"AttributeKey": "ResourceName", "AttributeValue": key}]}
    assert len(trail.lookup_events(**asked)["Events"]) == 50
    for size in (7, 50):
        found = looked_up(trail, "ResourceName", key, PaginationConfig={"PageSize": size})
        identifiers = [event["EventId"] for event in found]
        assert len(identifiers) == 61
        assert identifiers == sorted(set(identifiers), reverse=True)
    last = trail.lookup_events(**asked, NextToken=trail.lookup_events(**asked)["NextToken"])
    assert len(last["Events"]) == 11
    assert "NextToken" not in last


def test_a_token_is_for_its_question_alone(server: ServerProcess) -> None:
    trail = server.client("cloudtrail")
    for _ in range(3):
        trail.lookup_events()
    asked = {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "LookupEvents"}],
        "MaxResults": 1, "StartTime": 1_700_000_000, "EndTime": 4_000_000_000,
    }  # fmt: skip
    token = trail.lookup_events(**asked)["NextToken"]
    assert trail.lookup_events(**asked, NextToken=token)["Events"]
    others: tuple[dict[str, Any], ...] = (
        {"MaxResults": 2}, {"StartTime": 1_700_000_001}, {"EndTime": 4_000_000_001},
        {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "CreateKey"}]},
        {"LookupAttributes": []}, {"EventCategory": "insight"},
    )  # fmt: skip
    for other in others:
        assert refusal(trail, **asked | other, NextToken=token) == "InvalidNextTokenException"
    elsewhere = server.client("cloudtrail", region_name="eu-west-1")
    stranger = server.account_client("cloudtrail", OTHER)
    for foreign in (elsewhere, stranger):
        assert refusal(foreign, **asked, NextToken=token) == "InvalidNextTokenException"
    bound = base64.urlsafe_b64decode(token).decode().partition("/")[0]
    for forged in ("x", "", "é", token[:-4], base64.b64encode(f"{bound}/short".encode()).decode(),
                   base64.b64encode(f"{bound}/{'0' * 35}\0".encode()).decode()):  # fmt: skip
        assert refusal(trail, **asked, NextToken=forged) == "InvalidNextTokenException"


def test_a_forged_position_shows_nothing_of_others(server: ServerProcess) -> None:
    trail, stranger = server.client("cloudtrail"), server.account_client("cloudtrail", OTHER)
    stranger.lookup_events(MaxResults=1)
    stranger.lookup_events(MaxResults=1)
    bound = (
        base64.urlsafe_b64decode(stranger.lookup_events(MaxResults=1)["NextToken"]).decode().partition("/")[0]
    )
    server.client("kms").list_keys()
    newest = trail.lookup_events(MaxResults=1)["Events"][0]["EventId"]
    forged = base64.b64encode(f"{bound}/{newest}".encode()).decode()
    for event in stranger.lookup_events(MaxResults=1, NextToken=forged)["Events"]:
        assert json.loads(event["CloudTrailEvent"])["recipientAccountId"] == OTHER


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"MaxResults": 0}, "InvalidMaxResultsException"),
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        ({"MaxResults": -1}, "InvalidMaxResultsException"),
        ({"StartTime": 2_000_000_001, "EndTime": 2_000_000_000}, "InvalidTimeRangeException"),
        ({"EventCategory": "management"}, "InvalidEventCategoryException"),
        ({"LookupAttributes": [{"AttributeKey": "Eventname", "AttributeValue": "x"}]}, "InvalidLookupAttributesException"),
        (
            {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "x"}] * 2},
            "InvalidLookupAttributesException",
        ),
    ],
    ids=range(7),
)  # fmt: skip
def test_errors(server: ServerProcess, members: dict[str, Any], code: str) -> None:
    trail = server.client("cloudtrail", config=Config(parameter_validation=False))
    assert refusal(trail, **members) == code


@pytest.mark.parametrize("value", ["\ud7ff", "%", "'; --", "~" * 2_000])
def test_odd_values_find_nothing(server: ServerProcess, value: str) -> None:
    trail = server.client("cloudtrail")
    for attribute in ("EventId", "EventName", "Username", "ResourceName", "ResourceType", "ReadOnly"):
        assert looked_up(trail, attribute, value) == []


def test_there_are_no_insights(server: ServerProcess) -> None:
    answer = server.client("cloudtrail").lookup_events(EventCategory="insight")
    assert answer["Events"] == []
    assert "NextToken" not in answer


def test_two_calls_a_second_in_the_profile_of_aws(start_server: StartServer) -> None:
    server = start_server("--quota-profile", "aws")
    trail = server.client("cloudtrail", max_attempts=1)
    codes = []
    for _ in range(40):
        try:
            trail.lookup_events(MaxResults=1)
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert set(codes) == {"ThrottlingException"}
    throttled = [one for one in server.audit_records() if one.get("errorCode") == "ThrottlingException"]
    assert len(throttled) == len(codes)
