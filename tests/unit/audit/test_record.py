"""The CloudTrail record: its members, their order, and what bounds them."""

from dataclasses import fields, replace
from typing import Any

import orjson
import pytest
from msgspec import structs

from kms_server.audit.chain import COLUMNS
from kms_server.audit.heading import Heading
from kms_server.audit.record import Echo, Event, rows_of, service_event, to_row
from kms_server.storage.audit_tables import audit_events

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
IDENTITY = {"type": "Root", "accountId": "111122223333"}
_OF_HEADING = [one.name for one in fields(Heading) if one.init]


def event(**changes: Any) -> Event:
    plain: dict[str, Any] = {
        "event_id": "01a1fc54-3660-7839-bda7-190164ee07e9", "time": 1_790_000_000.999, "source": "kms.amazonaws.com",
        "name": "Encrypt", "account": "111122223333", "region": "us-east-1", "identity": IDENTITY, "username": "root",
        "access_key_id": "AKIA", "source_ip": "192.0.2.1", "user_agent": "Boto3", "request_parameters": None,
        "response_elements": None, "additional": None, "service_event": None, "request_id": "r-1",
        "read_only": True, "resources": (("AWS::KMS::Key", KEY),), "error_code": None, "error_message": None,
        "tls": None, "event_type": "AwsApiCall",
    }  # fmt: skip
    given = plain | changes
    heading = Heading(**{name: given.pop(name) for name in _OF_HEADING if name in given})
    return Event(heading=heading, **given)


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
    # One after the other: what is remembered of resources depends on what kind of event they are of.
    name = "arn:aws:s3:::b/" + 1_000 * "x"
    long = event(resources=(("AWS::S3::Object", name), ("AWS::S3::Bucket", "arn:aws:s3:::b")))
    data = structs.replace(long, heading=replace(long.heading, is_data=True))
    assert [to_row(one).resource_1 for one in (long, data, long)] == [name[:512], name, name[:512]]


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


@pytest.mark.parametrize(("text", "cut"), [("a" * 2_000, "a" * 1_024), ("a" + "é" * 600, "a" + "é" * 511)])
def test_texts_are_cut(text: str, cut: str) -> None:
    found = record(user_agent=text, error_code="ValidationException", error_message=text)
    assert found["userAgent"] == found["errorMessage"] == cut


def test_additional_data_over_its_bound_is_left_out() -> None:
    assert record(additional={"a": "x" * 28_664})["additionalEventData"]
    assert "additionalEventData" not in record(additional={"a": "x" * 28_665})


def test_a_record_over_its_bound_has_no_contents() -> None:
    content, host = {"a": "x" * 102_300}, {"clientProvidedHostHeader": "h" * 60_000}
    full = event(request_parameters=content, response_elements=content, tls=host)
    assert len(to_row(full).record) < 262_144
    assert orjson.loads(to_row(full).record)["requestParameters"] is None
    tls = {"clientProvidedHostHeader": "h" * 50_000}
    smaller = structs.replace(full, heading=replace(full.heading, tls=tls))
    assert orjson.loads(to_row(smaller).record)["requestParameters"] == content


OTHERS = [f"arn:aws:kms:us-east-1:{account}:key/k" for account in ("444455556666", "777788889999")]


def test_one_account_has_one_row() -> None:
    assert rows_of(event()) == (to_row(event()),)
    assert rows_of(event(resources=())) == (to_row(event(resources=())),)
    bucket = event(
        resources=(
            ("AWS::S3::Object", "arn:aws:s3:::b/:777788889999:"),
            ("AWS::S3::Bucket", "arn:aws:s3:::b"),
        )
    )
    assert rows_of(bucket) == (to_row(bucket),)


def test_each_other_owner_has_a_copy() -> None:
    used = tuple(("AWS::KMS::Key", one) for one in (OTHERS[0], KEY, OTHERS[1], OTHERS[0]))
    identity = IDENTITY | {"principalId": "AIDA1", "arn": "arn:aws:iam::111122223333:user/a"}
    rows = rows_of(event(resources=used, identity=identity))
    assert [row.account for row in rows] == ["111122223333", "444455556666", "777788889999"]
    assert [row.username for row in rows] == ["root", None, None]
    assert [row.access_key_id for row in rows] == ["AKIA", None, None]
    assert len({row.event_id for row in rows}) == 3
    records = [orjson.loads(row.record) for row in rows]
    assert [one["recipientAccountId"] for one in records] == [row.account for row in rows]
    assert [one["eventID"] for one in records] == [row.event_id for row in rows]
    assert len({one["sharedEventID"] for one in records}) == 1
    stranger = {"type": "AWSAccount", "principalId": "AIDA1", "accountId": "111122223333"}
    assert [one["userIdentity"] for one in records] == [identity, stranger, stranger]


def test_an_account_in_the_name_of_a_resource_does_not_own_it() -> None:
    used = (("AWS::KMS::Key", f"{OTHERS[0]}:111122223333:"),)
    assert [row.account for row in rows_of(event(resources=used))] == ["111122223333", "444455556666"]


def test_the_owner_of_a_bucket_has_a_copy() -> None:
    """ARNs of S3 name no account."""
    named = (("AWS::S3::Object", "arn:aws:s3:::b/k"), ("AWS::S3::Bucket", "arn:aws:s3:::b"))
    identity = IDENTITY | {"principalId": "AIDA1"}
    used = event(resources=named, is_data=True, owner="444455556666", identity=identity)
    own, copy = rows_of(used)
    assert (own.account, copy.account, copy.username) == ("111122223333", "444455556666", None)
    assert orjson.loads(own.record)["sharedEventID"] == orjson.loads(copy.record)["sharedEventID"]
    assert len(rows_of(structs.replace(used, owner="111122223333"))) == 1
    assert len(rows_of(structs.replace(used, error_code="NoSuchKey"))) == 1


def test_a_service_is_the_same_for_everybody() -> None:
    """It has no account, and so nothing that the owner of another account must not know."""
    service = {"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"}
    rows = rows_of(event(resources=(("AWS::KMS::Key", OTHERS[0]),), identity=service))
    assert [orjson.loads(row.record)["userIdentity"] for row in rows] == [service, service]


def test_what_failed_is_the_callers_alone() -> None:
    failed = event(resources=(("AWS::KMS::Key", OTHERS[0]),), error_code="DisabledException")
    assert rows_of(failed) == (to_row(failed),)


def test_another_region_has_a_record_of_its_own() -> None:
    there = "arn:aws:kms:eu-west-1:111122223333:key/k"
    echo = Echo("CreateKey", "eu-west-1", {"a": 1}, None, (("AWS::KMS::Key", there),))
    own, other = rows_of(event(echoes=(echo,), additional={"b": 2}))
    assert (own.region, own.event_name, own.resource_1) == ("us-east-1", "Encrypt", KEY)
    assert (other.region, other.event_name, other.resource_1) == ("eu-west-1", "CreateKey", there)
    record = orjson.loads(other.record)
    assert (record["requestParameters"], record["requestID"]) == ({"a": 1}, "r-1")
    assert "additionalEventData" not in record
    assert "sharedEventID" not in record
    assert other.event_id != own.event_id


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
