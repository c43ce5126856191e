"""DescribeTrails, GetTrail, ListTrails, GetTrailStatus, StartLogging, StopLogging, ListPublicKeys."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kms_server.clock import iso_seconds
from kms_server.operations.trails import describing
from kms_server.server.audit_trail import heads
from kms_server.storage import audit_positions, trails
from tests.databases import new_url
from tests.postgres_server import Postgres
from tests.unit.operations.service import ACCOUNT, REGION, Service
from tests.unit.operations.trail_service import BUCKET, ELSEWHERE, CloudTrail

DAY = 86_400.0


def arn(name: str, region: str = REGION) -> str:
    return f"arn:aws:cloudtrail:{region}:{ACCOUNT}:trail/{name}"


def names(told: dict[str, Any]) -> list[str]:
    return [trail["TrailARN"] for trail in told["trailList"]]


@pytest.fixture
def several(client: CloudTrail) -> CloudTrail:
    """One trail of each kind in two Regions."""
    for region in (REGION, ELSEWHERE):
        client.ok("CreateTrail", Name="one", S3BucketName=BUCKET, region=region)
    client.create("all", IsMultiRegionTrail=True)
    return client


def test_a_region_shows_its_trails_and_the_shadows_of_others(several: CloudTrail) -> None:
    assert names(several.ok("DescribeTrails")) == [arn("all"), arn("one")]
    assert names(several.ok("DescribeTrails", region=ELSEWHERE)) == [arn("one", ELSEWHERE), arn("all")]
    assert names(several.ok("DescribeTrails", region="sa-east-1")) == [arn("all")]
    assert names(several.ok("DescribeTrails", region=ELSEWHERE, includeShadowTrails=False)) == [
        arn("one", ELSEWHERE)
    ]
    assert names(several.ok("DescribeTrails", region=ELSEWHERE, includeShadowTrails=True, trailNameList=[])) == [
        arn("one", ELSEWHERE), arn("all"),
    ]  # fmt: skip


def test_names_are_those_of_the_region_and_arns_of_shadows_too(several: CloudTrail) -> None:
    assert names(several.ok("DescribeTrails", trailNameList=["one", "none"])) == [arn("one")]
    assert names(several.ok("DescribeTrails", region=ELSEWHERE, trailNameList=["all"])) == []
    assert names(several.ok("DescribeTrails", region=ELSEWHERE, trailNameList=[arn("all"), arn("one")])) == [arn("all")]  # fmt: skip
    assert several.code("DescribeTrails", trailNameList=["one", "a"]) == "InvalidTrailNameException"


def test_a_trail_is_described(client: CloudTrail) -> None:
    client.create("abc", S3KeyPrefix="a")
    assert client.ok("GetTrail", Name="abc")["Trail"] == {
        "Name": "abc", "S3BucketName": BUCKET, "S3KeyPrefix": "a", "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": False, "HomeRegion": REGION, "TrailARN": arn("abc"), "LogFileValidationEnabled": False,
        "HasCustomEventSelectors": False, "HasInsightSelectors": False, "IsOrganizationTrail": False,
        "RecursiveLogging": True,
    }  # fmt: skip
    assert client.ok("DescribeTrails")["trailList"] == [client.ok("GetTrail", Name=arn("abc"))["Trail"]]


@pytest.mark.parametrize("operation", ["GetTrail", "GetTrailStatus", "GetEventSelectors"])
def test_shadows_answer_to_their_arn(several: CloudTrail, operation: str) -> None:
    member = "TrailName" if operation == "GetEventSelectors" else "Name"
    at_home = several.ok(operation, **{member: "all"})
    assert several.ok(operation, region=ELSEWHERE, **{member: arn("all")}) == at_home
    assert several.code(operation, region=ELSEWHERE, **{member: "all"}) == "TrailNotFoundException"
    assert several.code(operation, region=ELSEWHERE, **{member: arn("one")}) == "TrailNotFoundException"


@pytest.mark.parametrize("operation", ["UpdateTrail", "DeleteTrail", "StartLogging", "StopLogging", "PutEventSelectors"])  # fmt: skip
def test_trails_are_changed_at_home(several: CloudTrail, operation: str) -> None:
    members: dict[str, Any] = {}
    if operation == "PutEventSelectors":
        members = {"EventSelectors": [{"ReadWriteType": "All"}]}
    for identifier in ("all", arn("all"), arn("one")):
        name = {"TrailName" if members else "Name": identifier}
        assert several.code(operation, region=ELSEWHERE, **name, **members) == "InvalidHomeRegionException"
    assert several.code(operation, region=ELSEWHERE, **{"TrailName" if members else "Name": arn("none")}, **members) == "TrailNotFoundException"  # fmt: skip


def test_all_trails_are_listed_page_by_page(several: CloudTrail, monkeypatch: pytest.MonkeyPatch) -> None:
    every = several.ok("ListTrails", region="sa-east-1")
    assert every["Trails"][0] == {"TrailARN": arn("one", ELSEWHERE), "Name": "one", "HomeRegion": ELSEWHERE}
    assert [one["TrailARN"] for one in every["Trails"]] == [arn("one", ELSEWHERE), arn("all"), arn("one")]
    assert "NextToken" not in every
    monkeypatch.setattr(describing, "_PAGE", 2)
    first = several.ok("ListTrails")
    second = several.ok("ListTrails", NextToken=first["NextToken"])
    assert [*first["Trails"], *second["Trails"]] == every["Trails"]
    assert "NextToken" not in second
    for token in ("x", "AAAA", first["NextToken"][:-4]):
        assert several.code("ListTrails", NextToken=token) == "ValidationException"
    assert several.code("ListTrails", NextToken=first["NextToken"], region=ELSEWHERE) == "ValidationException"


def test_the_status_of_a_trail_that_never_logged(client: CloudTrail) -> None:
    client.create("abc")
    assert client.ok("GetTrailStatus", Name="abc") == {
        "IsLogging": False, "LatestDeliveryAttemptTime": "", "LatestNotificationAttemptTime": "",
        "LatestNotificationAttemptSucceeded": "", "LatestDeliveryAttemptSucceeded": "", "TimeLoggingStarted": "",
        "TimeLoggingStopped": "",
    }  # fmt: skip


def test_the_status_tells_of_deliveries(client: CloudTrail) -> None:
    client.create("abc")
    now = 1_700_000_000.25
    with client.service.database.write() as tx:
        trails.change(
            tx, client.stored("abc").trail_id, attempted_at=now + 4, delivered_at=now, delivery_error="AccessDenied",
            digest_delivered_at=now + 2, digest_error="NoSuchBucket", started_at=now - 9, stopped_at=now + 9,
        )  # fmt: skip
    assert client.ok("GetTrailStatus", Name="abc") == {
        "IsLogging": False, "LatestDeliveryError": "AccessDenied", "LatestDeliveryTime": now,
        "StartLoggingTime": now - 9, "StopLoggingTime": now + 9, "LatestDigestDeliveryTime": now + 2,
        "LatestDigestDeliveryError": "NoSuchBucket", "LatestDeliveryAttemptTime": iso_seconds(now + 4),
        "LatestNotificationAttemptTime": "", "LatestNotificationAttemptSucceeded": "",
        "LatestDeliveryAttemptSucceeded": iso_seconds(now), "TimeLoggingStarted": iso_seconds(now - 9),
        "TimeLoggingStopped": iso_seconds(now + 9),
    }  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A service on a new database of either kind."""
    url = None
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        url = new_url(postgres)
    made = Service(tmp_path / "data", url=url)
    yield made
    made.close()


