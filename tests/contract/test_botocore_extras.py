"""The model beside the stock one: what boto3 learns of our extensions, and that it learns nothing else."""

import copy
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ParamValidationError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

import kms_server
from kms_server.operations.registry import OPERATIONS
from kms_server.schemas import rotation
from tests.contract.test_botocore_models import EXTENSION_MEMBERS, EXTENSIONS, differences

DATA = str(Path(kms_server.__file__).parent / "botocore_data")


def loaded(*places: str) -> dict[str, Any]:
    model: dict[str, Any] = Loader(extra_search_paths=list(places)).load_service_model("kms", "service-2")
    return model


STOCK, MERGED = loaded(), loaded(DATA)
MODEL = ServiceModel(MERGED)


@pytest.fixture(scope="module")
def client() -> Any:
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths.append(DATA)
    return session.create_client(
        "kms",
        "us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        endpoint_url="http://127.0.0.1:1",
    )


def test_stock_operations_stay_as_they_are() -> None:
    names = STOCK["operations"].keys()
    assert MERGED["operations"].keys() - names == EXTENSIONS
    assert {name: MERGED["operations"][name] for name in names} == STOCK["operations"]
    assert {name: part for name, part in MERGED.items() if name not in ("operations", "shapes")} == {
        name: part for name, part in STOCK.items() if name not in ("operations", "shapes")
    }


def test_stock_shapes_stay_as_they_are_but_for_our_members() -> None:
    expected = copy.deepcopy(STOCK["shapes"])
    for shape, member in EXTENSION_MEMBERS:
        expected[shape]["members"][member] = {"shape": "DateType"}
    assert {name: MERGED["shapes"][name] for name in expected} == expected
    assert MERGED["shapes"].keys() - expected.keys() == {
        "ScheduleKeyRotationRequest", "ScheduleKeyRotationResponse", "CancelScheduledKeyRotationRequest",
        "InjectFaultRequest", "InjectFaultResponse", "ListInjectedFaultsRequest", "ListInjectedFaultsResponse",
        "RemoveInjectedFaultRequest", "InjectedFaultList", "InjectedFault", "InjectedErrorType", "InjectedDelayType",
        "InjectedOperationType", "PrincipalPatternType", "FaultScheduleType", "FaultCallsType", "FaultCallsSeenType",
        "FaultIdType",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(EXTENSIONS))
def test_extensions_are_as_our_schemas_say(name: str) -> None:
    described: OperationModel = MODEL.operation_model(name)
    (operation,) = (one for one in OPERATIONS if one.name == name)
    assert list(differences(operation.request, described.input_shape)) == []
    assert (operation.response is None) == (described.output_shape is None)
    if operation.response is not None:
        assert list(differences(operation.response, described.output_shape)) == []
    assert {error.code for error in operation.errors} <= {shape.name for shape in described.error_shapes}


def test_the_status_of_rotation_shows_the_date() -> None:
    shape: Any = MODEL.shape_for("GetKeyRotationStatusResponse")
    assert shape.members["ScheduledRotationDate"].type_name == "timestamp"
    assert list(differences(rotation.GetKeyRotationStatusResponse, shape)) == []


@pytest.mark.parametrize(
    ("method", "members", "required"),
    [
        ("schedule_key_rotation", {"KeyId", "RotationDate", "RotationPeriodInDays"}, "KeyId"),
        ("cancel_scheduled_key_rotation", {"KeyId"}, "KeyId"),
        ("remove_injected_fault", {"FaultId"}, "FaultId"),
    ],
)
def test_a_client_has_the_methods(client: Any, method: str, members: set[str], required: str) -> None:
    described = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
    assert described.input_shape.members.keys() == members
    assert described.input_shape.required_members == [required]
    with pytest.raises(ParamValidationError, match=f'Missing required parameter in input: "{required}"'):
        getattr(client, method)()
