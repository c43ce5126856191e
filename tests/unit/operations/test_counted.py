"""What records count against is what the server charged, for every operation; other records count for nothing."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.credentials import Credentials

from kms_server.errors import OperatorError
from kms_server.keys.specs import KEY_SPECS, SIGN
from kms_server.operations.call import Operation
from kms_server.operations.counted import attempt_of
from kms_server.operations.registry import OPERATIONS, find
from kms_server.quotas import meters
from kms_server.quotas.subjects import of_quota
from kms_server.quotas.table import QUOTAS
from kms_server.storage import limits as stored
from tests.unit.operations import query_service as query
from tests.unit.operations.key_kinds import KINDS, Keys
from tests.unit.operations.record_calls import Record, ask, body_of, exhausted
from tests.unit.operations.record_requests import each, unsigned
from tests.unit.operations.service import ACCOUNT, REGION, REPLICA_REGION, Service

RECORD: Record = {
    "eventVersion": "1.11", "userIdentity": {"type": "IAMUser", "accountId": ACCOUNT}, "eventTime": "2026-11-20T09:14:07Z",
    "eventSource": "kms.amazonaws.com", "eventName": "Encrypt", "awsRegion": REGION,
    "requestParameters": {"encryptionAlgorithm": "SYMMETRIC_DEFAULT"}, "responseElements": None,
    "eventID": "b2c4a6e8-17d3-4f59-8a6b-90c1d2e3f405", "resources": [{"ARN": "arn"}], "eventType": "AwsApiCall",
    "recipientAccountId": ACCOUNT,
}  # fmt: skip
Tokens = dict[str, int]
SYMMETRIC, RSA, ECC = (
    {of_quota(ACCOUNT, REGION, f"CryptographicOperations{family}"): 1} for family in ("Symmetric", "Rsa", "Ecc")
)  # fmt: skip
OAEP = "RSAES_OAEP_SHA_256"
AWAY = "222222222222"
_REGIONS = (REGION, REPLICA_REGION, "eu-central-1")  # where requests go, and where they replicate to
SECOND = 1_795_166_047


def counted(record: Mapping[str, Any]) -> Tokens:
    """The tokens of an attempt, by their limits."""
    attempt = attempt_of(record)
    return {of_quota(*one[:3]): one[3] for one in attempt.counts} if attempt else {}


class Metered:
    """A service all of whose quotas have a limit that nothing reaches, so that each counts what it lets pass."""

    def __init__(self, service: Service) -> None:
        self.service = service
        with service.database.write() as tx:
            for quota in QUOTAS.values():
                for region in _REGIONS if quota.is_rate else ():
                    stored.put(tx, stored.SetLimit(of_quota(ACCOUNT, region, quota.id), 1e9, None))

    def agrees(
        self, operation: Operation, members: Mapping[str, Any], by: Credentials | None = None
    ) -> list[Record]:
        """Make a call; one of its records says what limits it was charged to, the others nothing."""
        before = self._passed()
        records = ask(self.service, operation, body_of(operation, members), by=by).records
        after = self._passed()
        charged = {subject for subject in after if after[subject] > before.get(subject, 0)}
        told = [set(found) for record in records if (found := counted(record))]
        assert charged
        assert told == [charged], (operation, records)
        return records

    def _passed(self) -> Tokens:
        counts = meters.read(self.service._worker.state.settings.state_dir / "usage")
        return {subject: count.passed for subject, count in counts.items()}


@pytest.fixture(scope="module")
def metered(service: Service) -> Metered:
    return Metered(service)


def test_every_operation_is_charged_as_its_record_says(metered: Metered) -> None:
    user = query.user(metered.service, "all", query.allow("*"))[1]
    nobody = query.user(metered.service, "nobody")[1]
    asked = set()
    for operation, members in each(metered.service):
        asked.add((operation.service, operation.name))
        metered.agrees(operation, members, nobody)
        metered.agrees(operation, members, user)
    assert asked == {(one.service, one.name) for one in OPERATIONS} - {
        (one.service, one.name) for one in unsigned()
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.service}-{one.name}")
def test_no_operation_is_without_an_answer(operation: Operation) -> None:
    named = {"eventSource": f"{operation.service}.amazonaws.com", "eventName": operation.name}
    attempt = attempt_of(RECORD | named)
    assert attempt
    assert {QUOTAS[quota_id].is_rate for _, _, quota_id, _ in attempt.counts} == {True}


def test_the_key_decides(metered: Metered, keys: Keys) -> None:
    """Calls with a key of each kind that signs, and what is refused before there is one."""
    for kind in ("rsa-signing", "signing", "p384", "edwards", "ml-dsa"):
        spec = KEY_SPECS[KINDS[kind]["KeySpec"]]
        members = {"Message": b"m", "SigningAlgorithm": spec.algorithms[SIGN][0]}
        [record] = metered.agrees(find("kms", "Sign"), members | {"KeyId": keys.arn(kind)})
        assert counted(record) == {of_quota(ACCOUNT, REGION, spec.quota): 1}
        [record] = metered.agrees(find("kms", "Sign"), members | {"KeyId": "alias/none"})
        assert (record["errorCode"], counted(record)) == ("NotFoundException", SYMMETRIC)


@pytest.mark.parametrize("missing", ["alias/none", "arn:aws:kms"])
def test_a_second_key_that_is_not_found_leaves_none(metered: Metered, keys: Keys, missing: str) -> None:
    sealed = metered.service.ok("Encrypt", KeyId=keys.arn("rsa"), Plaintext=b"x", EncryptionAlgorithm=OAEP)
    members = {
        "CiphertextBlob": sealed["CiphertextBlob"], "SourceKeyId": keys.arn("rsa"), "SourceEncryptionAlgorithm": OAEP,
        "DestinationKeyId": missing,
    }  # fmt: skip
    [record] = metered.agrees(find("kms", "ReEncrypt"), members)
    assert (bool(record["resources"]), counted(record)) == (True, SYMMETRIC)


def test_both_keys_of_a_reencryption_count(metered: Metered, keys: Keys) -> None:
    sealed = metered.service.ok("Encrypt", KeyId=keys.arn("symmetric"), Plaintext=b"p")["CiphertextBlob"]
    for kind, algorithm, quotas in (
        ("rsa", OAEP, SYMMETRIC | RSA),
        ("other", "SYMMETRIC_DEFAULT", SYMMETRIC),
    ):
        [record] = metered.agrees(find("kms", "ReEncrypt"), {
            "CiphertextBlob": sealed, "DestinationKeyId": keys.arn(kind), "DestinationEncryptionAlgorithm": algorithm,
        })  # fmt: skip
        assert counted(record) == quotas


def test_a_replica_counts_in_its_region(metered: Metered) -> None:
    """The record of the new key there counts for nothing beside it; so does the one of a move."""
    key = metered.service.key(MultiRegion=True)["Arn"]
    replicated = metered.agrees(find("kms", "ReplicateKey"), {"KeyId": key, "ReplicaRegion": REPLICA_REGION})
    assert sorted(map(counted, replicated), key=len) == [
        {}, {of_quota(ACCOUNT, REGION, "ReplicateKey"): 1, of_quota(ACCOUNT, REPLICA_REGION, "CreateKey"): 2},
    ]  # fmt: skip
    moved = metered.agrees(
        find("kms", "UpdatePrimaryRegion"), {"KeyId": key, "PrimaryRegion": REPLICA_REGION}
    )
    assert sorted(map(counted, moved), key=len) == [
        {}, {of_quota(ACCOUNT, region, "UpdatePrimaryRegion"): 1 for region in (REGION, REPLICA_REGION)},
    ]  # fmt: skip


def test_the_caller_pays_and_the_owners_copy_counts_for_nothing(metered: Metered) -> None:
    service = metered.service
    stranger = query.user(service, "stranger", query.allow("*"), account=AWAY)[1]
    roots = [f"arn:aws:iam::{account}:root" for account in (ACCOUNT, AWAY)]
    policy = {"Effect": "Allow", "Principal": {"AWS": roots}, "Action": "kms:*", "Resource": "*"}
    key = service.key(Policy=json.dumps({"Statement": [policy]}))["Arn"]
    encrypt = find("kms", "Encrypt")
    records = ask(service, encrypt, body_of(encrypt, {"KeyId": key, "Plaintext": b"p"}), by=stranger).records
    told = {record["recipientAccountId"]: counted(record) for record in records}
    assert told == {AWAY: {of_quota(AWAY, REGION, "CryptographicOperationsSymmetric"): 1}, ACCOUNT: {}}


def test_a_throttled_call_is_an_attempt(metered: Metered, keys: Keys) -> None:
    sign = find("kms", "Sign")
    members = {"KeyId": keys.arn("signing"), "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
    with exhausted(metered.service, sign):
        [record] = ask(metered.service, sign, body_of(sign, members)).records
    assert (record["errorCode"], counted(record)) == ("ThrottlingException", ECC)


def test_times_are_to_the_millisecond(service: Service) -> None:
    """By the event id; where that has none, or another second, the record's time counts to the second."""
    before = round(service._worker.state.clock.now() * 1_000)
    [record] = ask(service, find("kms", "ListKeys"), b"{}").records
    told, coarse = attempt_of(record), attempt_of(record | {"eventTime": "2026-11-20T09:14:07Z"})
    assert told
    assert coarse
    assert told.exact
    assert before <= told.time <= round(service._worker.state.clock.now() * 1_000)
    assert (coarse.time, coarse.exact) == (SECOND * 1_000, False)


