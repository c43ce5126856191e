"""Answers of the query protocol against botocore's model, as `model_check` does it for JSON."""

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from tests.query_wire import described
from tests.unit.operations.model_check import bounds, of_text

# What every operation may answer beside the errors that the model lists for it.
_COMMON_ERRORS = frozenset({
    "AccessDenied", "ExpiredToken", "InvalidAction", "InvalidClientTokenId", "MalformedInput", "SignatureDoesNotMatch",
    "Throttling", "ValidationError",
})  # fmt: skip
# AWS's root has neither a path nor a user name, though the model requires them, and its id is the account's.
_OF_ROOT = re.compile(
    r"(GetUser\.User|CreateAccessKey\.AccessKey)\.((Path|UserName) is missing|UserId measures 12, .*)"
)
_STATUS = {"Sender": range(400, 500), "Receiver": range(500, 600)}


def of_answer(service: str, operation: str, body: bytes) -> list[str]:
    """What is wrong with the answer of a call that succeeded."""
    shape = described(service, operation).output_shape
    result = ElementTree.fromstring(body).find(f"{{*}}{operation}Result")
    if shape is None or result is None:
        return [] if shape is None and result is None else [f"{operation} answers {body!r}"]
    return [one for one in _violations(shape, result, operation) if _OF_ROOT.fullmatch(one) is None]


def of_error(service: str, operation: str, status: int, error: dict[str, Any]) -> list[str]:
    """What is wrong with the answer of a call that failed."""
    modelled = {
        shape.metadata.get("error", {}).get("code", shape.name)
        for shape in described(service, operation).error_shapes
    }
    found = []
    if error["Code"] not in modelled | _COMMON_ERRORS:
        found.append(f"{operation} has no error {error['Code']}")
    if status not in _STATUS[error["Type"]]:
        found.append(f"{operation} answers an error of {error['Type']} with {status}")
    return found


def _violations(shape: Any, element: ElementTree.Element, path: str) -> Iterator[str]:
    kind, text = shape.type_name, element.text or ""
    if kind == "structure":
        yield from _of_structure(shape, element, path)
    elif kind == "list":
        for index, item in enumerate(element):
            assert item.tag.endswith("}member")
            yield from _violations(shape.member, item, f"{path}[{index}]")
    elif kind == "string" and "\\p{" in shape.metadata.get("pattern", ""):  # which Python cannot read
        yield from bounds(shape, len(text), path)
    elif kind == "string":
        yield from of_text(shape, text, path)
    elif kind == "boolean" and text not in ("true", "false"):
        yield f"{path} is {text}"
    elif kind == "integer":
        yield from bounds(shape, int(text), path)


def _of_structure(shape: Any, element: ElementTree.Element, path: str) -> Iterator[str]:
    children = {child.tag.rpartition("}")[2]: child for child in element}
    assert len(children) == len(element)
    yield from (f"{path}.{name} is not in the model" for name in children.keys() - shape.members.keys())
    yield from (f"{path}.{name} is missing" for name in set(shape.required_members) - children.keys())
    for name in children.keys() & shape.members.keys():
        yield from _violations(shape.members[name], children[name], f"{path}.{name}")
