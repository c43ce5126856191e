"""Calls that read and write the configuration of a bucket."""

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from kms_server.iam.principal import Principal
from kms_server.s3.authorization import authorize_call
from kms_server.s3.call import S3Answer
from kms_server.s3.operations.configuration import OPERATIONS
from kms_server.s3.wire import xml_reader
from tests.unit.s3.world import World

ROWS = {operation.name: operation for operation in OPERATIONS}


def do(
    world: World, name: str, body: bytes = b"", by: Principal | None = None, *, key: str = "",
    headers: Mapping[str, str] | None = None,
) -> S3Answer:  # fmt: skip
    call = world.call(ROWS[name], by or world.root, body=body, key=key, headers=headers)
    authorize_call(call)
    answer = call.operation.handler(call)
    writes_configuration = call.operation.writes and not name.endswith("Acl")
    assert call.call.recorded == writes_configuration
    return answer


def xml(answer: S3Answer, root: str) -> Element:
    return xml_reader.parse(answer.body, root)


def texts(element: Element) -> dict[str, str | None]:
    return {child.tag: child.text for child in element}
