"""Whatever botocore's model of KMS has, the service has: a new release that adds something fails here with its name."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import ServiceModel

from kms_server.operations.registry import OPERATIONS
from tests.contract.test_botocore_extras import STOCK
from tests.contract.test_botocore_models import EXTENSIONS, MODELS, differences
from tests.unit.operations import model_check

OURS = {operation.name: operation for operation in OPERATIONS if operation.service == "kms"}


def missing(model: ServiceModel) -> list[str]:
    """What the model has and the service has not, and the reverse."""
    theirs = set(model.operation_names)
    found = [f"the service has no {name}" for name in sorted(theirs - OURS.keys())]
    found += [f"the model has no {name}" for name in sorted(OURS.keys() - theirs - EXTENSIONS)]
    for name in sorted(theirs & OURS.keys()):
        described, operation = model.operation_model(name), OURS[name]
        found += differences(operation.request, described.input_shape)
        if operation.response is not None and described.output_shape is not None:
            found += differences(operation.response, described.output_shape)
    return found


def test_the_service_has_all_56_operations_and_their_members() -> None:
    assert missing(MODELS["kms"]) == []
    assert len(OURS) == 56 + len(EXTENSIONS)


def changed(**shapes: Any) -> ServiceModel:
    return ServiceModel(STOCK | {"shapes": STOCK["shapes"] | shapes})


def with_member(shape: str, name: str, kind: str) -> dict[str, Any]:
    described: dict[str, Any] = STOCK["shapes"][shape]
    return described | {"members": described["members"] | {name: {"shape": kind}}}


def test_a_new_operation_is_named() -> None:
    described = STOCK["operations"]["EnableKey"] | {"name": "EnableKeyLater"}
    model = ServiceModel(STOCK | {"operations": STOCK["operations"] | {"EnableKeyLater": described}})
    assert missing(model) == ["the service has no EnableKeyLater"]


def test_an_operation_that_went_away_is_named() -> None:
    left = {name: one for name, one in STOCK["operations"].items() if name != "EnableKey"}
    assert missing(ServiceModel(STOCK | {"operations": left})) == ["the model has no EnableKey"]


@pytest.mark.parametrize("shape", ["SignRequest", "SignResponse", "KeyMetadata", "GrantConstraints"])
def test_a_new_member_is_named(shape: str) -> None:
    found = missing(changed(**{shape: with_member(shape, "Novelty", "KeyIdType")}))
    assert set(found) == {f"{shape}.Novelty is in only one of the two"}


def test_a_new_value_is_named() -> None:
    wider = STOCK["shapes"]["KeySpec"] | {"enum": [*STOCK["shapes"]["KeySpec"]["enum"], "ML_DSA_99"]}
    found = missing(changed(KeySpec=wider))
    assert "CreateKeyRequest.KeySpec has other values: {'ML_DSA_99'}" in found


def errors(operation: str, *codes: str) -> Iterator[str]:
    for code in codes:
        yield from model_check.of_error(operation, 400, {"__type": code})


def test_answers_that_are_not_the_models_are_noticed() -> None:
    key = {"KeyMetadata": {"KeyId": "k", "KeyState": "Enabled", "MultiRegion": False}}
    assert model_check.of_answer("CreateKey", key) == []
    for wrong in (
        {"KeyMetadata": {"KeyState": "Enabled"}},
        {"KeyMetadata": {"KeyId": "k", "Novelty": 1}},
        {"KeyMetadata": {"KeyId": "k", "KeyState": "Asleep"}},
        {"KeyMetadata": {"KeyId": ""}},
        {"KeyMetadata": {"KeyId": "k", "Enabled": 1}},
        {"KeyMetadata": {"KeyId": "k", "CreationDate": True}},
        {"KeyMetadata": {"KeyId": "k", "CurrentKeyMaterialId": "X" * 64}},
        None,
    ):
        assert len(model_check.of_answer("CreateKey", wrong)) == 1
    assert model_check.of_answer("EnableKey", None) == []
    assert model_check.of_answer("EnableKey", {}) != []


def test_errors_that_are_not_the_models_are_noticed() -> None:
    assert list(errors("Encrypt", "NotFoundException", "ValidationException")) == []
    assert list(errors("Encrypt", "TagException")) == ["Encrypt has no error TagException"]
    assert model_check.of_error("Encrypt", 404, {"__type": "NotFoundException", "Message": ""}) == [
        "Encrypt answers the error {'__type': 'NotFoundException', 'Message': ''}",
        "Encrypt answers NotFoundException with 404",
    ]


def test_what_of_sts_is_left_out() -> None:
    ours = {operation.name for operation in OPERATIONS if operation.service == "sts"}
    assert set(MODELS["sts"].operation_names) - ours == {
        "AssumeRoleWithSAML", "AssumeRoot", "DecodeAuthorizationMessage", "GetDelegatedAccessToken",
        "GetWebIdentityToken",
    }  # fmt: skip
    assert ours <= set(MODELS["sts"].operation_names)
