"""What is told of the last uses of keys is the same before and after their records are pruned."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials

from kms_server.audit import event_id
from kms_server.audit.sealing import seal
from kms_server.clock import DAY
from kms_server.config import Limits, Settings
from kms_server.server.audit_proof import checkpoints_of
from kms_server.server.audit_retention import pruner_of
from kms_server.server.state import open_state
from kms_server.storage import last_uses
from tests.databases import Place, new_url
from tests.unit.audit.pruning_scene import planned
from tests.unit.operations.query_service import Iam
from tests.unit.operations.service import REGION, Service


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return Place(tmp_path / "data", new_url(postgres) if postgres else None)


@pytest.fixture
def service(place: Place) -> Iterator[Service]:
    made = Service(place.directory, Limits(segment_rows=2), place.url)
    yield made
    made.close()


@pytest.fixture
def iam(service: Service) -> Iam:
    return Iam(service)


def prune(place: Place, service: Service) -> int:
    """Move the clock on and prune all that is old; how many management events went."""
    service.advance(100 * DAY)
    state = open_state(Settings(place.directory, database_url=place.url))
    for directory in (state.settings.audit_dir, state.settings.data_audit_dir):
        seal(directory)
    pruner = pruner_of(state, checkpoints_of(state))
    plan = planned(pruner, event_id.floor(state.clock.now() - 90 * DAY), None)
    went = sum(freed.rows for freed in pruner.carry_out(plan))
    state.database.close()
    return went


def encrypt(service: Service, key_id: str, **members: Any) -> None:
    """A use whose record is on disk, in a full segment: each has two."""
    service.ok("Encrypt", KeyId=key_id, Plaintext=b"x", **members)
    for _ in range(2):  # these wait for their records, which come behind
        Iam(service).ok("ListUsers")


def credentials(key: dict[str, Any]) -> Credentials:
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def test_of_kms_keys(place: Place, service: Service) -> None:
    used, unused = service.key()["KeyId"], service.key()["KeyId"]
    encrypt(service, used)
    before = [service.ok("GetKeyLastUsage", KeyId=one) for one in (used, unused)]
    assert before[0]["KeyLastUsage"]["Operation"] == "Encrypt"
    assert prune(place, service) > 3
    with service.database.read() as connection:
        assert last_uses.of_key(connection, used, REGION) is not None
    assert [service.ok("GetKeyLastUsage", KeyId=one) for one in (used, unused)] == before
    encrypt(service, used)
    assert service.ok("GetKeyLastUsage", KeyId=used) != before[0]


def test_the_newest_use_stays(place: Place, service: Service) -> None:
    key = service.key()["KeyId"]
    encrypt(service, key)
    prune(place, service)
    encrypt(service, key)
    before = service.ok("GetKeyLastUsage", KeyId=key)
    prune(place, service)
    assert service.ok("GetKeyLastUsage", KeyId=key) == before


def test_of_access_keys(place: Place, service: Service, iam: Iam) -> None:
    iam.ok("CreateUser", UserName="mira")
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    iam.ok("PutUserPolicy", UserName="mira", PolicyName="p", PolicyDocument=policy)
    key = iam.ok("CreateAccessKey", UserName="mira")["AccessKey"]
    encrypt(service, service.key()["KeyId"], by=credentials(key))
    before = iam.ok("GetAccessKeyLastUsed", AccessKeyId=key["AccessKeyId"])
    assert before["AccessKeyLastUsed"]["ServiceName"] == "kms"
    assert prune(place, service) > 3
    assert iam.ok("GetAccessKeyLastUsed", AccessKeyId=key["AccessKeyId"]) == before


def test_days_without_use_are_counted_from_it(place: Place, service: Service) -> None:
    condition = {"NumericGreaterThanEquals": {"kms:TrailingDaysWithoutKeyUsage": "150"}}
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "kms:DisableKey",
        "Resource": "*",
        "Condition": condition,
    }
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed, statement]})
    key = service.key(Policy=policy)["KeyId"]
    service.advance(60 * DAY)
    encrypt(service, key)
    prune(place, service)
    service.ok("DisableKey", KeyId=key)
    service.advance(60 * DAY)
    assert service.refused("DisableKey", KeyId=key).code == "AccessDeniedException"