def test_records_of_others() -> None:
    attempt = attempt_of(RECORD)
    assert attempt
    assert (attempt.time, attempt.exact, len(attempt.event_id)) == (SECOND * 1_000, False, 16)
    assert attempt.counts == ((ACCOUNT, REGION, "CryptographicOperationsSymmetric", 1),)
    finer = attempt_of(RECORD | {"eventTime": "2026-11-20T10:14:07.250+01:00"})
    assert finer
    assert (finer.time, finer.exact) == (SECOND * 1_000 + 250, True)


@pytest.mark.parametrize(
    "change",
    [
        {"eventType": "AwsServiceEvent"}, {"eventType": None}, {"eventSource": "s3.amazonaws.com"},
        {"eventName": "SynchronizeMultiRegionKey"}, {"recipientAccountId": AWAY},
        {"userIdentity": {"type": "AWSAccount", "accountId": "ANONYMOUS_PRINCIPAL"}},
        {"userIdentity": {"type": "AWSService"}, "recipientAccountId": None},
    ],
)  # fmt: skip
def test_what_counts_for_nobody(change: Record) -> None:
    assert attempt_of(RECORD | change) is None


def test_what_a_service_asks_for_by_itself_counts_for_whose_record_it_is() -> None:
    change = {"userIdentity": {"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"}}
    assert counted(RECORD | change) == SYMMETRIC