def test_logging_starts_behind_what_was_recorded_before(either: Service) -> None:
    service, client = either, CloudTrail(either)
    client.create("abc")
    client.ok("GetTrail", Name="abc")
    before = heads(service._worker.state)
    assert client.ok("StartLogging", Name="abc") == {}
    after = heads(service._worker.state)
    trail = client.stored("abc")
    with service.database.read() as connection:
        positions = audit_positions.get(connection, trail.trail_id)
    assert positions == before
    assert after["main"] == before["main"] + 1  # its own record is delivered
    status = client.ok("GetTrailStatus", Name="abc")
    assert status["IsLogging"]
    assert status["StartLoggingTime"] == trail.started_at
    assert status["TimeLoggingStarted"] == iso_seconds(status["StartLoggingTime"])
    assert "StopLoggingTime" not in status
    assert client.record("StartLogging")["requestParameters"] == {"name": "abc"}


def test_starting_again_changes_nothing_while_it_logs(client: CloudTrail) -> None:
    client.create("abc")
    client.ok("StartLogging", Name="abc")
    trail = client.stored("abc")
    with client.service.database.read() as connection:
        positions = audit_positions.get(connection, trail.trail_id)
    client.ok("StartLogging", Name="abc")
    assert client.stored("abc") == trail
    with client.service.database.read() as connection:
        assert audit_positions.get(connection, trail.trail_id) == positions


