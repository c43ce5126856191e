"""The CloudTrail record: its members, their order, and what bounds them."""

from typing import Any

import orjson
import pytest

from kms_server.audit.chain import COLUMNS
from kms_server.audit.record import Event, service_event, to_row
from kms_server.storage.tables import audit_events

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
IDENTITY = {"type": "Root", "accountId": "111122223333"}


def event(**changes: Any) -> Event:
    plain: dict[str, Any] = {
        "event_id": "01a1fc54-3660-7839-bda7-190164ee07e9", "time": 1_790_000_000.999, "source": "kms.amazonaws.com",
        "name": "Encrypt", "account": "111122223333", "region": "us-east-1", "identity": IDENTITY, "username": "root",
        "access_key_id": "AKIA", "source_ip": "192.0.2.1", "user_agent": "Boto3", "request_parameters": None,
        "response_elements": None, "additional": None, "service_event": None, "request_id": "r-1",
        "read_only": True, "resources": (("AWS::KMS::Key", KEY),), "error_code": None, "error_message": None,
        "tls": None, "event_type": "AwsApiCall",
    }  # fmt: skip
    return Event(**plain | changes)


def record(**changes: Any) -> dict[str, Any]:
    written: dict[str, Any] = orjson.loads(to_row(event(**changes)).record)
    return written


def test_columns_stand_in_the_order_of_the_table() -> None:
    assert tuple(audit_events.c.keys()) == COLUMNS


def test_a_plain_call() -> None:
    assert to_row(event())[:-1] == (
        "01a1fc54-3660-7839-bda7-190164ee07e9", "111122223333", "us-east-1", "Encrypt", "kms.amazonaws.com", True,
        "root", "AKIA", KEY, None, None,
    )  # fmt: skip
    assert list(record().items()) == [
        ("eventVersion", "1.11"),
        ("userIdentity", IDENTITY),
        ("eventTime", "2026-09-21T14:13:20Z"),
        ("eventSource", "kms.amazonaws.com"),
        ("eventName", "Encrypt"),
        ("awsRegion", "us-east-1"),
        ("sourceIPAddress", "192.0.2.1"),
        ("userAgent", "Boto3"),
        ("requestParameters", None),
        ("responseElements", None),
        ("requestID", "r-1"),
        ("eventID", "01a1fc54-3660-7839-bda7-190164ee07e9"),
        ("readOnly", True),
        ("resources", [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": KEY}]),
        ("eventType", "AwsApiCall"),
        ("managementEvent", True),
        ("recipientAccountId", "111122223333"),
        ("eventCategory", "Management"),
    ]


def test_members_that_say_nothing_are_absent() -> None:
    silent = record(user_agent=None, resources=(), additional={}, error_message="", request_id=None)
    assert not silent.keys() & {"userAgent", "resources", "additionalEventData", "errorCode", "errorMessage"}
    assert not silent.keys() & {"requestID", "tlsDetails", "serviceEventDetails"}


def test_members_of_a_fuller_call() -> None:
    full = record(
        request_parameters={"keyId": "k"}, response_elements={"keyId": KEY}, additional={"keyMaterialId": "m"},
        tls={"tlsVersion": "TLSv1.3"}, error_code="NotFoundException", error_message="no",
    )  # fmt: skip
    assert full["requestParameters"] == {"keyId": "k"}
    assert full["responseElements"] == {"keyId": KEY}
    assert full["additionalEventData"] == {"keyMaterialId": "m"}
    assert full["tlsDetails"] == {"tlsVersion": "TLSv1.3"}
    assert (full["errorCode"], full["errorMessage"]) == ("NotFoundException", "no")


def test_a_denial_goes_by_its_name_in_the_log() -> None:
    denied = to_row(event(error_code="AccessDeniedException", error_message="no"))
    assert denied.error_code == "AccessDenied"
    assert orjson.loads(denied.record)["errorCode"] == "AccessDenied"


def test_two_resources_are_both_found() -> None:
    alias = "arn:aws:kms:us-east-1:111122223333:alias/a"
    both = to_row(event(resources=(("AWS::KMS::Key", KEY), ("AWS::KMS::Alias", alias))))
    assert (both.resource_1, both.resource_2) == (KEY, alias)


@pytest.mark.parametrize(("is_data", "most"), [(False, 512), (True, 1_152)])
def test_whatever_callers_name_fits_its_column(*, is_data: bool, most: int) -> None:
    arn = "arn:aws:s3:::b\0" + 9_000 * "x"
    row = to_row(event(resources=(("AWS::S3::Bucket", arn),), is_data=is_data))
    assert row.resource_1 is not None
    assert row.resource_1.startswith("arn:aws:s3:::b\N{REPLACEMENT CHARACTER}x")
    assert len(row.resource_1) == most
    assert orjson.loads(row.record)["resources"][0]["ARN"] == arn


@pytest.mark.parametrize("member", ["request_parameters", "response_elements"])
def test_content_over_its_bound_is_left_out(member: str) -> None:
    name = {"request_parameters": "requestParameters", "response_elements": "responseElements"}[member]
    assert record(**{member: {"a": "x" * 102_392}})[name] is not None
    assert record(**{member: {"a": "x" * 102_393}})[name] is None


def test_texts_are_cut() -> None:
    cut = record(user_agent="a" * 2_000, error_code="ValidationException", error_message="b" * 2_000)
    assert cut["userAgent"] == "a" * 1_024
    assert cut["errorMessage"] == "b" * 1_024


def test_a_service_event_has_no_caller() -> None:
    row = to_row(
        service_event("RotateKey", "111122223333", "us-east-1", KEY, 1_790_000_000.5, {"keyId": KEY})
    )
    written = orjson.loads(row.record)
    assert (row.username, row.access_key_id, row.read_only) == (None, None, False)
    assert written["eventType"] == "AwsServiceEvent"
    assert written["eventTime"] == "2026-09-21T14:13:20Z"
    assert written["userIdentity"] == {"accountId": "111122223333", "invokedBy": "AWS Internal"}
    assert written["serviceEventDetails"] == {"keyId": KEY}
    assert written["sourceIPAddress"] == written["userAgent"] == "AWS Internal"
    assert "requestID" not in written
