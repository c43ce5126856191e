"""The operations of query services in the OpenAPI document: a form goes in, XML comes out."""

from typing import Any

from kms_server.operations.call import Operation
from kms_server.operations.openapi_members import FormMembers, XmlMembers
from kms_server.protocol.query_faults import CONTENT_TYPE, NAMESPACES, code_of
from kms_server.protocol.query_reader import FORM_TYPE, VERSIONS

_TEXT = {"type": "string"}
_VERSION_OF = {service: version for version, service in VERSIONS.items()}
ERROR: dict[str, Any] = {
    "type": "object",
    "xml": {"name": "ErrorResponse"},
    "properties": {
        "Error": {
            "type": "object",
            "required": ["Type", "Code", "Message"],
            "properties": {
                "Type": {"type": "string", "enum": ["Sender", "Receiver"]},
                "Code": _TEXT,
                "Message": _TEXT,
            },
        },
        "RequestId": _TEXT,
    },
}


def path(operation: Operation) -> str:
    """Where an operation stands: all share `POST /`."""
    return f"/#Action={operation.name}&Version={_VERSION_OF[operation.service]}"


def described(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI operation; the structures of its answer are collected in `schemas`."""
    errors = ", ".join(
        sorted({code_of(error) for error in operation.errors} | {"AccessDenied", "ValidationError"})
    )
    failure = {
        "description": f"an error: {errors}, or one that every operation may answer",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/QueryError"}}},
    }
    success = {
        "description": "success",
        "content": {
            CONTENT_TYPE: {"schema": _answer(operation, XmlMembers(schemas, f"{operation.service}."))}
        },
    }
    security: dict[str, Any] = {"security": []} if operation.unsigned else {}
    return security | {
        "operationId": operation.name,
        "summary": operation.summary,
        "requestBody": {"required": True, "content": {FORM_TYPE: {"schema": _form(operation)}}},
        "responses": {"200": success, "4XX": failure},
    }


def _form(operation: Operation) -> dict[str, Any]:
    flat = FormMembers({})
    members = dict(flat.flat(operation.request))
    fixed = {
        "Action": _TEXT | {"const": operation.name},
        "Version": _TEXT | {"const": _VERSION_OF[operation.service]},
    }
    form: dict[str, Any] = {
        "type": "object",
        "properties": fixed | {name: one for name, one in members.items() if "\\" not in name},
        "required": [*fixed, *flat.required(operation.request)],
        "additionalProperties": _TEXT,
    }
    numbered = {f"^{name}$": one for name, one in members.items() if "\\" in name}
    if numbered:
        form["patternProperties"] = numbered
    return form


def _answer(operation: Operation, members: XmlMembers) -> dict[str, Any]:
    name = operation.name
    properties: dict[str, Any] = {"ResponseMetadata": {"type": "object", "properties": {"RequestId": _TEXT}}}
    if operation.response is not None:
        properties = {f"{name}Result": members.structure(operation.response), **properties}
    return {
        "type": "object",
        "xml": {"name": f"{name}Response", "namespace": NAMESPACES[operation.service]},
        "properties": properties,
    }
