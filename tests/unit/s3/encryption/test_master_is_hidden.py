"""No client of the KMS gets at the master of SSE-S3."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kms_server.arn import key_arn
from kms_server.audit.ledger import Ledger
from kms_server.operations.call import Services
from kms_server.s3.encryption.master import ACCOUNT, ALIAS, Master
from kms_server.storage import aliases
from tests.unit.operations.service import REGION, Service

_MEMBERS: dict[str, dict[str, Any]] = {
    "Encrypt": {"Plaintext": b"x"}, "GenerateDataKey": {"NumberOfBytes": 32}
}  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("service") / "data")
    yield made
    made.close()


@pytest.fixture
def sealed(service: Service) -> bytes:
    state = service._worker.state
    keyring = service._worker.pipeline._services.keyring
    services = SimpleNamespace(
        database=service.database,
        keyring=keyring,
        root_key=state.root_key,
        clock=state.clock,
        ledger=Ledger(state.chain_key),
    )
    keyring.refresh(may_block=True)
    return Master(cast("Services", services)).seal(REGION, b"secret", b"bound").data


def _key_id(service: Service) -> str:
    with service.database.read() as connection:
        alias = aliases.get(connection, ACCOUNT, REGION, ALIAS)
    assert alias is not None
    return alias.key_id


def test_its_id_and_arn_are_as_those_of_a_stranger_s_key(service: Service, sealed: bytes) -> None:
    key_id = _key_id(service)
    stranger = service.account("999999999999")
    other = service.ok("CreateKey", by=stranger)["KeyMetadata"]
    named = {key_id: other["KeyId"], key_arn(REGION, ACCOUNT, key_id): other["Arn"]}
    for operation in ("DescribeKey", "Encrypt", "GenerateDataKey", "DisableKey", "ScheduleKeyDeletion"):
        members = _MEMBERS.get(operation, {})
        for own, foreign in named.items():
            refused = service.refused(operation, KeyId=own, **members)
            expected = service.refused(operation, KeyId=foreign, **members)
            assert refused.code == expected.code
            assert refused.text.replace(own, "") == expected.text.replace(foreign, "")


def test_its_ciphertexts_do_not_open(service: Service, sealed: bytes) -> None:
    assert service.refused("Decrypt", CiphertextBlob=sealed).code == "AccessDeniedException"
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:{ALIAS}"
    assert service.refused("Encrypt", KeyId=alias, Plaintext=b"x").code == "AccessDeniedException"
    assert service.refused("Encrypt", KeyId=ALIAS, Plaintext=b"x").code == "NotFoundException"


def test_it_is_listed_for_nobody(service: Service, sealed: bytes) -> None:
    key_id = _key_id(service)
    assert key_id not in {one["KeyId"] for one in service.ok("ListKeys")["Keys"]}
    assert ALIAS not in {one["AliasName"] for one in service.ok("ListAliases")["Aliases"]}


def test_it_rotates_with_the_others(service: Service, sealed: bytes) -> None:
    service.advance(31 * 86_400)
    rows = service.rows(_key_id(service))
    assert len(rows["backing_keys"]) == 2
