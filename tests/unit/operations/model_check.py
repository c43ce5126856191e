"""Answers against botocore's model: no unknown member, no wrong type, nothing required missing, only modelled errors."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

import kms_server

MODEL = ServiceModel(
    Loader(extra_search_paths=[str(Path(kms_server.__file__).parent / "botocore_data")]).load_service_model(
        "kms", "service-2"
    )
)
# What every operation may answer beside the errors that the model lists for it.
COMMON_ERRORS = frozenset({
    "AccessDeniedException", "ExpiredTokenException", "SerializationException", "ThrottlingException",
    "UnrecognizedClientException", "ValidationException",
})  # fmt: skip
# What this service does not do at all, where the model has no error that says so; and AWS's own exception.
OTHER_ERRORS = frozenset({
    ("CreateAlias", "NotAuthorizedException"),
    ("UpdateAlias", "NotAuthorizedException"),
    ("DeleteAlias", "NotAuthorizedException"),
    ("CreateCustomKeyStore", "UnsupportedOperationException"),
    ("Decrypt", "UnsupportedOperationException"),
    ("DeriveSharedSecret", "UnsupportedOperationException"),
    ("GenerateDataKey", "UnsupportedOperationException"),
})  # fmt: skip
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "blob": (str,), "integer": (int,), "long": (int,), "double": (int, float), "boolean": (bool,),
    "timestamp": (int, float), "list": (list,), "map": (dict,), "structure": (dict,),
}  # fmt: skip


def of_answer(operation: str, answer: Any, model: ServiceModel = MODEL) -> list[str]:
    """What is wrong with the answer of a call that succeeded; None is an empty body."""
    shape = model.operation_model(operation).output_shape
    if shape is None or answer is None:
        return [] if shape is None and answer is None else [f"{operation} answers {answer}"]
    return list(_violations(shape, answer, operation))


def of_error(operation: str, status: int, error: dict[str, Any], model: ServiceModel = MODEL) -> list[str]:
    """What is wrong with the answer of a call that failed."""
    code = error.get("__type")
    modelled = {shape.name for shape in model.operation_model(operation).error_shapes}
    found = []
    if code not in modelled | COMMON_ERRORS and (operation, code) not in OTHER_ERRORS:
        found.append(f"{operation} has no error {code}")
    if not error.keys() <= {"__type", "message"} or error.get("message") == "":
        found.append(f"{operation} answers the error {error}")
    if status != 400:
        found.append(f"{operation} answers {code} with {status}")
    return found


def decoded(shape: Any, value: Any) -> Any:
    """A value with its blobs as bytes."""
    if shape is None or value is None:
        return {}
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    if shape.type_name == "structure":
        return {name: decoded(shape.members[name], member) for name, member in value.items()}
    if shape.type_name == "list":
        return [decoded(shape.member, item) for item in value]
    return value


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if not _is_of(kind, value):
        yield f"{path} is {value!r}, in the model a {kind}"
    elif kind == "structure":
        yield from _of_structure(shape, value, path)
    elif kind == "list":
        yield from bounds(shape, len(value), path)
        for index, item in enumerate(value):
            yield from _violations(shape.member, item, f"{path}[{index}]")
    elif kind == "map":
        for name, item in value.items():
            yield from (
                *_violations(shape.key, name, path),
                *_violations(shape.value, item, f"{path}.{name}"),
            )
    elif kind == "string":
        yield from of_text(shape, value, path)
    elif kind in ("blob", "integer", "long", "double"):
        size = len(base64.b64decode(value, validate=True)) if kind == "blob" else value
        yield from bounds(shape, size, path)


def _of_structure(shape: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    yield from (f"{path}.{name} is not in the model" for name in value.keys() - shape.members.keys())
    yield from (f"{path}.{name} is missing" for name in set(shape.required_members) - value.keys())
    for name in value.keys() & shape.members.keys():
        yield from _violations(shape.members[name], value[name], f"{path}.{name}")


def _is_of(kind: str, value: Any) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def of_text(shape: Any, value: str, path: str) -> Iterator[str]:
    """In what a text is not as the model has it."""
    if value == "" and re.fullmatch(r"List(Retirable)?Grants\.Grants\[\d+\]\.Name", path):
        return  # as on AWS, where a grant has no name
    meta = shape.metadata
    yield from bounds(shape, len(value), path)
    if meta.get("enum") and value not in meta["enum"]:
        yield f"{path} is {value!r}, which is none of {meta['enum']}"
    if meta.get("pattern") and re.search(meta["pattern"], value) is None:
        yield f"{path} is {value!r}, which does not match {meta['pattern']}"


def bounds(shape: Any, size: int, path: str) -> Iterator[str]:
    """Whether a size or a number is out of the model's bounds."""
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        yield f"{path} measures {size}, in the model {low} to {high}"
