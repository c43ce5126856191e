"""Our schemas against botocore's models: every member, type, constraint and error, and nothing else."""

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.model import ServiceModel
from marshmallow import Schema

from kms_server import errors
from kms_server.errors import ServiceError
from kms_server.operations.call import Operation
from kms_server.operations.registry import OPERATIONS
from kms_server.protocol import query_faults
from kms_server.schemas import fields

EXTENSIONS = {
    "ScheduleKeyRotation", "CancelScheduledKeyRotation", "InjectFault", "ListInjectedFaults", "RemoveInjectedFault",
}  # fmt: skip
EXTENSION_MEMBERS = {("GetKeyRotationStatusResponse", "ScheduledRotationDate")}
MODELLED = [operation for operation in OPERATIONS if operation.name not in EXTENSIONS]
# Errors of the services' own answer these, so the operation checks them.
CHECKED_BY_HAND = {
    "LookupAttribute.AttributeKey", "LookupEventsRequest.EventCategory", "LookupEventsRequest.MaxResults",
    "ListServicesRequest.NextToken", "ListServiceQuotasRequest.NextToken", "ListAWSDefaultServiceQuotasRequest.NextToken",
    "ListRequestedServiceQuotaChangeHistoryRequest.NextToken",
    "ListRequestedServiceQuotaChangeHistoryByQuotaRequest.NextToken",
}  # fmt: skip
KINDS = {
    fields.Text: "string", fields.Choice: "string", fields.Blob: "blob", fields.Integer: "integer", fields.Number: "double",
    fields.Boolean: "boolean", fields.Timestamp: "timestamp", fields.ListOf: "list", fields.MapOf: "map",
    fields.Structure: "structure",
}  # fmt: skip


def model(service: str) -> ServiceModel:
    session = botocore.session.Session()
    return ServiceModel(session.get_component("data_loader").load_service_model(service, "service-2"))


MODELS = {service: model(service) for service in ("kms", "cloudtrail", "iam", "sts")}
MODELS["servicequotas"] = model("service-quotas")


def differences(schema: type[Schema], shape: Any) -> Iterator[str]:
    ours = schema().fields
    if shape is None:  # an operation without input
        yield from (f"{schema.__name__}.{name} is in only one of the two" for name in ours)
        return
    extra = {member for name, member in EXTENSION_MEMBERS if name == schema.__name__}
    for name in ours.keys() ^ shape.members.keys() - extra:
        if name not in extra:
            yield f"{schema.__name__}.{name} is in only one of the two"
    for name in ours.keys() & shape.members.keys():
        place = f"{schema.__name__}.{name}"
        if ours[name].required != (name in shape.required_members) and not place.startswith("KeyMetadata"):
            yield f"{place} is required in only one of the two"
        if place not in CHECKED_BY_HAND:
            yield from member_differences(place, ours[name], shape.members[name])


def member_differences(place: str, member: Any, shape: Any) -> Iterator[str]:
    kind = KINDS[type(member).__mro__[0]] if type(member) in KINDS else KINDS[type(member).__mro__[1]]
    if kind != shape.type_name.replace("long", "integer"):
        yield f"{place} is a {kind}, in the model a {shape.type_name}"
        return
    meta = shape.metadata
    if isinstance(member, fields.Structure):
        yield from differences(member.schema_class, shape)
    elif isinstance(member, fields.ListOf):
        yield from member_differences(f"{place}[]", member.inner, shape.member)
    elif isinstance(member, fields.Choice):
        if set(member.values) != set(meta.get("enum", ())):
            yield f"{place} has other values: {set(member.values) ^ set(meta.get('enum', ()))}"
    elif isinstance(member, fields.Text) and member.pattern != meta.get("pattern"):
        yield f"{place} has the pattern {member.pattern}, in the model {meta.get('pattern')}"
    bounded = isinstance(member, (fields.Text, fields.Blob, fields.Integer, fields.Number, fields.ListOf))
    bounded = bounded and not isinstance(member, fields.Choice)
    wanted = (meta.get("min", 0), meta.get("max"))
    if bounded and wanted not in ((0, None), (member.low, member.high)):
        yield f"{place} has bounds {member.low}..{member.high}, in the model {meta}"


@pytest.mark.parametrize("operation", MODELLED, ids=lambda operation: operation.name)
def test_shapes(operation: Operation) -> None:
    described = MODELS[operation.service].operation_model(operation.name)
    found = list(differences(operation.request, described.input_shape))
    if operation.response is not None:
        found += differences(operation.response, described.output_shape)
    assert (operation.response is None) == (described.output_shape is None)
    assert found == []


@pytest.mark.parametrize("operation", MODELLED, ids=lambda operation: operation.name)
def test_errors(operation: Operation) -> None:
    described = MODELS[operation.service].operation_model(operation.name)
    modelled = {shape.name for shape in described.error_shapes}
    assert {error.code for error in operation.errors} <= modelled


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_codes_and_statuses_of_the_query_protocol(service: str) -> None:
    """As the models have them, for every shape that we answer and that says something about it."""
    ours = {error.code: error for error in service_errors()}
    ours["ExpiredTokenException"] = errors.ExpiredIdentityToken
    described = {
        shape.name: shape.metadata["error"]
        for shape in MODELS[service].error_shapes
        if "error" in shape.metadata
    }
    assert ours.keys() & described.keys() >= {"MalformedPolicyDocumentException"}
    for name in ours.keys() & described.keys():
        error, wanted = ours[name], described[name]
        found = (query_faults.code_of(error), query_faults.status_of(error))
        assert found == (wanted["code"], wanted["httpStatusCode"]), name


def service_errors() -> list[type[ServiceError]]:
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type)
        and issubclass(value, ServiceError)
        and value not in (ServiceError, errors.ServerFault)
    ]


def test_error_classes_are_the_models_shapes() -> None:
    modelled = {shape.name for service in MODELS.values() for shape in service.error_shapes}
    front_door = {
        "MissingAuthenticationTokenException", "IncompleteSignatureException", "InvalidSignatureException",
        "UnrecognizedClientException", "ExpiredTokenException", "UnknownOperationException", "SerializationException",
        "ValidationException", "RequestEntityTooLargeException", "ThrottlingException", "AccessDeniedException",
        "NotAuthorizedException",
    }  # fmt: skip
    assert {error.code for error in service_errors()} - front_door <= modelled


def test_extensions_are_not_in_the_model() -> None:
    assert EXTENSIONS.isdisjoint(MODELS["kms"].operation_names)
