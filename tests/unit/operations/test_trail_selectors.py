"""PutEventSelectors and GetEventSelectors: defaults, what is kept, and every rule."""

import json
from typing import Any

import pytest

from kms_server.audit.trail.selectors import Selectors
from tests.unit.operations.service import Refusal
from tests.unit.operations.trail_service import CloudTrail

DEFAULT = {
    "ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": [],
}  # fmt: skip
CATEGORY = {"Field": "eventCategory", "Equals": ["Management"]}
DATA = {"Field": "eventCategory", "Equals": ["Data"]}
OBJECTS = {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}


@pytest.fixture
def client(client: CloudTrail) -> CloudTrail:
    client.create("abc")
    return client


def objects(*values: str) -> dict[str, Any]:
    return {"DataResources": [{"Type": "AWS::S3::Object", "Values": list(values)}]}


def advanced(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"AdvancedEventSelectors": [{"FieldSelectors": list(conditions)}]}


def put(client: CloudTrail, **members: Any) -> dict[str, Any]:
    """What is kept, which is what the answer shows, and what can be matched."""
    told = client.ok("PutEventSelectors", TrailName="abc", **members)
    assert client.ok("GetEventSelectors", TrailName="abc") == told
    Selectors.of(client.stored("abc").selectors)  # raises where it cannot be read
    return told


def test_a_trail_has_the_default_until_it_is_given_others(client: CloudTrail) -> None:
    arn = client.ok("GetTrail", Name="abc")["Trail"]["TrailARN"]
    assert client.ok("GetEventSelectors", TrailName="abc") == {"TrailARN": arn, "EventSelectors": [DEFAULT]}
    put(client, EventSelectors=[{"ReadWriteType": "WriteOnly"}])
    assert client.ok("GetTrail", Name="abc")["Trail"]["HasCustomEventSelectors"]
    assert put(client, EventSelectors=[{}]) == {"TrailARN": arn, "EventSelectors": [DEFAULT]}
    assert not client.ok("GetTrail", Name="abc")["Trail"]["HasCustomEventSelectors"]


def test_basic_selectors_are_completed(client: CloudTrail) -> None:
    resources = objects("arn:aws:s3", "arn:aws:s3:::", "arn:aws:s3:::bucket/", "arn:aws:s3:::bucket/a*b/c")
    told = put(
        client,
        EventSelectors=[
            {"ReadWriteType": "ReadOnly", "IncludeManagementEvents": False, **resources},
            {"ExcludeManagementEventSources": ["kms.amazonaws.com", "rdsdata.amazonaws.com"]},
            objects(),
        ],
    )
    assert told["EventSelectors"] == [
        DEFAULT | {"ReadWriteType": "ReadOnly", "IncludeManagementEvents": False, **resources},
        DEFAULT | {"ExcludeManagementEventSources": ["kms.amazonaws.com", "rdsdata.amazonaws.com"]},
        DEFAULT | objects(),
    ]


def test_advanced_selectors_take_the_place_of_basic_ones(client: CloudTrail) -> None:
    put(client, EventSelectors=[{"ReadWriteType": "WriteOnly"}])
    told = put(client, **advanced(CATEGORY), EventSelectors=[])
    assert told == {"TrailARN": told["TrailARN"], **advanced(CATEGORY)}
    told = put(client, EventSelectors=[{"ReadWriteType": "WriteOnly"}])
    assert "AdvancedEventSelectors" not in told