@pytest.mark.parametrize(
    "change",
    [
        {"requestParameters": None}, {"requestParameters": {"encryptionAlgorithm": ["x"]}},
        {"requestParameters": {"encryptionAlgorithm": "SM2PKE"}},
        {"responseElements": 7, "eventName": "GenerateDataKey"},
        {"eventName": "GenerateDataKeyPair", "requestParameters": {"keyPairSpec": {}}},
    ],
)  # fmt: skip
def test_what_names_no_algorithm_that_is_known_counts_as_symmetric(change: Record) -> None:
    assert counted(RECORD | change) == SYMMETRIC


@pytest.mark.parametrize(
    "change",
    [
        {"eventSource": None}, {"eventName": 7}, {"awsRegion": "nowhere"}, {"awsRegion": None}, {"eventID": None},
        {"eventID": "x"}, {"eventID": "b2c4"}, {"eventTime": None}, {"eventTime": "yesterday"},
        {"eventTime": "2026-11-20T09:14:07"}, {"eventTime": "1969-11-20T09:14:07Z"}, {"userIdentity": None},
        {"requestParameters": [1]}, {"eventTime": "9999-12-31T23:59:59-01:00"}, {"eventTime": "0001-01-01T00:00:00+01:00"},
    ],
)  # fmt: skip
def test_what_is_no_record(change: Record) -> None:
    with pytest.raises(OperatorError, match="the record"):
        attempt_of(RECORD | change)


def test_an_algorithm_is_of_one_quota() -> None:
    """What a record names decides, whatever the key's spec."""
    found: dict[str, set[str]] = {}
    for spec in KEY_SPECS.values():
        for algorithms in spec.algorithms.values():
            for algorithm in algorithms:
                found.setdefault(algorithm, set()).add(spec.quota)
    assert {algorithm: quotas for algorithm, quotas in found.items() if len(quotas) > 1} == {}
