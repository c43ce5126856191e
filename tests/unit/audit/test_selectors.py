"""Which records the event selectors of a trail select."""

import json
from typing import Any

import pytest

from kms_server.audit.trail.selectors import Selectors

BUCKET = "arn:aws:s3:::bucket"
OBJECT = {"type": "AWS::S3::Object", "ARN": f"{BUCKET}/a/b"}
IN_BUCKET = {"accountId": "000000000000", "type": "AWS::S3::Bucket", "ARN": BUCKET}


def management(**members: Any) -> dict[str, Any]:
    return {
        "eventCategory": "Management", "eventSource": "kms.amazonaws.com", "eventName": "Encrypt", "readOnly": True,
        "eventType": "AwsApiCall", "userIdentity": {"arn": "arn:aws:iam::000000000000:user/mira"},
        "resources": [{"type": "AWS::KMS::Key", "ARN": "arn:aws:kms:us-east-1:000000000000:key/k"}],
    } | members  # fmt: skip


def data(**members: Any) -> dict[str, Any]:
    return {
        "eventCategory": "Data", "eventSource": "s3.amazonaws.com", "eventName": "PutObject", "readOnly": False,
        "eventType": "AwsApiCall", "userIdentity": {"arn": "arn:aws:iam::000000000000:user/mira"},
        "resources": [OBJECT, IN_BUCKET],
    } | members  # fmt: skip


def basic(**members: Any) -> Selectors:
    selector = {
        "ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": [],
    } | members  # fmt: skip
    return Selectors.of(json.dumps({"EventSelectors": [selector]}))


def of_objects(*values: str, **members: Any) -> Selectors:
    resources = [{"Type": "AWS::S3::Object", "Values": list(values)}]
    return basic(IncludeManagementEvents=False, DataResources=resources, **members)


def advanced(category: str, *conditions: dict[str, Any]) -> Selectors:
    fields = [{"Field": "eventCategory", "Equals": [category]}, *conditions]
    return Selectors.of(json.dumps({"AdvancedEventSelectors": [{"Name": "n", "FieldSelectors": fields}]}))


def of_data(field: str, **operators: list[str]) -> Selectors:
    kind = {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}
    return advanced("Data", kind, {"Field": field, **operators})


def test_without_any_all_management_events_are_selected() -> None:
    selectors = Selectors.of(None)
    assert selectors.wants_management
    assert not selectors.wants_data
    assert selectors.selects(management())
    assert selectors.selects(management(readOnly=False, eventSource="sts.amazonaws.com"))
    assert not selectors.selects(data())


@pytest.mark.parametrize(
    ("kind", "reads", "writes"),
    [("All", True, True), ("ReadOnly", True, False), ("WriteOnly", False, True)],
)
def test_basic_selectors_tell_reads_from_writes(kind: str, *, reads: bool, writes: bool) -> None:
    for selectors, record in (
        (basic(ReadWriteType=kind), management),
        (of_objects(f"{BUCKET}/", ReadWriteType=kind), data),
    ):
        assert selectors.selects(record(readOnly=True)) is reads
        assert selectors.selects(record(readOnly=False)) is writes


def test_basic_selectors_leave_out_sources() -> None:
    selectors = basic(ExcludeManagementEventSources=["kms.amazonaws.com"])
    assert not selectors.selects(management())
    assert selectors.selects(management(eventSource="sts.amazonaws.com"))


def test_what_is_wanted_at_all() -> None:
    assert (of_objects().wants_management, of_objects().wants_data) == (False, False)
    assert (of_objects(f"{BUCKET}/").wants_management, of_objects(f"{BUCKET}/").wants_data) == (False, True)
    both = basic(DataResources=[{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}])
    assert (both.wants_management, both.wants_data) == (True, True)
    assert not of_objects(f"{BUCKET}/").selects(management())


@pytest.mark.parametrize(
    ("value", "selected"),
    [
        ("arn:aws:s3", True), ("arn:aws:s3:::", True), (f"{BUCKET}/", True), (f"{BUCKET}/a", True), (f"{BUCKET}/a/b", True),
        (f"{BUCKET}/b", False), (f"{BUCKET}/a/b/c", False), ("arn:aws:s3:::bucke/", False),
    ],
)  # fmt: skip
def test_objects_are_selected_by_the_beginnings_of_their_arns(value: str, *, selected: bool) -> None:
    assert of_objects(value).selects(data()) is selected
    assert of_objects("arn:aws:s3:::another/", value).selects(data()) is selected


