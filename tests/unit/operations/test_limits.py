"""What calls count as: against which quotas, of which account and Region, how many times."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from botocore.credentials import Credentials

from kms_server.quotas import subjects
from kms_server.storage import limits
from kms_server.storage.limits import SetLimit
from tests.unit.operations import granting
from tests.unit.operations.query_service import allow
from tests.unit.operations.service import ACCOUNT, REGION, REPLICA_REGION, Refusal, Service

SYMMETRIC, RSA = "CryptographicOperationsSymmetric", "CryptographicOperationsRsa"
_SLOW = 1e-3
_ids = count(200_000_000_000)


class Account:
    """An account that nobody else has, so that its buckets are full; its root makes the calls."""

    def __init__(self, service: Service) -> None:
        self.id = str(next(_ids))
        self.root = service.account(self.id)
        self._service = service

    def key(self, **members: Any) -> str:
        """The ARN of a new key."""
        made = self._service.ok("CreateKey", by=self.root, **members)
        arn: str = made["KeyMetadata"]["Arn"]
        return arn

    def open_key(self, other: "Account") -> str:
        """The ARN of a key that another account may use, too."""
        principals = [f"arn:aws:iam::{account}:root" for account in (self.id, other.id)]
        statement = {"Effect": "Allow", "Principal": {"AWS": principals}, "Action": "kms:*", "Resource": "*"}
        return self.key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    def throttled(self, operation: str, /, *, by: Credentials | None = None, **members: Any) -> bool:
        """Whether a call is throttled; it may fail otherwise."""
        answer = self._service.call(operation, by=by or self.root, **members)
        return isinstance(answer, Refusal) and answer.code == "ThrottlingException"

    def passing(self, operation: str, /, **members: Any) -> int:
        """How many of ten calls are not throttled."""
        return sum(not self.throttled(operation, **members) for _ in range(10))

    def quota(self, quota_id: str, region: str = REGION) -> str:
        """What a limit is set on."""
        return subjects.of_quota(self.id, region, quota_id)

    @contextmanager
    def limited(self, **bursts: int) -> Iterator[None]:
        """Limits on quotas in the Region; there are no tokens but the burst."""
        with limited(self._service, {self.quota(name): burst for name, burst in bursts.items()}):
            yield


@contextmanager
def limited(service: Service, bursts: dict[str, int]) -> Iterator[None]:
    """Limits for as long as the block takes; there are no tokens but the bursts."""
    with service.database.write() as tx:
        for subject, burst in bursts.items():
            limits.put(tx, SetLimit(subject, _SLOW, burst))
    yield
    with service.database.write() as tx:
        for subject in bursts:
            limits.remove(tx, subject)


@pytest.fixture
def payer(service: Service) -> Account:
    return Account(service)


@pytest.fixture
def other(service: Service) -> Account:
    return Account(service)


def test_an_operation_counts_against_its_own_quota(payer: Account) -> None:
    with payer.limited(ListKeys=3):
        assert payer.passing("ListKeys") == 3
        assert payer.passing("ListAliases") == 10
        assert payer.passing("ListKeys", region=REPLICA_REGION) == 10


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("GenerateRandom", {"NumberOfBytes": 0}),
        ("Encrypt", {"KeyId": "alias/none", "Plaintext": "", "GrantTokens": 7}),
        ("Sign", {}),
    ],
)
def test_cryptographic_calls_that_are_not_in_order_count_as_symmetric(
    payer: Account, operation: str, members: dict[str, Any]
) -> None:
    with payer.limited(**{SYMMETRIC: 3}):
        assert payer.passing(operation, **members) == 3


def test_a_replica_counts_once_here_and_as_two_keys_there(service: Service, payer: Account) -> None:
    primaries = [payer.key(MultiRegion=True) for _ in range(5)]
    there = {"ReplicaRegion": REPLICA_REGION}
    with payer.limited(ReplicateKey=4, CreateKey=1):
        with limited(service, {payer.quota("CreateKey", REPLICA_REGION): 5}):
            for primary in primaries[:2]:
                service.ok("ReplicateKey", by=payer.root, KeyId=primary, **there)
            assert payer.throttled("ReplicateKey", KeyId=primaries[2], **there), "two tokens, but one is left"
            assert payer.passing("CreateKey", region=REPLICA_REGION) == 1
        for primary in primaries[2:4]:
            service.ok("ReplicateKey", by=payer.root, KeyId=primary, **there)
        assert payer.throttled("ReplicateKey", KeyId=primaries[4], **there)
        assert payer.passing("CreateKey") == 1


@pytest.mark.parametrize("region", ["nowhere", "", 5, None, ["eu-west-1"]])
def test_a_replica_in_no_region_counts_once(payer: Account, region: Any) -> None:
    with payer.limited(ReplicateKey=3, CreateKey=1):
        assert payer.passing("ReplicateKey", KeyId="a", ReplicaRegion=region) == 3
        assert payer.passing("CreateKey") == 1


def replicated(payer: Account, service: Service) -> str:
    """A key with a replica."""
    primary = payer.key(MultiRegion=True)
    service.ok("ReplicateKey", by=payer.root, KeyId=primary, ReplicaRegion=REPLICA_REGION)
    return primary


@pytest.mark.parametrize("region", [REGION, REPLICA_REGION])
def test_moving_a_primary_counts_in_both_regions(service: Service, payer: Account, region: str) -> None:
    key_id = replicated(payer, service).rpartition("/")[2]
    with limited(service, {payer.quota("UpdatePrimaryRegion", region): 1}):
        service.ok("UpdatePrimaryRegion", by=payer.root, KeyId=key_id, PrimaryRegion=REPLICA_REGION)
        back = {"KeyId": key_id, "PrimaryRegion": REGION, "region": REPLICA_REGION}
        assert payer.throttled("UpdatePrimaryRegion", **back)
    service.ok("UpdatePrimaryRegion", by=payer.root, **back)


def test_a_primary_that_stays_counts_once(service: Service, payer: Account) -> None:
    primary = replicated(payer, service)
    with payer.limited(UpdatePrimaryRegion=3):
        assert payer.passing("UpdatePrimaryRegion", KeyId=primary, PrimaryRegion=REGION) == 3


def ciphertext(service: Service, payer: Account, key: str, **members: Any) -> bytes:
    blob: bytes = service.ok("Encrypt", by=payer.root, KeyId=key, Plaintext=b"x", **members)["CiphertextBlob"]
    return blob


def test_re_encrypting_takes_from_the_quotas_of_both_key_types(service: Service, payer: Account) -> None:
    symmetric, rsa = payer.key(), payer.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    into_rsa: Any = {
        "CiphertextBlob": ciphertext(service, payer, symmetric), "DestinationKeyId": rsa,
        "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    }  # fmt: skip
    with payer.limited(**{SYMMETRIC: 5, RSA: 2}):
        assert payer.passing("ReEncrypt", **into_rsa) == 2
        assert payer.passing("Encrypt", KeyId=symmetric, Plaintext=b"x") == 3
        assert payer.passing("GetPublicKey", KeyId=rsa) == 10


def test_re_encrypting_within_one_type_counts_once(service: Service, payer: Account) -> None:
    one, other = payer.key(), payer.key()
    blob = ciphertext(service, payer, one)
    with payer.limited(**{SYMMETRIC: 3}):
        assert payer.passing("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=other) == 3


def test_re_encrypting_takes_from_both_keys(service: Service, payer: Account) -> None:
    one, other = payer.key(), payer.key()
    blob, own = ciphertext(service, payer, one), subjects.of_key(other.rpartition("/")[2])
    with limited(service, {own: 3}):
        assert payer.passing("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=other) == 3
        assert payer.passing("Encrypt", KeyId=other, Plaintext=b"x") == 0
        assert payer.passing("Encrypt", KeyId=one, Plaintext=b"x") == 10


def test_what_a_cryptographic_call_counts_as_follows_from_the_key(payer: Account) -> None:
    symmetric, rsa = payer.key(), payer.key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    mac = payer.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    sign: Any = {"KeyId": rsa, "Message": b"x", "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    with payer.limited(**{SYMMETRIC: 4, RSA: 2, "GenerateDataKeyPairECC_NIST_P256": 1}):
        assert payer.passing("Sign", **sign) == 2
        assert not payer.throttled("GenerateRandom", NumberOfBytes=1)
        assert not payer.throttled("GenerateMac", KeyId=mac, Message=b"x", MacAlgorithm="HMAC_SHA_256")
        assert payer.passing("GenerateDataKeyPair", KeyId=symmetric, KeyPairSpec="ECC_NIST_P256") == 1
        assert payer.passing("Encrypt", KeyId=symmetric, Plaintext=b"x", DryRun=True) == 2


def test_a_call_counts_once_however_often_it_is_begun(payer: Account) -> None:
    """RSA material that is made on the way has a creation begin anew."""
    with payer.limited(CreateKey=3):
        assert payer.passing("CreateKey", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY") == 3


def test_the_callers_account_pays(service: Service, payer: Account, other: Account) -> None:
    key = payer.open_key(other)
    with payer.limited(**{SYMMETRIC: 1}), other.limited(**{SYMMETRIC: 3}):
        assert other.passing("Encrypt", KeyId=key, Plaintext=b"x") == 3
        assert payer.passing("Encrypt", KeyId=key, Plaintext=b"x") == 1


def test_a_keys_own_limit_is_for_the_callers_of_all_accounts(
    service: Service, payer: Account, other: Account
) -> None:
    key = payer.open_key(other)
    with limited(service, {subjects.of_key(key.rpartition("/")[2]): 3}):
        assert not payer.throttled("Encrypt", KeyId=key, Plaintext=b"x")
        assert other.passing("Encrypt", KeyId=key, Plaintext=b"x") == 2
        assert payer.passing("Encrypt", KeyId=key, Plaintext=b"x") == 0
        assert payer.passing("DescribeKey", KeyId=key) == 10, "a limit on a key is for its cryptography"


def test_limits_by_alias_and_tag_follow_the_labels_at_once(service: Service, payer: Account) -> None:
    key: Any = {"KeyId": payer.key()}
    by_tag = subjects.of_tag(payer.id, REGION, "a:b=%", "pro*")
    by_alias = subjects.of_alias(payer.id, REGION, "alias/app-*")
    with limited(service, {by_tag: 2, by_alias: 3}):
        assert payer.passing("Encrypt", Plaintext=b"x", **key) == 10
        service.ok("TagResource", by=payer.root, Tags=[{"TagKey": "a:b=%", "TagValue": "prod"}], **key)
        assert payer.passing("Encrypt", Plaintext=b"x", **key) == 2
        service.ok("UntagResource", by=payer.root, TagKeys=["a:b=%"], **key)
        alias = {"AliasName": "alias/app-x"}
        service.ok("CreateAlias", by=payer.root, TargetKeyId=key["KeyId"], **alias)
        assert payer.passing("Encrypt", Plaintext=b"x", **key) == 3
        service.ok("DeleteAlias", by=payer.root, **alias)
        assert payer.passing("Encrypt", Plaintext=b"x", **key) == 10


def test_the_sessions_of_a_role_share_a_limit_and_users_do_not(service: Service, payer: Account) -> None:
    role = granting.role(service, allow("kms:*"))
    one, two = (granting.session(service, role, name) for name in ("one", "two"))
    mira, otto = (granting.user(service, allow("kms:*")) for _ in range(2))
    users = subjects.of_principal(f"arn:aws:iam::{ACCOUNT}:user/*")
    with limited(service, {subjects.of_principal(role.arn): 3, users: 2}):
        assert [payer.passing("ListKeys", by=caller.by) for caller in (one, two, mira, otto)] == [3, 0, 2, 2]
        assert payer.passing("ListKeys") == 10
