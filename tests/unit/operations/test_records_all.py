"""Every call of every operation leaves exactly one record that keeps CloudTrail's rules, however it ends."""

from typing import Any

import pytest
from botocore.credentials import Credentials

from kms_server.operations.call import Operation
from kms_server.operations.registry import OPERATIONS
from tests.unit.operations import query_service as query
from tests.unit.operations.record_calls import Done, ask, body_of, exhausted, mistyped, violations
from tests.unit.operations.record_requests import NEVER, each, unsigned
from tests.unit.operations.service import REGION, Service

# Nobody needs a permission for them.
_FREE = {"GetCallerIdentity", "GetSessionToken"}
# Of what a call did in another Region.
_ELSEWHERE = {"ReplicateKey": ["CreateKey"], "UpdatePrimaryRegion": ["UpdatePrimaryRegion"]}


@pytest.fixture(scope="module")
def user(service: Service) -> Credentials:
    """Somebody who may do everything: roots may not assume roles."""
    return query.user(service, "all", query.allow("*"))[1]


@pytest.fixture(scope="module")
def nobody(service: Service) -> Credentials:
    return query.user(service, "nobody")[1]


def check(done: Done, operation: Operation, *, region: str = REGION) -> dict[str, Any]:
    """The record of a call at its place, when all its records are in order."""
    assert [violations(one) for one in done.records] == [[]] * len(done.records), done.records
    elsewhere = _ELSEWHERE.get(operation.name, []) if done.status == 200 else []
    names = sorted((one["eventName"], one["awsRegion"] != region) for one in done.records)
    assert names == sorted([(operation.name, False), *((name, True) for name in elsewhere)])
    record = next(one for one in done.records if one["awsRegion"] == region)
    assert record["eventSource"] == f"{operation.service}.amazonaws.com"
    assert record["readOnly"] is operation.records_as_read
    return record


def members_of(operation: Operation) -> list[str]:
    return sorted(operation.request().fields)


def shown_of(operation: Operation, members: dict[str, Any]) -> set[str]:
    """The names under which a record shows what was sent."""
    return {name[:1].lower() + name[1:] for name in operation.logged if name in members}


def test_all_operations_are_asked(service: Service, user: Credentials, nobody: Credentials) -> None:
    asked = set()
    for operation, members in each(service):
        body, place = body_of(operation, members), (operation.service, operation.name)
        asked.add(place)
        if operation.name not in _FREE:
            refused = check(ask(service, operation, body, by=nobody), operation)
            assert refused["errorCode"] == "AccessDenied", (operation, refused)
            assert set(refused["requestParameters"] or {}) >= shown_of(operation, members), (
                operation,
                refused,
            )
        with exhausted(service, operation):
            throttled = check(ask(service, operation, body, by=user), operation)
        assert throttled.get("errorCode") == "ThrottlingException", (operation, throttled)
        assert set(throttled["requestParameters"] or {}) >= shown_of(operation, members), (
            operation,
            throttled,
        )
        done = ask(service, operation, body, by=user)
        record = check(done, operation)
        assert (done.status == 200) is (operation.name not in NEVER), (operation, done.body)
        assert set(record["requestParameters"] or {}) >= shown_of(operation, members), (operation, record)
        if members_of(operation):
            failed = ask(service, operation, mistyped(operation, members_of(operation)[0]), by=user)
            assert failed.status == 400, failed
            assert check(failed, operation)["errorCode"]
    assert asked == {(one.service, one.name) for one in OPERATIONS} - {
        (one.service, one.name) for one in unsigned()
    }
