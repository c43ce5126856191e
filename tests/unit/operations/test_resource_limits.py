"""Every limit on how much there may be of something: the last one fits, one more is refused and changes nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kms_server.quotas import table
from tests.unit.operations.service import ACCOUNT, REGION, REPLICA_REGION, Service

KEYS, ALIASES, GRANTS = 4, 3, 2
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
EXCEEDED = "LimitExceededException"


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with room for little."""
    made = Service(tmp_path_factory.mktemp("small") / "data")
    for region in (REGION, REPLICA_REGION):
        for quota, value in ((table.KEYS, KEYS), (table.ALIASES, ALIASES), (table.GRANTS, GRANTS)):
            made.limit(quota, value, region=region)
    yield made
    made.close()


def policy_of(size: int) -> str:
    """A key policy of `size` bytes."""
    statement = {"Sid": "", "Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    missing = size - len(json.dumps({"Statement": statement}))
    return json.dumps({"Statement": statement | {"Sid": "s" * missing}})


def test_keys_of_a_region(small: Service) -> None:
    made = [small.key()["KeyId"] for _ in range(KEYS - 1)]
    primary = small.key(MultiRegion=True)["KeyId"]
    assert small.refused("CreateKey").code == EXCEEDED
    assert small.refused("CreateKey", Origin="EXTERNAL").code == EXCEEDED
    assert len(small.ok("ListKeys")["Keys"]) == KEYS
    small.ok("ScheduleKeyDeletion", KeyId=made[0], PendingWindowInDays=7)
    assert small.refused("CreateKey").code == EXCEEDED
    small.ok("CreateKey", region=REPLICA_REGION)
    small.ok("CreateKey", by=small.account("111122223333"))
    small.ok("DescribeKey", KeyId="alias/aws/s3")
    small.advance(8 * 86_400)
    small.key()
    assert small.refused("CreateKey").code == EXCEEDED
    assert small.rows(primary)["keys"] != []


def test_replicas_count_in_their_region(small: Service) -> None:
    primaries = [small.key(MultiRegion=True)["KeyId"] for _ in range(2)]
    for _ in range(KEYS - 1):
        small.ok("CreateKey", region=REPLICA_REGION)
    small.ok("ReplicateKey", KeyId=primaries[0], ReplicaRegion=REPLICA_REGION)
    before = small.rows(primaries[1])
    asked = {"KeyId": primaries[1], "ReplicaRegion": REPLICA_REGION}
    assert small.refused("ReplicateKey", **asked).code == EXCEEDED
    assert small.rows(primaries[1]) == before


def test_aliases_of_a_key(small: Service) -> None:
    full, other = (small.key()["KeyId"] for _ in range(2))
    for number in range(ALIASES):
        small.ok("CreateAlias", AliasName=f"alias/{number}", TargetKeyId=full)
    small.ok("CreateAlias", AliasName="alias/other", TargetKeyId=other)
    before = small.rows(full), small.rows(other)
    assert small.refused("CreateAlias", AliasName="alias/more", TargetKeyId=full).code == EXCEEDED
    assert small.refused("UpdateAlias", AliasName="alias/other", TargetKeyId=full).code == EXCEEDED
    assert before == (small.rows(full), small.rows(other))
    small.ok("UpdateAlias", AliasName="alias/0", TargetKeyId=full)
    small.ok("UpdateAlias", AliasName="alias/0", TargetKeyId=other)
    small.ok("UpdateAlias", AliasName="alias/other", TargetKeyId=full)


def test_rotations_on_demand(small: Service) -> None:
    key_id = small.key()["KeyId"]
    small.limit(table.ON_DEMAND_ROTATIONS, 2)
    for _ in range(2):
        small.ok("RotateKeyOnDemand", KeyId=key_id)
    assert small.unchanged("RotateKeyOnDemand", KeyId=key_id).code == EXCEEDED


def test_a_profile_without_limit(tmp_path: Path) -> None:
    profile = tmp_path / "wide.toml"
    profile.write_text('base = "unlimited"\nquotas = { KeysPerRegion = "unlimited", AliasesPerKey = 1.9 }')
    wide = Service(tmp_path / "data", profile=str(profile))
    key_id = wide.key()["KeyId"]
    wide.ok("CreateAlias", AliasName="alias/a", TargetKeyId=key_id)
    refusal = wide.refused("CreateAlias", AliasName="alias/b", TargetKeyId=key_id)
    assert refusal == (EXCEEDED, "A KMS key can have at most 1 aliases.")
    wide.close()


@pytest.mark.covers("grants: limits", "allowed")
@pytest.mark.covers("grants: limits", "denied")
def test_grants_of_a_key(small: Service) -> None:
    key_id = small.key()["KeyId"]
    asked: Any = {"KeyId": key_id, "GranteePrincipal": ROOT, "Operations": ["Encrypt"]}
    made = [small.ok("CreateGrant", Name=f"{number}", **asked)["GrantId"] for number in range(GRANTS)]
    before = small.rows(key_id)
    assert small.refused("CreateGrant", **asked).code == EXCEEDED
    assert small.refused("CreateGrant", DryRun=True, **asked).code == EXCEEDED
    assert small.ok("CreateGrant", Name="0", **asked)["GrantId"] == made[0]
    assert small.rows(key_id) == before
    for leave in ("RevokeGrant", "RetireGrant"):
        small.ok(leave, KeyId=key_id, GrantId=made.pop())
        small.ok("CreateGrant", **asked)
        assert small.refused("CreateGrant", **asked).code == EXCEEDED
    other = small.key()["KeyId"]
    small.ok("CreateGrant", **asked | {"KeyId": other})


def test_tags_of_a_key(service: Service) -> None:
    tags = [{"TagKey": f"k{number}", "TagValue": "v"} for number in range(50)]
    key_id = service.key(Tags=tags)["KeyId"]
    service.ok("TagResource", KeyId=key_id, Tags=[{"TagKey": "k0", "TagValue": "new"}])
    before = service.rows(key_id)
    expected = ("TagException", "Too many tags")
    assert service.refused("TagResource", KeyId=key_id, Tags=[{"TagKey": "more", "TagValue": ""}]) == expected
    assert service.rows(key_id) == before
    service.ok("UntagResource", KeyId=key_id, TagKeys=["k1", "absent"])
    service.ok("TagResource", KeyId=key_id, Tags=[{"TagKey": "more", "TagValue": ""}])


@pytest.mark.covers("key policies: size", "allowed")
@pytest.mark.covers("key policies: size", "denied")
def test_bytes_of_a_policy(service: Service) -> None:
    fits, more = policy_of(32_768), policy_of(32_769)
    assert (len(fits), len(more)) == (32_768, 32_769)
    key_id = service.key(MultiRegion=True, Policy=fits)["KeyId"]
    before = service.rows(key_id)
    assert service.refused("CreateKey", Policy=more).code == EXCEEDED
    assert service.refused("PutKeyPolicy", KeyId=key_id, Policy=more).code == EXCEEDED
    replica = {"KeyId": key_id, "ReplicaRegion": REPLICA_REGION, "Policy": more}
    assert service.refused("ReplicateKey", **replica).code == EXCEEDED
    assert service.rows(key_id) == before
    service.ok("PutKeyPolicy", KeyId=key_id, Policy=fits)


def test_bytes_of_a_policy_are_counted_in_utf_8(service: Service) -> None:
    key_id = service.key()["KeyId"]
    policy = policy_of(32_768).replace("s" * 20_000, "\u00e9" * 10_001)
    assert len(policy) < 32_768 < len(policy.encode())
    assert service.refused("PutKeyPolicy", KeyId=key_id, Policy=policy).code == EXCEEDED


def test_pairs_of_a_grants_constraint(service: Service) -> None:
    key_id = service.key()["KeyId"]
    asked: Any = {"KeyId": key_id, "GranteePrincipal": ROOT, "Operations": ["Encrypt"]}
    for name in ("EncryptionContextEquals", "EncryptionContextSubset"):
        pairs = {str(number): "v" * 384 for number in range(8)}
        service.ok("CreateGrant", Constraints={name: pairs}, **asked)
        before = service.rows(key_id)
        for wrong in (pairs | {"8": "v"}, {"0": "v" * 385}):
            refusal = service.refused("CreateGrant", Constraints={name: wrong}, **asked)
            assert refusal.code == "ValidationException"
        assert service.rows(key_id) == before


def test_bytes_of_an_encryption_context(service: Service) -> None:
    key_id = service.key()["KeyId"]
    asked: Any = {"KeyId": key_id, "Plaintext": b"p"}
    service.ok("Encrypt", EncryptionContext={"k": "v" * 8_000}, **asked)
    for operation in ("Encrypt", "GenerateDataKey"):
        members = asked if operation == "Encrypt" else {"KeyId": key_id, "NumberOfBytes": 1}
        refusal = service.refused(operation, EncryptionContext={"k": "v" * 8_200}, **members)
        assert refusal.code == "ValidationException"
