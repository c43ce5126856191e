"""The one order of steps from the head of an S3 request to its answer.

Nothing of the body is read before the call is allowed.
"""

from collections.abc import Iterable

from sqlalchemy.exc import SQLAlchemyError

from kms_server.audit import event_id
from kms_server.audit.group_commit import GroupCommit, wait
from kms_server.audit.record import to_row
from kms_server.config import DEFAULT_REGION
from kms_server.errors import ServiceError
from kms_server.iam.principal import NOBODY
from kms_server.operations.call import Call
from kms_server.operations.recording import event_of
from kms_server.protocol import front_door, query_reader
from kms_server.protocol.message import ClientGone, Request, StreamedResponse
from kms_server.s3 import buckets
from kms_server.s3.authorization import authorize_call
from kms_server.s3.call import S3Answer, S3Call, S3Services
from kms_server.s3.errors import AuthorizationHeaderMalformed, InternalError, RequestTimeout
from kms_server.s3.operations import table
from kms_server.s3.wire import faults, paths, xml_writer
from kms_server.s3.wire.payload import RequestPayload
from kms_server.server.pipeline import fault_of
from kms_server.server.s3_authentication import S3Authenticator, S3Caller

_SCOPE = "/s3/aws4_request"
_QUERY_SCOPES = ("%2Fs3%2Faws4_request", "%2fs3%2faws4_request", _SCOPE)


class S3Pipeline:
    """Authenticates, authorizes, performs and records S3 calls; `data` takes the records of object-level ones."""

    def __init__(
        self, services: S3Services, authenticator: S3Authenticator, management: GroupCommit, data: GroupCommit,
        domain: str,
    ) -> None:  # fmt: skip
        self._services = services
        self._authenticator = authenticator
        self._management = management
        self._data = data
        self._domain = domain

    def claims(self, request: Request) -> bool:
        """Whether a request is S3's: the service it is signed for says so, or nothing else can be meant."""
        authorization = request.headers.get("authorization")
        if authorization is not None:
            return _SCOPE in authorization or authorization.startswith("AWS ")
        if "X-Amz-Credential=" in request.query:
            return any(scope in request.query for scope in _QUERY_SCOPES)
        if request.method == "POST":
            return request.headers.get("content-type", "").startswith("multipart/form-data")
        unsigned = request.path != "/" or paths.is_virtual_host(request, self._domain)
        return unsigned and request.method != "OPTIONS" and not query_reader.is_query(request)

    def answer(self, request: Request) -> StreamedResponse:
        """Answer one request; waits where it has to."""
        request_id = event_id.new_request_id()
        call: S3Call | None = None
        try:
            call = self._arrive(request, request_id)
            answer = self._run(call)
            self._record(call)
        except ServiceError as error:
            return self._refused(request, request_id, call, error)
        except ClientGone:
            return self._refused(request, request_id, call, RequestTimeout())
        except Exception as error:  # noqa: BLE001 - the last resort: no input may get a traceback
            return self._refused(request, request_id, call, fault_of(error))
        return _response(call, answer, request_id)

    def _arrive(self, request: Request, request_id: str) -> S3Call:
        """From here on there is a call, which will be recorded if anybody is known to have made it."""
        place = paths.parse(request, self._domain)
        operation = table.find(request.method, place.level, place.query, request.headers)
        shared = self._services.shared
        shared.keyring.refresh(may_block=True)
        caller = self._authenticator.authenticate(request)
        now = shared.clock.now()
        call = Call(
            operation.row, shared, caller.principal, caller.region or DEFAULT_REGION, request, request_id,
            event_id.new(now), now, may_block=True, document={},
        )  # fmt: skip
        payload = RequestPayload(request, caller.signing)
        return S3Call(operation, self._services, call, place.bucket, place.key, place.query, payload, caller)

    def _run(self, call: S3Call) -> S3Answer:
        if call.bucket_name:
            call.found = buckets.find(self._services.shared, call.bucket_name)
        if call.operation.needs_bucket:
            _check_region(call)
        authorize_call(call)
        return call.operation.handler(call)

    def _record(self, call: S3Call) -> None:
        if call.recorded:
            return
        commit = self._data if call.operation.is_data else self._management
        wait(commit.submit(to_row(event_of(call.call))), self._services.shared.limits.audit_deadline)

    def _refused(
        self, request: Request, request_id: str, call: S3Call | None, error: ServiceError
    ) -> StreamedResponse:
        """The answer to a call that failed; it is recorded as well, unless nobody is known to have made it."""
        if call is None or call.call.principal is NOBODY:
            self._authenticator.note_refusal(request, error)
        elif not call.recorded:
            call.call.fault = error
            try:
                self._record(call)
            except ServiceError:
                error = InternalError()
        answered = () if call is None else tuple(call.answered.items())
        response = faults.fault(error, request_id, head=request.method == "HEAD")
        return StreamedResponse(
            response.status, (*response.headers, *answered), len(response.body), (response.body,)
        )


def _check_region(call: S3Call) -> None:
    """A signature is good for one Region (S3 "PermanentRedirect" and AuthorizationHeaderMalformed)."""
    bucket = call.bucket
    call.answered["x-amz-bucket-region"] = bucket.region
    if call.call.principal is NOBODY:
        call.call.region = bucket.region
    elif call.call.region != bucket.region:
        raise AuthorizationHeaderMalformed(
            f"The authorization header is malformed; the region '{call.call.region}' is wrong; expecting "
            f"'{bucket.region}'",
            Region=bucket.region,
        )


def _response(call: S3Call, answer: S3Answer, request_id: str) -> StreamedResponse:
    told = call.answered | dict(answer.headers)
    if answer.body:
        told.setdefault("Content-Type", xml_writer.CONTENT_TYPE)
    headers = (*told.items(), ("x-amz-request-id", request_id), ("x-amz-id-2", request_id))
    parts: Iterable[bytes] = (answer.body,) if answer.parts is None else answer.parts
    length = len(answer.body) if answer.length is None else answer.length
    return StreamedResponse(answer.status, headers, length, parts)
