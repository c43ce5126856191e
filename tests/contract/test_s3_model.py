"""The table of S3 operations against botocore's model of S3."""

from urllib.parse import parse_qsl, urlsplit

import botocore.session
import pytest

from kms_server.s3 import errors
from kms_server.s3.call import Level, S3Operation
from kms_server.s3.operations import table

MODEL = botocore.session.Session().get_service_model("s3")
# A form is none of the SDKs' business.
MODELLED = [operation for operation in table.OPERATIONS if not operation.by_form]
# Names that S3's API reference has and the model does not: the header or parameter that tells the operation from others.
HEADER = {"CopyObject", "UploadPartCopy"}


def place(uri: str) -> Level:
    path = urlsplit(uri).path
    if "{Key+}" in path:
        return Level.OBJECT
    return Level.BUCKET if "{Bucket}" in path else Level.SERVICE


@pytest.mark.parametrize("operation", MODELLED, ids=lambda one: one.name)
def test_an_operation_stands_where_the_model_has_it(operation: S3Operation) -> None:
    http = MODEL.operation_model(operation.name).http
    assert (operation.method, operation.level) == (http["method"], place(http["requestUri"]))
    told = parse_qsl(urlsplit(http["requestUri"]).query, keep_blank_values=True)
    modelled = {f"{name}={value}" if value else name for name, value in told} - {f"x-id={operation.name}"}
    assert modelled <= set(operation.queries)


@pytest.mark.parametrize("operation", MODELLED, ids=lambda one: one.name)
def test_what_selects_an_operation_is_in_its_request(operation: S3Operation) -> None:
    shape = MODEL.operation_model(operation.name).input_shape
    names = {member.serialization.get("name") for member in shape.members.values()} if shape else set()
    uri = MODEL.operation_model(operation.name).http["requestUri"]
    for query in operation.queries:
        assert query in names or query.partition("=")[0] in uri
    assert (operation.header is not None) == (operation.name in HEADER)
    assert operation.header is None or operation.header in names


def headers_of(operation: S3Operation) -> set[str]:
    shape = MODEL.operation_model(operation.name).input_shape
    members = shape.members.values() if shape else ()
    return {member.serialization.get("name", "").lower() for member in members}


@pytest.mark.parametrize("operation", MODELLED, ids=lambda one: one.name)
def test_headers_of_encryption_are_taken_where_the_model_has_them(operation: S3Operation) -> None:
    named = headers_of(operation)
    assert operation.encrypts == ("x-amz-server-side-encryption" in named)


def test_a_row_answers_its_own_requests() -> None:
    for operation in MODELLED:
        query = dict(name.partition("=")[::2] for name in operation.queries)
        headers = {operation.header: ""} if operation.header else {}
        assert table.find(operation.method, operation.level, query, headers) is operation


def test_codes_of_errors_are_told_apart() -> None:
    kinds = errors.S3Error.__subclasses__()
    assert len({kind.code for kind in kinds}) == len(kinds)