def test_what_names_no_object_is_about_all_of_its_bucket() -> None:
    record = data(eventName="DeleteObjects", resources=[IN_BUCKET])
    assert of_objects(f"{BUCKET}/").selects(record)
    assert not of_objects(f"{BUCKET}/a").selects(record)
    assert not of_objects(f"{BUCKET}/").selects(data(resources=[]))


def test_one_selector_of_several_is_enough() -> None:
    reads = {"Field": "readOnly", "Equals": ["true"]}
    category = {"Field": "eventCategory", "Equals": ["Management"]}
    kind = {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}
    both = Selectors.of(
        json.dumps(
            {
                "AdvancedEventSelectors": [
                    {"FieldSelectors": [category, reads]},
                    {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}, kind]},
                ]
            }
        )
    )
    assert both.wants_management
    assert both.wants_data
    assert both.selects(management())
    assert not both.selects(management(readOnly=False))
    assert both.selects(data())


@pytest.mark.parametrize(
    ("operators", "selected"),
    [
        ({"Equals": ["PutObject", "x"]}, True), ({"Equals": ["putobject"]}, False), ({"StartsWith": ["Get", "Put"]}, True),
        ({"StartsWith": ["Get"]}, False), ({"EndsWith": ["Object"]}, True), ({"EndsWith": ["Put"]}, False),
        ({"NotEquals": ["GetObject"]}, True), ({"NotEquals": ["GetObject", "PutObject"]}, False),
        ({"NotStartsWith": ["Get"]}, True), ({"NotStartsWith": ["Put"]}, False), ({"NotEndsWith": ["Acl"]}, True),
        ({"NotEndsWith": ["Object"]}, False), ({"Equals": ["x"], "StartsWith": ["Put"]}, True),
        ({"StartsWith": ["Put"], "NotEndsWith": ["Object"]}, False), ({"StartsWith": ["Put"], "NotEndsWith": ["Acl"]}, True),
        ({"StartsWith": ["Get"], "NotEndsWith": ["Acl"]}, False), ({"NotStartsWith": ["Get"], "NotEndsWith": ["Object"]}, False),
    ],
)  # fmt: skip
def test_operators(operators: dict[str, list[str]], *, selected: bool) -> None:
    assert of_data("eventName", **operators).selects(data()) is selected


@pytest.mark.parametrize(
    ("field", "value", "other"),
    [
        ("readOnly", "false", "true"), ("eventSource", "s3.amazonaws.com", "kms.amazonaws.com"),
        ("eventName", "PutObject", "GetObject"), ("eventType", "AwsApiCall", "AwsServiceEvent"),
        ("resources.ARN", f"{BUCKET}/a/b", f"{BUCKET}/a"), ("userIdentity.arn", "arn:aws:iam::000000000000:user/mira", "x"),
    ],
)  # fmt: skip
def test_fields(field: str, value: str, other: str) -> None:
    assert of_data(field, Equals=[value]).selects(data())
    assert not of_data(field, Equals=[other]).selects(data())
    assert of_data(field, NotEquals=[other]).selects(data())
    assert not of_data(field, NotEquals=[value]).selects(data())


def test_what_a_record_does_not_have_equals_nothing() -> None:
    console = data(sessionCredentialFromConsole="true")
    field = "sessionCredentialFromConsole"
    assert of_data(field, Equals=["true"]).selects(console)
    assert not of_data(field, Equals=["true"]).selects(data())
    assert not of_data(field, NotEquals=["true"]).selects(console)
    assert of_data(field, NotEquals=["true"]).selects(data())
    nobody = data(userIdentity={"type": "AWSAccount"})
    assert not of_data("userIdentity.arn", StartsWith=["arn:"]).selects(nobody)
    assert of_data("userIdentity.arn", NotStartsWith=["arn:"]).selects(nobody)


def test_all_conditions_of_a_selector_must_hold() -> None:
    writes = {"Field": "readOnly", "Equals": ["false"]}
    quiet = {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}
    selectors = advanced("Management", writes, quiet)
    assert selectors.selects(management(readOnly=False, eventSource="iam.amazonaws.com"))
    assert not selectors.selects(management(readOnly=False))
    assert not selectors.selects(management(eventSource="iam.amazonaws.com"))


def test_records_without_objects_are_not_of_the_type() -> None:
    kind = {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}
    assert advanced("Data", kind).selects(data())
    assert not advanced("Data", kind).selects(data(resources=[]))
