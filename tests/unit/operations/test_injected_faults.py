"""InjectFault, ListInjectedFaults, RemoveInjectedFault: each account injects faults into its own calls, where it may."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.credentials import Credentials

from tests.unit.operations.injecting import THROTTLED, clear, code, encrypt, inject, seen
from tests.unit.operations.service import Service

OTHER_ACCOUNT = "111122223333"


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    clear(service)


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    key_id: str = service.key()["KeyId"]
    service.ok("CreateAlias", AliasName="alias/faulty", TargetKeyId=key_id)
    return key_id


ALLOWED = ("kms:InjectFault", "kms:ListInjectedFaults", "kms:RemoveInjectedFault")


@pytest.fixture(scope="module")
def tester(service: Service) -> Credentials:
    return service.user("tester", *ALLOWED)[1]


def test_what_is_injected_is_listed_and_removed(service: Service, tester: Credentials, key: str) -> None:
    told: dict[str, Any] = {
        "Error": THROTTLED, "DelayInMilliseconds": 20, "Operation": "Encrypt", "KeyId": key, "Principal": "*:root",
        "Schedule": "0101", "Calls": 9,
    }  # fmt: skip
    fault_id = service.ok("InjectFault", by=tester, **told | {"KeyId": "alias/faulty"})["FaultId"]
    assert encrypt(service, key) == ""
    [listed] = service.ok("ListInjectedFaults", by=tester)["Faults"]
    assert listed.pop("CreationDate") > 0
    assert listed == told | {"FaultId": fault_id, "CallsSeen": 1}
    service.ok("RemoveInjectedFault", by=tester, FaultId=fault_id)
    assert service.ok("ListInjectedFaults")["Faults"] == []
    assert service.refused("RemoveInjectedFault", by=tester, FaultId=fault_id).code == "NotFoundException"


@pytest.mark.parametrize(
    ("asked", "calls"),
    [
        ({"Error": THROTTLED}, 1),
        ({"Error": THROTTLED, "Schedule": "0011"}, 4),
        ({"DelayInMilliseconds": 1, "Calls": 1_000_000_000}, 1_000_000_000),
        ({"DelayInMilliseconds": 25_000, "Schedule": "1" * 1_000, "Forever": True}, None),
        ({"Error": THROTTLED, "Forever": False, "Principal": "p" * 1_024}, 1),
    ],
    ids=range(5),
)
def test_a_schedule_is_gone_through_once_unless_calls_are_given(
    service: Service, asked: dict[str, Any], calls: int | None
) -> None:
    service.ok("InjectFault", **asked)
    [fault] = service.ok("ListInjectedFaults")["Faults"]
    assert fault.get("Calls") == calls


@pytest.mark.parametrize(
    "asked",
    [
        {}, {"DelayInMilliseconds": 0}, {"Error": "AccessDeniedException"}, {"DelayInMilliseconds": 25_001},
        {"DelayInMilliseconds": -1}, {"Error": THROTTLED, "Calls": 0}, {"Error": THROTTLED, "Calls": 1_000_000_001},
        {"Error": THROTTLED, "Schedule": ""}, {"Error": THROTTLED, "Schedule": "000"},
        {"Error": THROTTLED, "Schedule": "1" * 1_001}, {"Error": THROTTLED, "Schedule": "12"},
        {"Error": THROTTLED, "Calls": 2, "Forever": True}, {"Error": THROTTLED, "Principal": ""},
        {"Error": THROTTLED, "Principal": "p" * 1_025}, {"Error": THROTTLED, "Operation": "Encrpyt"},
        {"Error": THROTTLED, "Operation": "InjectFault"},
    ],
    ids=range(16),
)  # fmt: skip
def test_faults_that_cannot_be_meant(service: Service, asked: dict[str, Any]) -> None:
    assert service.refused("InjectFault", **asked).code == "ValidationException"
    assert seen(service) == []


def test_there_are_a_hundred_at_most(service: Service) -> None:
    for _ in range(100):
        inject(service, operation="CreateCustomKeyStore")
    assert service.refused("InjectFault", Error=THROTTLED).code == "LimitExceededException"
    assert len(seen(service)) == 100


def test_accounts_do_not_reach_each_other(service: Service, key: str) -> None:
    stranger = service.account(OTHER_ACCOUNT)
    fault_id = service.ok("InjectFault", by=stranger, Error=THROTTLED)["FaultId"]
    assert encrypt(service, key) == ""
    assert service.ok("ListInjectedFaults")["Faults"] == []
    assert service.refused("RemoveInjectedFault", FaultId=fault_id).code == "NotFoundException"
    arn = service.ok("DescribeKey", KeyId=key)["KeyMetadata"]["Arn"]
    refused = service.refused("InjectFault", by=stranger, Error=THROTTLED, KeyId=arn)
    assert refused.code == "AccessDeniedException"
    assert code(service, "ListKeys", by=stranger) == THROTTLED


def test_no_fault_meets_the_operations_that_are_about_faults(service: Service) -> None:
    inject(service, calls=None)
    fault_id = service.ok("InjectFault", Error=THROTTLED)["FaultId"]
    service.ok("ListInjectedFaults")
    service.ok("RemoveInjectedFault", FaultId=fault_id)
    assert seen(service) == [0]
    assert code(service, "ListKeys") == THROTTLED


@pytest.mark.parametrize("operation", ["InjectFault", "ListInjectedFaults", "RemoveInjectedFault"])
def test_a_server_that_does_not_allow_it_says_how(service: Service, operation: str) -> None:
    members = {"InjectFault": {"Error": THROTTLED}, "RemoveInjectedFault": {"FaultId": "0"}}.get(
        operation, {}
    )
    service.allow_faults("0")
    try:
        refused = service.refused(operation, **members)
    finally:
        service.allow_faults()
    assert refused.code == "UnsupportedOperationException"
    assert "KMS_SERVER_FAULT_INJECTION=1" in refused.text
    assert seen(service) == []
