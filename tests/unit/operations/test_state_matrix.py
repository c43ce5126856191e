"""Every operation in every key state: it happens, or it is refused in AWS's words and nothing changes."""

import pytest

from kms_server.keys.states import KeyState
from kms_server.operations.registry import OPERATIONS
from tests.unit.operations import scenes
from tests.unit.operations.service import ACCOUNT, REGION, Refusal, Service
from tests.unit.operations.state_matrix import AFTERWARDS, CELLS, REFUSALS, WITHOUT_KEY, Cell


def test_the_table_has_every_operation_and_every_state() -> None:
    assert {cell.operation for cell in CELLS} | WITHOUT_KEY == {
        operation.name for operation in OPERATIONS if operation.service == "kms"
    }
    assert {cell.state for cell in CELLS} == set(KeyState)


@pytest.mark.soak(but=2, each="cell.row")
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.row.replace(' ', '-')}-{cell.state}")
def test_cell(service: Service, cell: Cell) -> None:
    key_id = scenes.make_key(service, cell)
    request = scenes.members(service, cell, key_id)
    scenes.bring_into(service, key_id, cell.state)
    before = service.rows(key_id)
    answer = service.call(cell.operation, **request)
    if cell.letter == ".":
        assert not isinstance(answer, Refusal)
        assert service.state_of(key_id) == AFTERWARDS.get(cell.row, {}).get(cell.state, cell.state)
        return
    assert service.rows(key_id) == before
    assert isinstance(answer, Refusal)
    if cell.letter != "-":
        code, text = REFUSALS[cell.letter]
        assert answer == (code, f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key_id} {text}")


@pytest.mark.parametrize("state", [KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION])
def test_a_key_without_material_waits_for_it_again_when_its_deletion_is_cancelled(
    service: Service, state: KeyState
) -> None:
    key_id = scenes.make_key(service, Cell("ImportKeyMaterial", state, "."))
    service.ok("DeleteImportedKeyMaterial", KeyId=key_id)
    scenes.bring_into(service, key_id, state)
    service.ok("CancelKeyDeletion", KeyId=key_id)
    assert service.state_of(key_id) == KeyState.PENDING_IMPORT


def test_the_table_of_states_is_in_the_metadata(service: Service) -> None:
    key = service.key()
    for state in (KeyState.UNAVAILABLE, KeyState.CREATING, KeyState.UPDATING, KeyState.DISABLED):
        service.set_state(key["KeyId"], state)
        shown = service.ok("DescribeKey", KeyId=key["KeyId"])["KeyMetadata"]
        assert shown == key | {"KeyState": state, "Enabled": False}
