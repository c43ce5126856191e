"""The query protocol from a client's side, by botocore: forms from members, members from XML."""

from typing import Any
from urllib.parse import urlencode

import botocore.session
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

_LOADER = botocore.session.Session().get_component("data_loader")
MODELS = {
    service: ServiceModel(_LOADER.load_service_model(service, "service-2")) for service in ("iam", "sts")
}
FORM = "application/x-www-form-urlencoded"


def described(service: str, operation: str) -> Any:
    """An operation of the model."""
    return MODELS[service].operation_model(operation)


def form(service: str, operation: str, members: dict[str, Any]) -> bytes:
    """The body that a client sends."""
    return form_of(described(service, operation), members)


def form_of(operation: Any, members: dict[str, Any]) -> bytes:
    """The body that a client sends for an operation of any model."""
    serialized = create_serializer("query", include_validation=False).serialize_to_request(members, operation)
    return urlencode(serialized["body"]).encode()


def read(service: str, operation: str, status: int, body: bytes) -> dict[str, Any]:
    """What a client reads in an answer."""
    response = {"status_code": status, "headers": {}, "body": body}
    shape = described(service, operation).output_shape
    parsed: dict[str, Any] = create_parser("query").parse(response, shape)
    return parsed
