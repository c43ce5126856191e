"""The one order of steps from the head of an S3 request to its answer.

Nothing of the body is read before the call is allowed, but for a form, whose signature is one of its fields.
"""

import time
from collections.abc import Iterable, Mapping

from kms_server.audit import event_id
from kms_server.audit.group_commit import GroupCommit, wait
from kms_server.audit.record import rows_of
from kms_server.config import DEFAULT_REGION
from kms_server.errors import ServiceError
from kms_server.iam.principal import Principal
from kms_server.operations.call import Call
from kms_server.operations.recording import event_of
from kms_server.protocol import query_reader
from kms_server.protocol.message import ClientGone, Request, StreamedResponse
from kms_server.s3 import judged
from kms_server.s3.access_lists import require_owner_alone
from kms_server.s3.authorization import authorize_call
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation, S3Services
from kms_server.s3.encryption import headers as sse
from kms_server.s3.errors import AccessDenied, InternalError, NoSuchBucket, RequestTimeout, ServiceUnavailable
from kms_server.s3.operations import table
from kms_server.s3.wire import faults, paths, post_form, xml_writer
from kms_server.s3.wire.payload import RequestPayload, body_of
from kms_server.s3.wire.post_form import PostForm
from kms_server.server.call_kinds import Kind, Result, kind_of, result_of
from kms_server.server.logs import AccessLog
from kms_server.server.pipeline import fault_of
from kms_server.server.s3_authentication import S3Authenticator, S3Caller
from kms_server.server.tally import Tally
from kms_server.server.traces import Told, Traces
from kms_server.storage.reserve import Reserve

_SCOPE = "/s3/aws4_request"
_ENCODED_SCOPE = "%2fs3%2faws4_request"
_FORM = "multipart/form-data"


