"""Nobody does anything without permission: every operation is refused, in the key's account and from outside."""

from typing import Any

import pytest

from kms_server.iam.principal import Issuer, Principal, Session
from kms_server.keys.states import KeyState
from kms_server.operations.registry import OPERATIONS
from tests.unit.operations.record_requests import of_kms
from tests.unit.operations.service import ACCOUNT, REGION, Refusal, Service
from tests.unit.operations.state_matrix import MATRIX, WITHOUT_KEY, Cell

OTHER_ACCOUNT = "444455556666"
DENIED = "AccessDeniedException"
ROWS = [*(row for row in MATRIX if " of " not in row), *sorted(WITHOUT_KEY)]
EXTENSIONS = (
    "ScheduleKeyRotation", "CancelScheduledKeyRotation", "InjectFault", "ListInjectedFaults", "RemoveInjectedFault",
)  # fmt: skip
IDENTIFIERS = ("KeyId", "TargetKeyId", "SourceKeyId", "DestinationKeyId")


Caller = dict[str, Any]


def a_user(service: Service, account: str) -> Caller:
    service.account(account)
    return {"by": service.user("nobody", account=account)[1]}


def a_session(_service: Service, account: str) -> Caller:
    role = Issuer("Role", "AROANOBODY", f"arn:aws:iam::{account}:role/nobody", account, "nobody")
    arn = f"arn:aws:sts::{account}:assumed-role/nobody/s"
    principal = Principal(
        "AssumedRole", account, arn, "AROANOBODY:s", "ASIANOBODY", session=Session(0.0, role)
    )
    return {"change": lambda call: setattr(call, "principal", principal)}


@pytest.fixture(scope="module", params=[ACCOUNT, OTHER_ACCOUNT], ids=["same-account", "other-account"])
def account(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module", params=[a_user, a_session])
def nobody(service: Service, account: str, request: pytest.FixtureRequest) -> Caller:
    """Someone who may do nothing."""
    caller: Caller = request.param(service, account)
    return caller


def test_the_rows_are_all_operations() -> None:
    names = {one.name for one in OPERATIONS if one.service == "kms"}
    assert {row.partition(" ")[0] for row in ROWS} == names
    assert len(names) == 56 + len(EXTENSIONS)


@pytest.mark.soak(but=2, each="row")
@pytest.mark.parametrize("row", ROWS)
def test_refused(service: Service, nobody: Caller, row: str) -> None:
    cell = Cell(row, KeyState.ENABLED, ".")
    members = of_kms(service, row)
    before = service.everything()
    assert service.refused(cell.operation, **nobody, **_by_arn(members)).code == DENIED
    assert service.everything() == before
    answer = service.call(cell.operation, **members)
    assert not isinstance(answer, Refusal) or "CustomKeyStore" in row


def _by_arn(members: dict[str, Any]) -> dict[str, Any]:
    """The request with ARNs of keys, which mean the same in any account."""
    named = {name: members[name] for name in IDENTIFIERS if name in members}
    prefix = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/"
    return members | {name: prefix + value.removeprefix(prefix) for name, value in named.items()}
