"""A server that holds requests for quota increases until the operator decides."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.server_process import ServerProcess

ALIASES = {"ServiceCode": "kms", "QuotaCode": "L-340F62FB"}
GRANTS = {"ServiceCode": "kms", "QuotaCode": "L-D594A657"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server"), "--quota-approval", "manual")
    yield process
    assert process.stop() == 0
    assert "Traceback" not in process.log.read_text()


@pytest.fixture(scope="module")
def quotas(server: ServerProcess) -> Any:
    return server.client("service-quotas")


def ask(quotas: Any, quota: dict[str, str], value: float) -> dict[str, Any]:
    request: dict[str, Any] = quotas.request_service_quota_increase(**quota, DesiredValue=value)[
        "RequestedQuota"
    ]
    return request


def value(quotas: Any, quota: dict[str, str]) -> float:
    found: float = quotas.get_service_quota(**quota)["Quota"]["Value"]
    return found


def test_a_request_waits_until_it_is_approved(server: ServerProcess, quotas: Any) -> None:
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for number in range(50):
        kms.create_alias(AliasName=f"alias/{number}", TargetKeyId=key)
    asked = ask(quotas, ALIASES, 51)
    assert (asked["Status"], value(quotas, ALIASES)) == ("PENDING", 50)
    with pytest.raises(ClientError, match="at most 50 aliases"):
        kms.create_alias(AliasName="alias/more", TargetKeyId=key)
    with pytest.raises(ClientError, match="Only one open service quota increase request") as refused:
        ask(quotas, ALIASES, 52)
    assert refused.value.response["Error"]["Code"] == "ResourceAlreadyExistsException"
    assert f"{asked['Id']}  {asked['Created']:%Y-%m-%dT%H:%M:%SZ}  PENDING  000000000000  us-east-1  AliasesPerKey  51" in (
        server.cli("quota", "requests").stdout
    )  # fmt: skip
    server.cli("quota", "approve", asked["Id"])
    kms.create_alias(AliasName="alias/more", TargetKeyId=key)
    settled = quotas.get_requested_service_quota_change(RequestId=asked["Id"])["RequestedQuota"]
    assert (settled["Status"], value(quotas, ALIASES)) == ("APPROVED", 51)
    assert settled["LastUpdated"] >= settled["Created"]
    (record,) = server.audit_records("--event", "ApproveQuotaIncrease")
    assert (record["userIdentity"]["type"], record["requestParameters"]) == (
        "Operator",
        {"requestId": asked["Id"]},
    )


def test_a_request_is_denied(server: ServerProcess, quotas: Any) -> None:
    asked = ask(quotas, GRANTS, 60_000)
    server.cli("quota", "deny", asked["Id"])
    assert value(quotas, GRANTS) == 50_000
    history = quotas.list_requested_service_quota_change_history_by_quota(**GRANTS)["RequestedQuotas"]
    assert [(one["Id"], one["Status"]) for one in history] == [(asked["Id"], "DENIED")]
    assert ask(quotas, GRANTS, 60_000)["Status"] == "PENDING"


def test_the_operator_decides_once(server: ServerProcess, quotas: Any) -> None:
    server.cli("quota", "set", "--quota", "KeysPerRegion", "--rate", "10")
    asked = ask(quotas, {"ServiceCode": "kms", "QuotaCode": "L-C2F1777E"}, 20)
    server.cli("quota", "set", "--quota", "KeysPerRegion", "--rate", "30")
    server.cli("quota", "approve", asked["Id"])
    assert value(quotas, {"ServiceCode": "kms", "QuotaCode": "L-C2F1777E"}) == 30
    for command in ("approve", "deny"):
        again = server.cli("quota", command, asked["Id"], check=False)
        assert (again.returncode, "is not open: see `kms-server quota requests`" in again.stderr) == (2, True)
    unknown = server.cli("quota", "approve", "r-1", check=False)
    assert (unknown.returncode, "there is no request r-1" in unknown.stderr) == (2, True)