def test_logging_stops_and_starts_anew(client: CloudTrail) -> None:
    service = client.service
    client.create("abc")
    client.ok("StopLogging", Name="abc")
    assert client.stored("abc").stopped_at is None
    client.ok("StartLogging", Name="abc")
    first = client.stored("abc")
    service.advance(60)
    client.ok("StopLogging", Name="abc")
    stopped = client.stored("abc")
    assert stopped.stopped_at is not None
    assert stopped.stopped_at >= (first.started_at or 0) + 60
    client.ok("StopLogging", Name="abc")
    assert client.stored("abc") == stopped
    with service.database.write() as tx:  # as when all that it recorded is in files
        audit_positions.remove(tx.connection, stopped.trail_id)
    before = heads(service._worker.state)
    client.ok("StartLogging", Name="abc")
    again = client.stored("abc")
    assert again.logging
    assert (again.started_at or 0) >= stopped.stopped_at
    assert again.stopped_at == stopped.stopped_at
    with service.database.read() as connection:
        assert audit_positions.get(connection, again.trail_id) == before


def test_what_was_recorded_before_a_short_stop_is_not_passed_over(client: CloudTrail) -> None:
    client.create("abc")
    client.ok("StartLogging", Name="abc")
    trail_id = client.stored("abc").trail_id
    with client.service.database.read() as connection:
        positions = audit_positions.get(connection, trail_id)
    client.ok("StopLogging", Name="abc")
    client.ok("StartLogging", Name="abc")
    with client.service.database.read() as connection:
        assert audit_positions.get(connection, trail_id) == positions


def test_there_is_a_public_key_from_the_first_trail_with_digests(tmp_path_factory: pytest.TempPathFactory) -> None:  # fmt: skip
    service = Service(tmp_path_factory.mktemp("keys") / "data")
    client = CloudTrail(service)
    client.create("plain")
    assert client.ok("ListPublicKeys") == {"PublicKeyList": []}
    client.ok("UpdateTrail", Name="plain", EnableLogFileValidation=True)
    (first,) = client.ok("ListPublicKeys")["PublicKeyList"]
    client.create("more", EnableLogFileValidation=True)
    assert client.ok("ListPublicKeys", region=ELSEWHERE)["PublicKeyList"] == [first]
    der = base64.b64decode(first["Value"])
    assert hashlib.md5(der, usedforsecurity=False).hexdigest() == first["Fingerprint"]
    load_der_public_key(der)
    start, end = first["ValidityStartTime"], first["ValidityEndTime"]
    assert end - start == 30 * DAY
    for span in ((start - 9, start), (end, end + 9), (start + 1, start + 2), (start - 9, end + 9)):
        assert client.ok("ListPublicKeys", StartTime=span[0], EndTime=span[1])["PublicKeyList"] == [first]
    for start_of, end_of in ((start - 9, start - 1), (end + 1, end + 9)):
        assert client.ok("ListPublicKeys", StartTime=start_of, EndTime=end_of)["PublicKeyList"] == []
    assert client.ok("ListPublicKeys", StartTime=start)["PublicKeyList"] == [first]
    assert client.code("ListPublicKeys", StartTime=start + 1, EndTime=start) == "InvalidTimeRangeException"
    assert client.code("ListPublicKeys", EndTime=start - 9) == "InvalidTimeRangeException"
    assert client.code("ListPublicKeys", NextToken="x") == "InvalidTokenException"
    service.close()
