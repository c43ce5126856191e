"""Principals of key policies: they exist, are kept by unique id and are shown by their present ARNs."""

import json
from typing import Any

import pytest

from kms_server.storage import identities
from kms_server.storage import keys as key_storage
from tests.unit.operations.granting import OTHER, OTHER_ROOT, ROOT, delete, encrypts, role, session, user
from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.service import ACCOUNT, REGION, REPLICA_REGION, Refusal, Service

INVALID = Refusal(
    "MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals."
)
MANAGE = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "NotAction": "kms:Encrypt", "Resource": "*"}


def policy(principal: Any, **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "kms:Encrypt", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [MANAGE, statement | more]})


def shown(service: Service, arn: str) -> Any:
    return json.loads(service.ok("GetKeyPolicy", KeyId=arn)["Policy"])["Statement"][1]["Principal"]


def kept(service: Service, arn: str) -> str:
    with service.database.read() as connection:
        key = key_storage.get(connection, arn.rpartition("/")[2], REGION)
    assert key is not None
    return key.policy


@pytest.mark.covers("key policies: principals exist", "allowed")
def test_who_exists_is_shown_as_it_was_named(service: Service) -> None:
    service.account(OTHER)
    mira, whole = user(service), role(service)
    one = session(service, whole)
    names = [
        mira.arn, whole.arn, one.arn, ROOT, OTHER_ROOT, OTHER, f"arn:aws:sts::{ACCOUNT}:federated-user/bob", "*",
    ]  # fmt: skip
    principal = {"AWS": names, "Service": "backup.amazonaws.com"}
    arn = service.key(Policy=policy(principal))["Arn"]
    assert shown(service, arn) == principal
    stored = kept(service, arn)
    for caller in (mira, one):
        assert caller.arn not in stored
        assert f'"{caller.unique_id}"' in stored
    assert f'"{whole.unique_id}"' in stored


@pytest.mark.covers("key policies: principals exist", "denied")
@pytest.mark.parametrize(
    "principal",
    [
        {"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"}, {"AWS": f"arn:aws:iam::{ACCOUNT}:role/nobody"},
        {"AWS": [ROOT, f"arn:aws:iam::{ACCOUNT}:user/nobody"]}, {"AWS": "999900001111"},
        {"AWS": "arn:aws:iam::999900001111:root"}, {"AWS": "arn:aws:sts::999900001111:federated-user/bob"},
        {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/nobody/s-1"}, {"AWS": "AIDAAAAAAAAAAAAAAAAAA"},
        {"Service": "backup"}, {"Service": "*"}, {"Service": "backup.example.com"}, {"Service": ["s3.amazonaws.com", "s3"]},
    ],
)  # fmt: skip
def test_who_does_not_exist_is_refused(service: Service, keys: Keys, principal: Any) -> None:
    key, primary = keys.arn("symmetric"), keys.arn("primary")
    document = policy(principal)
    assert service.refused("CreateKey", Policy=document) == INVALID
    assert service.unchanged("PutKeyPolicy", KeyId=key, Policy=document) == INVALID
    replica: Any = {"KeyId": primary, "ReplicaRegion": REPLICA_REGION, "Policy": document}
    assert service.unchanged("ReplicateKey", **replica) == INVALID


def test_unique_ids_are_not_for_clients(service: Service) -> None:
    mira, whole = user(service), role(service)
    for name in (mira.unique_id, whole.unique_id, f"{whole.unique_id}:s-1"):
        assert service.refused("CreateKey", Policy=policy({"AWS": name})) == INVALID


def test_not_principal_names_who_exists_too(service: Service) -> None:
    nobody = {"AWS": [ROOT, f"arn:aws:iam::{ACCOUNT}:user/nobody"]}
    deny: Any = {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}
    document = {"Statement": [MANAGE, deny | {"NotPrincipal": nobody}]}
    assert service.refused("CreateKey", Policy=json.dumps(document)) == INVALID
    mira = user(service)
    document = {"Statement": [MANAGE, deny | {"NotPrincipal": {"AWS": [ROOT, mira.arn]}}]}
    arn = service.key(Policy=json.dumps(document))["Arn"]
    listed = json.loads(service.ok("GetKeyPolicy", KeyId=arn)["Policy"])["Statement"][1]
    assert listed == document["Statement"][1]


@pytest.mark.covers("key policies: deleted principals", "allowed")
@pytest.mark.covers("key policies: deleted principals", "denied")
def test_who_gets_the_name_of_somebody_deleted_gets_nothing(service: Service) -> None:
    first = user(service, name="former")
    arn = service.key(Policy=policy({"AWS": first.arn}))["Arn"]
    assert encrypts(service, first, arn)
    delete(service, first.unique_id)
    assert shown(service, arn) == {"AWS": first.unique_id}
    second = user(service, name="former")
    assert second.arn == first.arn
    assert not encrypts(service, second, arn)
    assert shown(service, arn) == {"AWS": first.unique_id}
    again = service.ok("GetKeyPolicy", KeyId=arn)["Policy"]
    assert service.refused("PutKeyPolicy", KeyId=arn, Policy=again) == INVALID


@pytest.mark.covers("evaluation: principals by unique id", "allowed")
@pytest.mark.covers("evaluation: principals by unique id", "denied")
def test_roles_and_sessions_in_key_policies(service: Service) -> None:
    whole = role(service)
    first, second = (session(service, whole, name) for name in ("s-1", "s-2"))
    by_role = service.key(Policy=policy({"AWS": whole.arn}))["Arn"]
    by_session = service.key(Policy=policy({"AWS": first.arn}))["Arn"]
    assert [encrypts(service, one, by_role) for one in (first, second)] == [True, True]
    assert [encrypts(service, one, by_session) for one in (first, second)] == [True, False]
    with service.database.write() as tx:
        identities.change(tx, whole, path="/moved/")
    assert shown(service, by_role) == {"AWS": whole.arn.replace("role/", "role/moved/")}
    assert encrypts(service, first, by_role)


def test_a_replica_shows_who_may_use_it(service: Service, keys: Keys) -> None:
    mira = user(service)
    document = policy({"AWS": mira.arn})
    told = service.ok(
        "ReplicateKey", KeyId=keys.new("primary"), ReplicaRegion=REPLICA_REGION, Policy=document
    )
    assert json.loads(told["ReplicaPolicy"]) == json.loads(document)


def test_the_largest_policy_stays_one(service: Service) -> None:
    """What is stored is compiled at each use, and must be within the limit however numbers are written."""
    mira = user(service)
    large = policy({"AWS": mira.arn}, Condition={"NumericEquals": {"aws:EpochTime": [1e15] * 1_600}})
    small = json.loads(large) | {"Id": ""}
    room = 32_768 - len(json.dumps(small).encode())
    arn = service.key(Policy=json.dumps(small | {"Id": "x" * room}))["Arn"]
    assert service.ok("DescribeKey", KeyId=arn)
    short = large.replace("1000000000000000.0", "1e15").replace(" ", "")
    wide = short.replace("[1e15", "[" + "1e15," * 3_000 + "1e15")
    assert len(wide) < 32_768
    assert service.refused("CreateKey", Policy=wide).code == "LimitExceededException"