def test_every_field_of_the_categories(client: CloudTrail) -> None:
    quiet = {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com", "rdsdata.amazonaws.com"]}
    put(client, **advanced(CATEGORY, {"Field": "readOnly", "Equals": ["false"]}, quiet))
    operators = ("Equals", "NotEquals", "StartsWith", "NotStartsWith", "EndsWith", "NotEndsWith")
    every = {operator: ["x", "y"] for operator in operators}
    fields = ("resources.ARN", "eventName", "eventSource", "eventType", "userIdentity.arn")
    console = {"Field": "sessionCredentialFromConsole", "NotEquals": ["true"]}
    reads = {"Field": "readOnly", "Equals": ["true"]}
    put(client, **advanced(DATA, OBJECTS, reads, console, *({"Field": name, **every} for name in fields)))


WRONG_BASIC: dict[str, list[dict[str, Any]]] = {
    "six": [{}] * 6,
    "type": [{"ReadWriteType": "read-only"}],
    "source": [{"ExcludeManagementEventSources": ["s3.amazonaws.com"]}],
    "excluded-from-nothing": [
        {"IncludeManagementEvents": False, "ExcludeManagementEventSources": ["kms.amazonaws.com"]}
    ],
    "lambda": [{"DataResources": [{"Type": "AWS::Lambda::Function", "Values": ["arn:aws:lambda"]}]}],
    "no-type": [{"DataResources": [{"Values": ["arn:aws:s3"]}]}],
    "bucket-alone": [objects("arn:aws:s3:::bucket")],
    "star": [objects("arn:aws:s3:::*")],
    "stars": [objects("arn:aws:s3:::*/*")],
    "no-arn": [objects("bucket/")],
    "too-many": [objects(*(f"arn:aws:s3:::bucket/{number}" for number in range(126)))] * 2,
}
WRONG_ADVANCED: dict[str, list[dict[str, Any]]] = {
    "no-category": [{"Field": "readOnly", "Equals": ["true"]}],
    "other-category": [{"Field": "eventCategory", "Equals": ["Insight"]}],
    "network": [{"Field": "eventCategory", "Equals": ["NetworkActivity"]}],
    "two-categories": [{"Field": "eventCategory", "Equals": ["Management", "Data"]}],
    "not-category": [{"Field": "eventCategory", "NotEquals": ["Data"]}],
    "twice": [
        CATEGORY,
        {"Field": "readOnly", "Equals": ["true"]},
        {"Field": "readOnly", "Equals": ["false"]},
    ],
    "no-values": [CATEGORY, {"Field": "readOnly"}],
    "both-values": [CATEGORY, {"Field": "readOnly", "Equals": ["true", "false"]}],
    "read-or-so": [CATEGORY, {"Field": "readOnly", "Equals": ["True"]}],
    "not-read": [CATEGORY, {"Field": "readOnly", "NotEquals": ["true"]}],
    "one-source": [CATEGORY, {"Field": "eventSource", "Equals": ["kms.amazonaws.com"]}],
    "another-source": [CATEGORY, {"Field": "eventSource", "NotEquals": ["s3.amazonaws.com"]}],
    "management-name": [CATEGORY, {"Field": "eventName", "Equals": ["Encrypt"]}],
    "management-arn": [CATEGORY, {"Field": "userIdentity.arn", "Equals": ["x"]}],
    "no-resources": [DATA],
    "other-resources": [DATA, {"Field": "resources.type", "Equals": ["AWS::Lambda::Function"]}],
    "resources-like": [DATA, {"Field": "resources.type", "StartsWith": ["AWS::S3::Object"]}],
    "console-false": [DATA, OBJECTS, {"Field": "sessionCredentialFromConsole", "Equals": ["false"]}],
    "unknown": [DATA, OBJECTS, {"Field": "awsRegion", "Equals": ["us-east-1"]}],
    "error-code": [DATA, OBJECTS, {"Field": "errorCode", "Equals": ["VpceAccessDenied"]}],
    "many-values": [DATA, OBJECTS, {"Field": "eventName", "Equals": ["x"] * 499}],
}


@pytest.mark.parametrize("case", sorted(WRONG_BASIC))
def test_wrong_basic_selectors(client: CloudTrail, case: str) -> None:
    before = client.stored("abc")
    members = {"TrailName": "abc", "EventSelectors": WRONG_BASIC[case]}
    assert client.code("PutEventSelectors", **members) == "InvalidEventSelectorsException"
    assert client.stored("abc") == before


@pytest.mark.parametrize("case", sorted(WRONG_ADVANCED))
def test_wrong_advanced_selectors(client: CloudTrail, case: str) -> None:
    members = {"TrailName": "abc", **advanced(*WRONG_ADVANCED[case])}
    assert client.code("PutEventSelectors", **members) == "InvalidEventSelectorsException"


def test_exactly_one_kind(client: CloudTrail) -> None:
    wrong: list[dict[str, Any]] = [{}, {"EventSelectors": []}, {"EventSelectors": [{}], **advanced(CATEGORY)}]
    for members in wrong:
        assert client.code("PutEventSelectors", TrailName="abc", **members) == "InvalidEventSelectorsException"  # fmt: skip


def test_as_many_as_there_may_be(client: CloudTrail) -> None:
    put(client, EventSelectors=[DEFAULT] * 5)
    half = objects(*(f"arn:aws:s3:::bucket/{number}" for number in range(125)))
    put(client, EventSelectors=[half, half])
    put(client, EventSelectors=[half, half, objects("arn:aws:s3")])
    # The category and the type of the resources count as well.
    put(client, **advanced(DATA, OBJECTS, {"Field": "eventName", "Equals": ["x"] * 498}))
    put(client, AdvancedEventSelectors=[{"FieldSelectors": [CATEGORY]}] * 500)
    members = {"AdvancedEventSelectors": [{"FieldSelectors": [CATEGORY]}] * 501}
    assert client.code("PutEventSelectors", TrailName="abc", **members) == "InvalidEventSelectorsException"


def test_texts(client: CloudTrail) -> None:
    def text(**members: Any) -> str:
        refusal = client.refused("PutEventSelectors", TrailName="abc", **members)
        assert refusal.code == "InvalidEventSelectorsException"
        return refusal.text

    assert text(EventSelectors=WRONG_BASIC["star"]) == (
        "Value arn:aws:s3:::* for DataResources.Values is invalid."
    )
    assert text(EventSelectors=WRONG_BASIC["too-many"]) == (
        "Specify a valid number of DataResources.Values (0 to 250) for all your selectors."
    )
    assert client.refused("GetEventSelectors", TrailName="ab") == Refusal(
        "InvalidTrailNameException",
        "Trail name too short. Minimum allowed length: 3 characters. Specified name length: 2 characters.",
    )
    empty = {"Field": "eventName", "Equals": []}
    members = {"TrailName": "abc", **advanced(DATA, OBJECTS, empty)}
    assert client.code("PutEventSelectors", **members) == "ValidationException"


def test_the_record_shows_the_selectors(client: CloudTrail) -> None:
    put(client, EventSelectors=[{"ReadWriteType": "WriteOnly"}])
    record = client.record("PutEventSelectors")
    assert record["requestParameters"] == {
        "trailName": "abc",
        "eventSelectors": [{"readWriteType": "WriteOnly"}],
    }
    arn = client.stored("abc").arn
    assert record["responseElements"] == {
        "trailARN": arn,
        "eventSelectors": [{
            "readWriteType": "WriteOnly", "includeManagementEvents": True, "dataResources": [],
            "excludeManagementEventSources": [],
        }],
    }  # fmt: skip
    assert [one["ARN"] for one in record["resources"]] == [arn]
    assert (
        json.loads(client.stored("abc").selectors or "")["EventSelectors"][0]["ReadWriteType"] == "WriteOnly"
    )
