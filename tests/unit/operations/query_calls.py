"""Calls of query services in one process, as botocore writes and reads them; every answer is held against its model."""

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from kms_server.audit import lookup as audit
from kms_server.protocol.message import Request
from kms_server.server.pipeline import handle
from kms_server.server.worker_state import audit_sources
from tests import query_wire
from tests.unit.operations import model_check
from tests.unit.operations.service import ACCOUNT, Refusal, Service

_HOST = "127.0.0.1:4599"
_FORM = f"{query_wire.FORM}; charset=utf-8"
_COMMON = {"AccessDenied", "Throttling", "ValidationError", "MalformedInput"}
# AWS's root has neither a path nor a user name, though the model requires them, and its id is the account's.
_ROOT = re.compile(
    r"(GetUser\.User|CreateAccessKey\.AccessKey)\.((Path|UserName) is missing|UserId measures 12, .*)"
)
_STATUS = {"Sender": range(400, 500), "Receiver": range(500, 600)}


class Query:
    """A client of one query service; calls are the root's unless `by` says whose."""

    def __init__(self, service: Service, name: str = "iam") -> None:
        self._service = service
        self._name = name

    def ok(self, operation: str, /, *, by: Credentials | None = None, **members: Any) -> dict[str, Any]:
        """The answer of a call that succeeds."""
        answer = self.call(operation, by=by, **members)
        assert not isinstance(answer, Refusal), (operation, answer)
        return answer

    def refused(self, operation: str, /, *, by: Credentials | None = None, **members: Any) -> Refusal:
        """The error of a call that fails."""
        answer = self.call(operation, by=by, **members)
        assert isinstance(answer, Refusal), (operation, answer)
        return answer

    def call(
        self, operation: str, /, *, by: Credentials | None = None, **members: Any
    ) -> dict[str, Any] | Refusal:
        """Whatever a call answers."""
        described = query_wire.described(self._name, operation)
        body = query_wire.form(self._name, operation, members)
        response = handle(self._service._worker.pipeline.stages, self._signed(body, by)).response
        parsed = query_wire.read(self._name, operation, response.status, response.body)
        parsed.pop("ResponseMetadata")
        if "Error" in parsed:
            error = parsed["Error"]
            codes = {
                shape.metadata.get("error", {}).get("code", shape.name) for shape in described.error_shapes
            }
            assert error["Code"] in codes | _COMMON, (operation, error)
            assert response.status in _STATUS[error["Type"]]
            return Refusal(error["Code"], error["Message"])
        result = ElementTree.fromstring(response.body).find(f"{{*}}{operation}Result")
        assert (result is None) == (described.output_shape is None)
        if result is not None:
            found = [
                one
                for one in _violations(described.output_shape, result, operation)
                if not _ROOT.fullmatch(one)
            ]
            assert not found, found
        return parsed

    def records(self, operation: str) -> list[dict[str, Any]]:
        """The audit records of the changes that an operation made, the newest first."""
        query = audit.Query(
            account=ACCOUNT, region="us-east-1", attribute=("event_name", operation), start=None, end=None, after=None,
            limit=50,
        )  # fmt: skip
        return [
            json.loads(row.record) for row in audit.lookup(audit_sources(self._service._worker.state), query)
        ]

    def _signed(self, body: bytes, by: Credentials | None) -> Request:
        headers = {"Host": _HOST, "Content-Type": _FORM}
        signed = AWSRequest("POST", f"http://{_HOST}/", data=body, headers=headers)
        SigV4Auth(by or self._service._root, self._name, "us-east-1").add_auth(signed)
        lower = {name.lower(): str(value) for name, value in signed.headers.items()}
        return Request("POST", "/", lower, body, "127.0.0.1")


def _violations(shape: Any, element: ElementTree.Element, path: str) -> Iterator[str]:
    """What in an element is not as the model has it."""
    kind = shape.type_name
    children = {child.tag.rpartition("}")[2]: child for child in element}
    if kind == "structure":
        assert len(children) == len(element)
        yield from (f"{path}.{name} is not in the model" for name in children.keys() - shape.members.keys())
        yield from (f"{path}.{name} is missing" for name in set(shape.required_members) - children.keys())
        for name in children.keys() & shape.members.keys():
            yield from _violations(shape.members[name], children[name], f"{path}.{name}")
    elif kind == "list":
        for index, item in enumerate(element):
            assert item.tag.endswith("}member")
            yield from _violations(shape.member, item, f"{path}[{index}]")
    elif kind == "string" and "\\p{" in shape.metadata.get("pattern", ""):  # which Python cannot read
        yield from model_check._bounds(shape, len(element.text or ""), path)
    elif kind == "string":
        yield from model_check._of_text(shape, element.text or "", path)
    elif kind == "boolean" and element.text not in ("true", "false"):
        yield f"{path} is {element.text}"
    elif kind == "integer":
        yield from model_check._bounds(shape, int(element.text or ""), path)
