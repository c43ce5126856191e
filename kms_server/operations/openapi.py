"""The OpenAPI document, derived from the operation table and the schemas."""

import json
from typing import Any

from kms_server import __version__
from kms_server.operations import openapi_query
from kms_server.operations.call import Operation
from kms_server.operations.openapi_members import JsonMembers
from kms_server.operations.registry import OPERATIONS

_TARGETS = {
    "kms": "TrentService", "cloudtrail": "CloudTrail_20131101", "servicequotas": "ServiceQuotasV20190624",
}  # fmt: skip
_MEDIA_TYPE = "application/x-amz-json-1.1"


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document. All operations share `POST /`, so each stands under a fragment of its own."""
    schemas: dict[str, Any] = {
        "Error": {
            "type": "object",
            "required": ["__type"],
            "properties": {"__type": {"type": "string"}, "message": {"type": "string"}},
        },
        "QueryError": openapi_query.ERROR,
    }
    paths = {}
    for operation in OPERATIONS:
        if operation.service in _TARGETS:
            target = f"{_TARGETS[operation.service]}.{operation.name}"
            members = JsonMembers(schemas, f"{operation.service}.")
            paths[f"/#X-Amz-Target={target}"] = {"post": _operation(operation, target, members)}
        else:
            paths[openapi_query.path(operation)] = {"post": openapi_query.described(operation, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "kms-server",
            "version": __version__,
            "description": "A key management service that speaks the AWS KMS API. No text has U+0000 in it. "
            "Items of a list in a form are numbered from 1 on, without gaps.",
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


def _operation(operation: Operation, target: str, members: JsonMembers) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "success"}
    if operation.response is not None:
        success["content"] = {_MEDIA_TYPE: {"schema": members.structure(operation.response)}}
    errors = ", ".join(sorted(error.code for error in operation.errors))
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
            "content": {_MEDIA_TYPE: {"schema": members.structure(operation.request)}},
        },
        "responses": {"200": success, "400": failure},
    }
