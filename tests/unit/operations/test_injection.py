"""Injected faults meet the calls that match, each call at most once, and leave nothing behind."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from kms_server.iam.principal import Issuer, Principal, Session
from kms_server.keyring.cache import WouldBlock
from kms_server.operations.call import Call
from kms_server.operations.registry import find
from kms_server.server.pipeline import Arrival, Outcome, Stage, resumed
from kms_server.storage import injected_faults
from tests.unit.operations import query_service as query
from tests.unit.operations.injecting import THROTTLED, clear, code, encrypt, inject, seen
from tests.unit.operations.record_calls import ask, body_of
from tests.unit.operations.service import ACCOUNT, Refusal, Service

OTHER_ACCOUNT = "111122223333"
TEXT = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    clear(service)


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    key_id: str = service.key()["KeyId"]
    service.ok("CreateAlias", AliasName="alias/faulty", TargetKeyId=key_id)
    return key_id


@pytest.fixture(scope="module")
def other(service: Service) -> str:
    key_id: str = service.key()["KeyId"]
    return key_id


def test_a_call_is_met_as_the_schedule_says(service: Service, key: str) -> None:
    inject(service, "1101", calls=6)
    found = [encrypt(service, key) for _ in range(8)]
    assert found == [THROTTLED, THROTTLED, "", THROTTLED, THROTTLED, THROTTLED, "", ""]
    assert seen(service) == []


def test_faults_queue(service: Service, key: str) -> None:
    inject(service, "10", calls=2)
    inject(service, "01", calls=2)
    counted = []
    found = []
    for _ in range(5):
        found.append(encrypt(service, key))
        counted.append(seen(service))
    assert found == [THROTTLED, "", "", THROTTLED, ""]
    assert counted == [[1, 0], [0], [1], [], []]


def test_only_calls_that_match_count(service: Service, key: str, other: str) -> None:
    inject(service, operation="Decrypt")
    inject(service, key_id=other)
    inject(service, principal="*:user/nobody-at-all")
    inject(service, account=OTHER_ACCOUNT)
    assert encrypt(service, key) == ""
    assert seen(service) == [0, 0, 0, 0]
    assert encrypt(service, other) == THROTTLED
    blob = service.ok("Encrypt", KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    assert code(service, "Decrypt", CiphertextBlob=blob) == THROTTLED
    assert encrypt(service, key, by=service.account(OTHER_ACCOUNT)) == THROTTLED
    assert seen(service) == [0]


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("Encrypt", {"KeyId": "alias/faulty", "Plaintext": b"p"}),
        ("GenerateDataKey", {"KeyId": f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/faulty", "NumberOfBytes": 8}),
        ("DescribeKey", {"KeyId": "alias/faulty"}),
        ("ListGrants", {"KeyId": None}),
        ("CreateAlias", {"AliasName": "alias/new", "TargetKeyId": None}),
    ],
)
def test_a_key_is_matched_however_it_is_named(
    service: Service, key: str, operation: str, members: dict[str, Any]
) -> None:
    inject(service, key_id=key)
    named = {name: key if value is None else value for name, value in members.items()}
    assert code(service, operation, **named) == THROTTLED


def test_a_re_encryption_is_met_by_either_key(service: Service, key: str, other: str) -> None:
    blob = service.ok("Encrypt", KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    for one in (key, other):
        inject(service, key_id=one)
        assert code(service, "ReEncrypt", CiphertextBlob=blob, DestinationKeyId=other) == THROTTLED
    assert code(service, "ReEncrypt", CiphertextBlob=blob, DestinationKeyId=other) == ""


@pytest.mark.parametrize("named", ["", "alias/no-such", "a\0b", "k" * 3_000, ["k"], {"k": "k"}, 7, True])
def test_a_request_that_names_no_key_matches_none(service: Service, key: str, named: object) -> None:
    inject(service, key_id=key)
    assert code(service, "DescribeKey", KeyId=named) in {
        "NotFoundException",
        "SerializationException",
        "ValidationException",
    }
    assert seen(service) == [0]


def by_role(account: str = ACCOUNT) -> Callable[[Call], None]:
    role = Issuer("Role", "AROAAPP", f"arn:aws:iam::{account}:role/app", account, "app")
    arn = f"arn:aws:sts::{account}:assumed-role/app/session"
    principal = Principal(
        "AssumedRole", account, arn, "AROAAPP:session", "ASIAAPP", session=Session(0.0, role)
    )
    return lambda call: setattr(call, "principal", principal)


@pytest.mark.parametrize("pattern", ["*:role/app", "arn:aws:sts::*:assumed-role/app/*", "*:role/ap?"])
def test_a_session_is_matched_by_its_own_arn_and_its_roles(service: Service, key: str, pattern: str) -> None:
    inject(service, principal=pattern)
    assert encrypt(service, key) == ""
    assert encrypt(service, key, change=by_role()) == THROTTLED


def test_a_call_that_is_refused_counts_too(service: Service, key: str) -> None:
    arn, by = service.user("denied")
    inject(service, "01", calls=2, principal=arn, key_id=key)
    assert encrypt(service, key, by=by) == "AccessDeniedException"
    assert seen(service) == [1]
    assert encrypt(service, key, by=by) == THROTTLED


def test_a_call_that_is_refused_is_on_record_when_it_cannot_be_counted(
    service: Service, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(service)

    def fail(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(injected_faults, "take", fail)
    operation = find("kms", "Encrypt")
    done = ask(service, operation, body_of(operation, {"KeyId": "alias/no-such", "Plaintext": b"p"}))
    assert (done.status, done.record["errorCode"]) == (500, "KMSInternalException")


def test_other_services_are_met_where_the_operation_is_named(service: Service) -> None:
    inject(service, calls=1)
    query.ok(service, "iam", "ListUsers")
    inject(service, operation="ListUsers")
    assert query.refused(service, "iam", "ListUsers").code == "Throttling"
    assert seen(service) == [0]


@pytest.mark.parametrize(
    ("error", "status"),
    [(THROTTLED, 400), ("KMSInternalException", 500), ("DependencyTimeoutException", 503)],
)
def test_the_answer_and_its_record_are_those_of_the_error(
    service: Service, key: str, error: str, status: int
) -> None:
    inject(service, error=error)
    operation = find("kms", "Encrypt")
    done = ask(service, operation, body_of(operation, {"KeyId": key, "Plaintext": b"p"}))
    assert (done.status, json.loads(done.body)["__type"]) == (status, error)
    assert done.record["errorCode"] == error
    assert done.record["requestParameters"]["keyId"] == key
    assert [one["ARN"].rpartition("/")[2] for one in done.record["resources"]] == [key]


def test_a_throttled_change_changes_nothing(service: Service, key: str) -> None:
    inject(service, key_id=key)
    assert service.unchanged("DisableKey", KeyId=key) == Refusal(THROTTLED, TEXT)
    service.ok("DisableKey", KeyId=key)
    service.ok("EnableKey", KeyId=key)


def arrived(service: Service, operation: str, **members: Any) -> Arrival:
    """A request as the event loop has it."""
    aws = find("kms", operation) if operation != "GetCallerIdentity" else find("sts", operation)
    taken: list[Arrival] = []

    def keep(call: Call) -> None:
        taken.append(Arrival(call.request, may_block=False))

    ask(service, aws, body_of(aws, members), change=keep)
    return taken[0]


def may_not_block(service: Service, operation: str, **members: Any) -> None:
    """Take a call through the stages as the event loop does, whatever jobs change meanwhile."""
    work: Any = arrived(service, operation, **members)
    with service._worker.memory.recent():
        for stage in service._worker.pipeline.stages:
            work = stage(work)
            assert not isinstance(work, Outcome) or stage is service._worker.pipeline.stages[-1]


def test_whoever_may_not_wait_is_told_before_anything_is_counted(service: Service, key: str) -> None:
    encrypted: dict[str, Any] = {"KeyId": key, "Plaintext": b"p"}
    encrypt(service, key)  # which learns of all that has changed
    may_not_block(service, "Encrypt", **encrypted)
    inject(service, "01", operation="Encrypt", calls=None)
    inject(service, "01", operation="GetCallerIdentity", calls=None)
    may_not_block(service, "GenerateRandom", NumberOfBytes=1)
    for operation in ("Encrypt", "GetCallerIdentity"):
        members = encrypted if operation == "Encrypt" else {}
        with pytest.raises(WouldBlock):
            may_not_block(service, operation, **members)
    # One call of each was made by a thread.
    assert seen(service) == [1, 1]


def blocked(stages: Sequence[Stage], work: Any) -> tuple[Stage, Any]:
    """The stage that may not wait and has to, and what it took."""
    for stage in stages:
        taken = work
        try:
            work = stage(taken)
        except WouldBlock:
            return stage, taken
    pytest.fail("no stage has to wait")


def test_whoever_is_taken_up_again_is_met_all_the_same(service: Service, key: str) -> None:
    stages = service._worker.pipeline.stages
    arrival = arrived(service, "Encrypt", KeyId=key, Plaintext=b"p")
    inject(service, "1", operation="Encrypt", calls=None)
    encrypt(service, key)  # which learns of the fault
    with service._worker.memory.recent():  # jobs may have changed something else
        stage, taken = blocked(stages, arrival)
    assert stage is not stages[0]
    begin, work = resumed(stages, stage, taken, arrival.request, may_block=True)
    for stage in stages[stages.index(begin) :]:
        work = stage(work)
    assert isinstance(work, Outcome)
    assert b"ThrottlingException" in work.response.body
    assert seen(service) == [2]