class S3Pipeline:
    """Authenticates, authorizes, performs and records S3 calls; `data` takes the records of object-level ones.

    `domain` is that of hosts which name a bucket.
    """

    def __init__(
        self, services: S3Services, authenticator: S3Authenticator, management: GroupCommit, data: GroupCommit,
        domain: str, reserve: Reserve, tally: Tally | None = None,
        access_log: AccessLog | None = None,
    ) -> None:  # fmt: skip
        self._services = services
        self._authenticator = authenticator
        self._management = management
        self._data = data
        self._domain = domain
        self._reserve = reserve
        self._tally = tally
        self._access_log = access_log
        self.traces: Traces | None = None

    def claims(self, request: Request) -> bool:
        """Whether a request is S3's: the service it is signed for says so, or nothing else can be meant."""
        authorization = request.headers.get("authorization")
        if authorization is not None:
            return _SCOPE in authorization or authorization.startswith("AWS ")
        if "X-Amz-Credential=" in request.query:
            return _SCOPE in request.query or _ENCODED_SCOPE in request.query.lower()
        if request.method == "POST" and request.headers.get("content-type", "").startswith(_FORM):
            return True
        named = request.path != "/" or paths.is_virtual(request, self._domain)
        if "AWSAccessKeyId=" in request.query and "Signature=" in request.query:
            return named or not query_reader.is_query(request)
        return named and request.method != "OPTIONS" and not query_reader.is_query(request)

    def answer(self, request: Request) -> StreamedResponse:
        """Answer one request; waits where it has to."""
        began = time.monotonic()
        answered, kind, error = self._answer(request)
        seconds = time.monotonic() - began
        if self._tally is not None:
            self._tally.call(kind, seconds)
        if self._access_log is not None:
            self._access_log.note(request, answered, kind, seconds)
        if self.traces is not None:
            key = next((value for name, value in answered.headers if name.lower() == sse.KEY_ID), None)
            self.traces.note(request, answered, kind, seconds, Told(key, error))
        return answered

    def _answer(self, request: Request) -> tuple[StreamedResponse, Kind, str | None]:
        request_id = event_id.new_request_id()
        call: S3Call | None = None
        try:
            call, caller = self._arrive(request, request_id)
            answer = self._run(call, caller)
            self._record(call)
        except ServiceError as error:
            return self._refused(request, request_id, call, error)
        except ClientGone:
            return self._refused(request, request_id, call, RequestTimeout())
        except Exception as error:  # noqa: BLE001 - the last resort: no input may get a traceback
            return self._refused(request, request_id, call, fault_of(error))
        return _response(call, answer, request_id), kind_of(call.operation.row, Result.OK), None

    def perform(self, request: Request, principal: Principal) -> S3Answer:
        """Take a call that a service of this server makes, past authentication, through authorization, operation and record.

        Its Region is that of the bucket. Waits where it has to; the answer's parts, if any, are not read yet.

        Raises:
            ServiceError: the call's fault; KMSInternalException where its record could not be written.
        """
        call, caller = self._call_of_service(request, principal)
        answer = S3Answer()
        try:
            answer = self._run(call, caller)
        except Exception as error:  # noqa: BLE001 - see fault_of
            call.call.fault = faults.s3_error(fault_of(error))
        self._record(call)
        if call.call.fault is not None:
            raise call.call.fault
        return answer

    def allows(self, request: Request, principal: Principal) -> bool:
        """Whether a service of this server may make a call; it is neither made nor recorded.

        Raises:
            NoSuchBucket
        """
        call, _ = self._call_of_service(request, principal)
        if call.found is None:
            raise NoSuchBucket(BucketName=call.bucket_name)
        try:
            authorize_call(call, given=judged.given(call))
        except AccessDenied:
            return False
        return True

    def _call_of_service(self, request: Request, principal: Principal) -> tuple[S3Call, S3Caller]:
        place = paths.locate(request, None)
        query = paths.parse_query(request.query)
        operation = table.find(request.method, _level(place), query, request.headers)
        self._services.shared.keyring.refresh(may_block=True)
        caller = S3Caller(principal, sigv4=True)
        call = self._call(operation, request, event_id.new_request_id(), caller, place, query)
        if call.found is not None:
            call.call.region = call.found.bucket.region
        return call, caller

    def _arrive(self, request: Request, request_id: str) -> tuple[S3Call, S3Caller]:
        """From here on there is a call, which will be recorded if anybody is known to have made it."""
        place = paths.locate(request, self._domain)
        query = paths.parse_query(request.query)
        # What an operation is known by may stand among them; they are heeded once the signature is verified.
        hoisted = paths.with_hoisted(request, query)
        operation = table.find(request.method, _level(place), query, hoisted.headers)
        shared = self._services.shared
        shared.keyring.refresh(may_block=True)
        form = _form(request) if operation.by_form else None
        if form is None:
            caller = self._authenticator.authenticate(request)
            request = hoisted
        else:
            caller = self._authenticator.authenticate_form(request, form.fields)
        key = place.key if form is None else form.fields["key"]
        named = place._replace(key=key)
        return self._call(operation, request, request_id, caller, named, query, form), caller

    def _call(
        self, operation: S3Operation, request: Request, request_id: str, caller: S3Caller, place: paths.Location,
        query: Mapping[str, str], form: PostForm | None = None,
    ) -> S3Call:  # fmt: skip
        shared = self._services.shared
        now = shared.clock.now()
        call = Call(
            operation.row, shared, caller.principal, caller.region or DEFAULT_REGION, request, request_id,
            event_id.new(now), now, may_block=True, document={}, sigv4=caller.sigv4,
        )  # fmt: skip
        payload = RequestPayload.of(request, caller.signing, checksums=operation.checksums)
        arrived = S3Call(
            operation, self._services, call, place.bucket, place.key, query, payload, form,
            auth_type=caller.auth_type, signature_age=caller.signature_age,
        )  # fmt: skip
        arrived.find_bucket()
        return arrived

    def _run(self, call: S3Call, caller: S3Caller) -> S3Answer:
        if call.found is not None:
            caller.check_region(call.found.bucket.region)
        elif call.operation.needs_bucket:
            raise NoSuchBucket(BucketName=call.bucket_name)
        authorize_call(call, given=judged.given(call))
        if call.operation.adds and self._reserve.is_used():
            raise ServiceUnavailable("There is no room for the object.")
        if call.operation.encrypts:
            require_owner_alone(call.request.headers)
        else:
            sse.refuse(call.request.headers)
        return call.operation.handler(call)

    def _record(self, call: S3Call) -> None:
        if call.call.recorded:
            return
        # Whatever becomes of it: a second row of its id would fail the batch of others.
        call.call.recorded = True
        commit = self._data if call.operation.is_data else self._management
        wait(commit.submit(*rows_of(event_of(call.call))), self._services.shared.limits.audit_deadline)

    def _refused(
        self, request: Request, request_id: str, call: S3Call | None, error: ServiceError
    ) -> tuple[StreamedResponse, Kind, str]:
        """The answer to a call that failed; it is recorded as well, unless nobody is known to have made it."""
        if call is None or call.is_anonymous:
            self._authenticator.note_refusal(request, error)
        elif not call.call.recorded:
            call.call.fault = faults.s3_error(error)
            try:
                self._record(call)
            except ServiceError:
                # A full store is a full log, too; neither tells anything of the call.
                error = error if isinstance(error, ServiceUnavailable) else InternalError()
        answered = () if call is None else tuple(call.answered.items())
        response = faults.fault(error, request_id, head=request.method == "HEAD")
        headers = (*response.headers, *answered)
        told = StreamedResponse(response.status, headers, len(response.body), (response.body,))
        if call is None:
            return told, kind_of(None, Result.UNAUTHENTICATED), faults.s3_error(error).code
        fault = faults.s3_error(error)
        return told, kind_of(call.operation.row, result_of(fault)), fault.code


def _form(request: Request) -> PostForm:
    """The form of an upload, up to its file.

    Raises:
        S3Error: it is none.
    """
    form = post_form.read_form(body_of(request), request.headers.get("content-type", ""))
    paths.check_key(form.fields["key"])
    return form


def _level(place: paths.Location) -> Level:
    if place.key:
        return Level.OBJECT
    return Level.BUCKET if place.bucket else Level.SERVICE


def _response(call: S3Call, answer: S3Answer, request_id: str) -> StreamedResponse:
    told = call.answered | dict(answer.headers)
    if answer.body:
        told.setdefault("Content-Type", xml_writer.CONTENT_TYPE)
    headers = (*told.items(), *faults.identification(request_id))
    parts: Iterable[bytes] = (answer.body,) if answer.parts is None else answer.parts
    length = len(answer.body) if answer.length is None else answer.length
    return StreamedResponse(answer.status, headers, length, parts)
