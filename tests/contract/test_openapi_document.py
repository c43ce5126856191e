"""`openapi.yaml` says of each structure what its schema says."""

from collections.abc import Iterator
from typing import Any

from marshmallow import Schema

from kms_server.operations.call import Operation
from kms_server.operations.openapi import document
from kms_server.operations.registry import OPERATIONS
from kms_server.schemas import fields

DOCUMENT = document()
DESCRIBED = {path["post"]["operationId"]: path["post"] for path in DOCUMENT["paths"].values()}


def schema_of(content: dict[str, Any]) -> Any:
    (body,) = content.values()
    return body["schema"]


def described(operation: Operation) -> Iterator[tuple[type[Schema], dict[str, Any]]]:
    """The schemas of an operation that stand in the document as structures, with the references to them.

    Forms are flat, and so are no structures.
    """
    asked = schema_of(DESCRIBED[operation.name]["requestBody"]["content"])
    if "$ref" in asked:
        yield operation.request, asked
    if operation.response is not None:
        answered = schema_of(DESCRIBED[operation.name]["responses"]["200"]["content"])
        yield operation.response, answered.get("properties", {}).get(f"{operation.name}Result", answered)


def structures(schema: type[Schema], reference: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """The members of a structure and of those in it, each with what the document says of the structure."""
    said = DOCUMENT["components"]["schemas"][reference["$ref"].rpartition("/")[2]]
    members: dict[str, Any] = schema().fields
    yield members, said
    for name in members.keys() & said["properties"].keys():
        member, of_member = members[name], said["properties"][name]
        while isinstance(member, fields.ListOf):
            member, of_member = member.inner, of_member["items"]
        if isinstance(member, fields.Structure):
            yield from structures(member.schema_class, of_member)


def test_structures_have_the_members_of_their_schemas() -> None:
    for operation in OPERATIONS:
        for schema, reference in described(operation):
            for members, said in structures(schema, reference):
                assert set(members) == set(said["properties"]), operation.name
                required = {name for name, one in members.items() if one.required}
                assert required == set(said.get("required", [])), operation.name


def test_a_form_must_have_the_first_item_of_a_list_that_it_must_have() -> None:
    fixed = ["Action", "Version"]
    for name, required in (
        ("TagUser", ["UserName", "Tags.member.1.Key", "Tags.member.1.Value"]),
        ("SimulateCustomPolicy", ["PolicyInputList.member.1", "ActionNames.member.1"]),
        ("CreateRole", ["RoleName", "AssumeRolePolicyDocument"]),
    ):
        form = schema_of(DESCRIBED[name]["requestBody"]["content"])
        assert form["required"] == [*fixed, *required]
        assert form["additionalProperties"] == {"type": "string"}
