"""Calls of any operation of the table through the real pipeline, each with all the records that it left."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from jsonschema import Draft202012Validator

from kms_server.audit.group_commit import wait
from kms_server.audit.lookup import stream
from kms_server.audit.matching import Filter
from kms_server.errors import ThrottlingException
from kms_server.operations import limits
from kms_server.operations.call import Call, Operation
from kms_server.protocol.message import Request, Response
from kms_server.quotas import table
from kms_server.quotas.subjects import of_quota, parse
from kms_server.server.audit_trail import audit_sources
from kms_server.server.pipeline import handle
from kms_server.server.services import services_of
from kms_server.storage import limits as stored
from tests.query_wire import FORM, form
from tests.unit.operations.service import ACCOUNT, REGION, Service

HOST = "127.0.0.1:4599"
SCHEMA = Path(__file__).parents[2] / "contract" / "cloudtrail_record.schema.json"
TARGETS = {
    "kms": "TrentService", "cloudtrail": "CloudTrail_20131101", "servicequotas": "ServiceQuotasV20190624",
}  # fmt: skip
_VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15"}
_VALIDATOR = Draft202012Validator(json.loads(SCHEMA.read_text()))
Record = dict[str, Any]


class Done(NamedTuple):
    """What a call answered, and the records that it left, the oldest first."""

    status: int
    body: bytes
    records: list[Record]

    @property
    def record(self) -> Record:
        """The only record."""
        [only] = self.records
        return only


def violations(record: Record) -> list[str]:
    """What is wrong with a record."""
    return [f"{error.json_path}: {error.message}" for error in _VALIDATOR.iter_errors(record)]


def body_of(operation: Operation, members: Mapping[str, Any]) -> bytes:
    """A request with members as a client sends them."""
    if operation.service in _VERSIONS:
        return form(operation.service, operation.name, dict(members))
    return json.dumps(members, default=lambda value: base64.b64encode(value).decode()).encode()


def mistyped(operation: Operation, name: str) -> bytes:
    """A request with a member of a type that it cannot have."""
    if operation.service in _VERSIONS:
        asked = {"Action": operation.name, "Version": _VERSIONS[operation.service], f"{name}.x.y": "1"}
        return urlencode(asked).encode()
    return json.dumps({name: [[["x"]]]}).encode()


def responded(
    service: Service, operation: Operation, body: bytes, *, by: Credentials | None = None, region: str = REGION,
    signed: bool = True, change: Callable[[Call], None] | None = None,
) -> Response:  # fmt: skip
    """Make a call, the root's unless `by` says whose, and wait until its records are on disk."""
    headers = {"Host": HOST, "Content-Type": FORM}
    if operation.service in TARGETS:
        target = f"{TARGETS[operation.service]}.{operation.name}"
        headers |= {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
    request = AWSRequest("POST", f"http://{HOST}/", data=body, headers=headers)
    if signed:
        SigV4Auth(by or service._root, operation.service, region).add_auth(request)
    lower = {name.lower(): str(value) for name, value in request.headers.items()}
    outcome = handle(service._stages(change), Request("POST", "/", lower, body, "127.0.0.1"))
    if outcome.ticket is not None:
        wait(outcome.ticket, 10)
    return outcome.response


def recorded(service: Service, response: Response) -> Done:
    """What a call was answered, with its records."""
    told = {name.lower(): value for name, value in response.headers}
    return Done(response.status, response.body, of_request(service, told["x-amzn-requestid"]))


def ask(service: Service, operation: Operation, body: bytes, **how: Any) -> Done:
    """Make a call, see `responded`, and find its records."""
    return recorded(service, responded(service, operation, body, **how))


def of_request(service: Service, request_id: str) -> list[Record]:
    """The records with a request's id, of all accounts and Regions."""
    rows = stream(audit_sources(service._worker.state), Filter(request_id=request_id))
    return [json.loads(row.record) for row in rows]


def of_event(service: Service, name: str, **wanted: Any) -> list[Record]:
    """The records of a name, of all accounts and Regions unless `wanted` says which."""
    rows = stream(audit_sources(service._worker.state), Filter(event_names=(name,), **wanted))
    return [json.loads(row.record) for row in rows]


@contextmanager
def exhausted(service: Service, operation: Operation) -> Iterator[None]:
    """Let the quotas of an operation be used up."""
    shared = (
        [one.id for one in table.QUOTAS.values() if one.kind in {table.Kind.CRYPTOGRAPHIC, table.Kind.PAIR}]
        if operation.shared_quota
        else []
    )
    subjects = [of_quota(ACCOUNT, REGION, one) for one in (limits.own_quota(operation), *shared)]
    with service.database.write() as tx:
        for subject in subjects:
            stored.put(tx, stored.SetLimit(subject, 1e-9, 1.0))
    shared_services = services_of(service._worker.state)
    shared_services.keyring.refresh(may_block=True)
    for subject in subjects:
        count = (ACCOUNT, REGION, parse(subject).name, 1)
        with suppress(ThrottlingException):
            shared_services.limiter.take(
                shared_services.limiter.plan(shared_services.keyring.limits(may_block=True), (count,))
            )
    yield
    with service.database.write() as tx:
        for subject in subjects:
            stored.remove(tx, subject)
