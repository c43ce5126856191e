"""The OpenAPI document, derived from the operation table and the schemas."""

import json
from typing import Any

from marshmallow import Schema

from kms_server import __version__
from kms_server.operations.call import Operation
from kms_server.operations.registry import OPERATIONS
from kms_server.schemas import fields

_TARGETS = {"kms": "TrentService", "cloudtrail": "CloudTrail_20131101"}
_MEDIA_TYPE = "application/x-amz-json-1.1"


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document. All operations share `POST /`, so each stands under a fragment of its own."""
    schemas: dict[str, Any] = {
        "Error": {
            "type": "object",
            "required": ["__type"],
            "properties": {"__type": {"type": "string"}, "message": {"type": "string"}},
        }
    }
    paths = {}
    for operation in OPERATIONS:
        target = f"{_TARGETS[operation.service]}.{operation.name}"
        paths[f"/#X-Amz-Target={target}"] = {"post": _operation(operation, target, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "kms-server",
            "version": __version__,
            "description": "A key management service that speaks the AWS KMS API.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:4599"}],
        "security": [{"sigv4": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4",
                }
            },
            "schemas": dict(sorted(schemas.items())),
        },
    }


def openapi_text() -> str:
    """The document as YAML (every JSON document is one)."""
    return json.dumps(document(), indent=2) + "\n"


def _operation(operation: Operation, target: str, schemas: dict[str, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "success"}
    if operation.response is not None:
        success["content"] = {_MEDIA_TYPE: {"schema": _reference(operation.response, schemas)}}
    errors = ", ".join(sorted(error.__name__ for error in operation.errors))
    failure = {
        "description": f"a client error: {errors}, or one that every operation may answer",
        "content": {_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [
            {
                "name": "X-Amz-Target",
                "in": "header",
                "required": True,
                "schema": {"type": "string", "const": target},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {_MEDIA_TYPE: {"schema": _reference(operation.request, schemas)}},
        },
        "responses": {"200": success, "400": failure},
    }


def _reference(schema: type[Schema], schemas: dict[str, Any]) -> dict[str, str]:
    name = schema.__name__
    if name not in schemas:
        members = schema().fields
        schemas[name] = {}  # a placeholder, for structures that contain themselves
        described: dict[str, Any] = {
            "type": "object",
            "properties": {key: _member(member, schemas) for key, member in members.items()},
        }
        required = [key for key, member in members.items() if member.required]
        if required:
            described["required"] = required
        schemas[name] = described
    return {"$ref": f"#/components/schemas/{name}"}


def _member(member: Any, schemas: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401, PLR0911 - one branch per kind of member
    if isinstance(member, fields.Structure):
        return _reference(member.schema_class, schemas)
    if isinstance(member, fields.Choice):
        return {"type": "string", "enum": list(member.values)}
    if isinstance(member, fields.Text):
        return _bounded({"type": "string"}, "minLength", member.low, "maxLength", member.high) | (
            {"pattern": member.pattern} if member.pattern else {}
        )
    if isinstance(member, fields.Blob):
        # Base64 makes four characters of three bytes.
        return {"type": "string", "contentEncoding": "base64", "maxLength": -(-member.high // 3) * 4}
    if isinstance(member, fields.Integer):
        return {"type": "integer", "minimum": member.low, "maximum": member.high}
    if isinstance(member, fields.Boolean):
        return {"type": "boolean"}
    if isinstance(member, fields.Timestamp):
        return {"type": "number", "description": "epoch seconds"}
    if isinstance(member, fields.ListOf):
        items = {"type": "array", "items": _member(member.inner, schemas)}
        return _bounded(items, "minItems", member.low, "maxItems", member.high)
    return {"type": "object", "additionalProperties": {"type": "string"}}


def _bounded(
    base: dict[str, Any], low_name: str, low: int, high_name: str, high: int | None
) -> dict[str, Any]:
    if low:
        base[low_name] = low
    if high is not None:
        base[high_name] = high
    return base
