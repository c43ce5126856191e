"""Both doors give the same answer to the same bytes: the event loop's own, and Flask under another WSGI server."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from msgspec import structs
from werkzeug.serving import WSGIRequestHandler, make_server

from kms_server.config import LOOPBACK, Limits, Settings
from kms_server.server.door_types import Answerer, StreamAnswerer
from kms_server.server.entrance import OPEN, Entrance
from kms_server.server.flask_app import create_app
from kms_server.server.health import Health, health_of
from kms_server.server.metrics import Metrics, Numbers
from kms_server.server.services import services_of
from kms_server.server.worker_state import WorkerState, build
from kms_server.storage.reserve import Reserve
from kms_server.storage.waits import Waits
from tests.databases import prepared
from tests.unit.server.door_server import RunningDoor, SteeredPipeline, read_answer, running_door

HOST = "kms.test"
JSON = "application/x-amz-json-1.1"
PAGE = "http://elsewhere.test"
LIMITS = Limits(max_body_bytes=20_000)
READABLE = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date",
}
# What a door, not an answer, decides.
OF_THE_DOOR = {"date", "server", "connection", "x-amzn-requestid", "x-amz-request-id"}
_REQUEST_ID = re.compile(rb"<RequestId>[0-9a-f-]{36}</RequestId>")
FORM = "application/x-www-form-urlencoded"
IDENTITY = "Action=GetCallerIdentity&Version=2011-06-15"


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        """The test output stays readable."""


@dataclass
class Doors:
    """Two doors before one pipeline."""

    fast: RunningDoor
    wsgi: RunningDoor

    def answers(self, data: bytes) -> tuple[tuple[int, dict[str, str], bytes], ...]:
        """What each door answers to the same bytes."""
        return tuple(_answer(door, data) for door in (self.fast, self.wsgi))


def _answer(door: RunningDoor, data: bytes) -> tuple[int, dict[str, str], bytes]:
    with door.connection() as client:
        client.sendall(data)
        status, headers, body = read_answer(client, with_body=not data.startswith(b"HEAD "))
    body = _REQUEST_ID.sub(b"<RequestId/>", body)
    return status, {name: value for name, value in headers.items() if name not in OF_THE_DOOR}, body


@dataclass
class _Access:
    state: WorkerState
    credentials: Credentials

    def signed(self, target: str, body: bytes, **overrides: str) -> bytes:
        """A signed call as it goes over the wire."""
        headers = {"Host": HOST, "Content-Type": JSON, "X-Amz-Target": target} | overrides
        request = AWSRequest("POST", f"http://{HOST}/", data=body, headers=headers)
        SigV4Auth(self.credentials, "kms", "us-east-1").add_auth(request)
        return raw("POST", "/", body, dict(request.headers.items()))

    def form(self, body: str, service: str = "sts", **overrides: str) -> bytes:
        """A signed form."""
        headers = {"Host": HOST, "Content-Type": FORM} | overrides
        request = AWSRequest("POST", f"http://{HOST}/", data=body.encode(), headers=headers)
        SigV4Auth(self.credentials, service, "us-east-1").add_auth(request)
        return raw("POST", "/", body.encode(), dict(request.headers.items()))

    def presigned_get(self, query: str) -> bytes:
        """A query signed in its URL, good for an hour."""
        request = AWSRequest("GET", f"http://{HOST}/?{query}", headers={"Host": HOST})
        SigV4QueryAuth(self.credentials, "sts", "us-east-1", expires=3_600).add_auth(request)
        return raw("GET", str(request.url).removeprefix(f"http://{HOST}"), b"", {})

    def presigned(self, target: str) -> bytes:
        """A call signed in its query string."""
        headers = {"Host": HOST, "Content-Type": JSON, "X-Amz-Target": target}
        request = AWSRequest("POST", f"http://{HOST}/", headers=headers)
        SigV4QueryAuth(self.credentials, "kms", "us-east-1", expires=60).add_auth(request)
        return raw(
            "POST", str(request.url).removeprefix(f"http://{HOST}"), b"", dict(request.headers.items())
        )


def raw(method: str, target: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A request's bytes; the connection ends with the answer."""
    fields = {"Host": HOST} | headers | {"Connection": "close"}
    if body:
        fields["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + body


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Access]:
    settings = Settings(tmp_path_factory.mktemp("doors") / "data", limits=LIMITS)
    credentials = prepared(settings)
    state = build(settings)
    yield _Access(state, credentials)
    state.close()


def both(
    pipeline: Answerer, health: Health, limits: Limits = LIMITS, streams: StreamAnswerer | None = None,
    entrance: Entrance = OPEN, waits: Waits | None = None, metrics: Metrics | None = None,
) -> Iterator[Doors]:  # fmt: skip
    app = create_app(pipeline, health, limits, streams, entrance, waits, metrics)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with running_door(
            pipeline, limits, health=health, streams=streams, entrance=entrance, waits=waits, metrics=metrics
        ) as fast:
            yield Doors(fast, replace(fast, port=server.port))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def doors(access: _Access) -> Iterator[Doors]:
    state, commit = access.state.state, access.state.commit
    health = health_of(state, {"events": commit}, Reserve(state.settings.data_dir, 0))
    services = services_of(state)
    numbers = Numbers(state.settings.usage_dir, services.limiter, services.keyring, health)
    for made in both(access.state.pipeline, health, metrics=Metrics(numbers, LOOPBACK)):
        # As a worker does: tickets are resolved in the event loop's thread.
        commit.soon = commit.on_batch = made.fast.loop.call_soon_threadsafe
        yield made
        commit.soon = commit.on_batch = lambda work: work()


Build = Callable[[_Access], bytes]


def plain(method: str, target: str = "/", body: bytes = b"", **headers: str) -> Build:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _access: raw(method, target, body, named)


def call(operation: str, document: object, *, service: str = "TrentService") -> Build:
    return lambda access: access.signed(f"{service}.{operation}", json.dumps(document).encode())


def page(operation: str, document: object) -> Build:
    """A call by a script in a web page."""
    return lambda access: access.signed(
        f"TrentService.{operation}", json.dumps(document).encode(), Origin=PAGE
    )


def body_of(body: bytes) -> Build:
    return lambda access: access.signed("TrentService.Encrypt", body)


def tampered(access: _Access) -> bytes:
    return access.signed("TrentService.ListKeys", b"{}").replace(b"ListKeys", b"ListAlia")


def chunked(access: _Access) -> bytes:
    head, _, body = access.signed("TrentService.DescribeKey", b'{"KeyId":"none"}').partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:5], body[5:]))
    return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", pieces + b"0\r\n\r\n"])


CALLS: dict[str, tuple[Build, int]] = {
    "list keys": (call("ListKeys", {}), 200),
    "list aliases": (call("ListAliases", {"Limit": 1}), 200),
    "not found": (call("DescribeKey", {"KeyId": "none"}), 400),
    "chunked": (chunked, 400),
    "validation": (call("Encrypt", {"KeyId": "", "Plaintext": ""}), 400),
    "wrong type": (call("Encrypt", {"KeyId": 1}), 400),
    "bad ciphertext": (call("Decrypt", {"CiphertextBlob": "AAAA"}), 400),
    "unknown operation": (call("Nonsense", {}), 400),
    "unknown service": (call("ListKeys", {}, service="Nonsense"), 400),
    "look up events": (
        call("LookupEvents", {"MaxResults": 99}, service="CloudTrail_20131101"),
        400,
    ),
    "tampered": (tampered, 400),
    "presigned without body": (lambda access: access.presigned("TrentService.ListKeys"), 400),
    "not JSON": (body_of(b"{"), 400),
    "empty": (body_of(b""), 400),
    "no object": (body_of(b"[]"), 400),
    "byte order mark": (body_of(b"\xef\xbb\xbf{}"), 400),
    "not UTF-8": (body_of(b'{"KeyId":"\xff"}'), 400),
    "not a number": (body_of(b'{"KeyId":NaN}'), 400),
    "unsigned": (plain("POST", "/", b"{}", Content_Type=JSON, X_Amz_Target="TrentService.ListKeys"), 400),
    "malformed authorization": (
        plain("POST", "/", b"{}", Content_Type=JSON, X_Amz_Target="TrentService.ListKeys", Authorization="x"),
        400,
    ),
    "other JSON": (plain("POST", "/", b"{}", Content_Type="application/json"), 404),
    "other type": (plain("POST", "/", b"a=b", Content_Type="text/plain", X_Amz_Target="TrentService.X"), 404),
    "form": (plain("POST", "/", b"a=b", Content_Type=FORM), 400),
    "identity": (lambda access: access.form(IDENTITY), 200),
    "identity for a web page": (lambda access: access.form(IDENTITY, Origin=PAGE), 200),
    "presigned identity": (lambda access: access.presigned_get(IDENTITY), 200),
    "presigned for IAM": (lambda access: access.presigned_get("Action=ListUsers&Version=2010-05-08"), 400),
    "form for another service": (lambda access: access.form(IDENTITY, "kms"), 403),
    "unsigned form": (plain("POST", "/", IDENTITY.encode(), Content_Type=FORM), 403),
    "unsigned query": (plain("GET", f"/?{IDENTITY}"), 403),
    "unknown action": (lambda access: access.form("Action=Nonsense&Version=2011-06-15"), 400),
    "unknown version": (lambda access: access.form("Action=GetCallerIdentity&Version=1"), 400),
    "form that is none": (plain("POST", "/", b"\xff=%&", Content_Type=FORM), 400),
    "form over the limit": (plain("POST", "/", b"x" * 20_001, Content_Type=FORM), 413),
    "no type": (plain("POST", "/", b"{}"), 403),
    "GET": (plain("GET"), 403),
    "PUT": (plain("PUT", "/", b"{}"), 403),
    "DELETE": (plain("DELETE"), 403),
    "PATCH": (plain("PATCH"), 403),
    "a rare method": (plain("PROPFIND"), 403),
    "HEAD": (plain("HEAD"), 403),
    "OPTIONS": (plain("OPTIONS", "/", Origin=PAGE), 200),
    "from a web page": (page("ListKeys", {}), 200),
    "a fault for a web page": (page("DescribeKey", {"KeyId": "none"}), 400),
    "an unsigned request of a web page": (plain("POST", "/", b"{}", Content_Type=JSON, Origin=PAGE), 400),
    "GET of a web page": (plain("GET", Origin=PAGE), 403),
    "health for a web page": (plain("GET", "/_kms/health", Origin=PAGE), 200),
    "other path": (plain("GET", "/bucket/a%20b//c?versionId=1"), 403),
    "dots": (plain("GET", "/a/../b/./c"), 403),
    "hidden prefix": (plain("GET", "/%5Fkms/health"), 403),
    "body over the limit": (plain("POST", "/", b"x" * 20_001, Content_Type=JSON), 413),
    "health": (plain("GET", "/_kms/health"), 200),
    "health HEAD": (plain("HEAD", "/_kms/health"), 200),
    "health POST": (plain("POST", "/_kms/health", b"{}"), 405),
    "ready": (plain("GET", "/_kms/ready"), 200),
    "metrics": (plain("GET", "/_kms/metrics"), 200),
    "metrics in a newer format": (plain("GET", "/_kms/metrics", Accept="application/openmetrics-text"), 200),
    "metrics in no format": (plain("GET", "/_kms/metrics", Accept="text/plain;version=x"), 200),
    "metrics HEAD": (plain("HEAD", "/_kms/metrics"), 200),
    "metrics POST": (plain("POST", "/_kms/metrics", b"{}"), 405),
    "metrics through a proxy": (plain("GET", "/_kms/metrics", X_Forwarded_For="127.0.0.1"), 403),
    "OpenAPI": (plain("GET", "/_kms/openapi.yaml"), 200),
    "nothing of ours": (plain("GET", "/_kms/none"), 404),
    "not quite ours": (plain("GET", "/_kms"), 403),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_same_bytes_get_the_same_answer(doors: Doors, access: _Access, name: str) -> None:
    make, status = CALLS[name]
    fast, wsgi = doors.answers(make(access))
    assert fast == wsgi
    assert fast[0] == status, fast


@pytest.mark.parametrize("name", [name for name in CALLS if "web page" in name])
def test_a_web_page_may_read_the_answer(doors: Doors, access: _Access, name: str) -> None:
    for _, headers, _ in doors.answers(CALLS[name][0](access)):
        readable = {header: value for header, value in headers.items() if header.startswith("access-control")}
        assert readable == ({} if name.startswith("health") else READABLE)


def test_other_answers_say_nothing_of_web_pages(doors: Doors, access: _Access) -> None:
    for _, headers, _ in doors.answers(CALLS["list keys"][0](access)):
        assert not any(header.startswith("access-control") for header in headers)


def test_a_key_made_through_one_door_is_used_through_the_other(doors: Doors, access: _Access) -> None:
    def ask(door: RunningDoor, operation: str, **members: str) -> Any:
        status, _, body = _answer(door, call(operation, members)(access))
        assert status == 200, body
        return json.loads(body) if body else None

    key = ask(doors.wsgi, "CreateKey")["KeyMetadata"]["KeyId"]
    sealed = ask(doors.fast, "Encrypt", KeyId=key, Plaintext="aGVsbG8=")["CiphertextBlob"]
    assert ask(doors.wsgi, "Decrypt", CiphertextBlob=sealed)["Plaintext"] == "aGVsbG8="
    assert ask(doors.fast, "Decrypt", CiphertextBlob=sealed)["Plaintext"] == "aGVsbG8="
    assert ask(doors.fast, "DisableKey", KeyId=key) is None
    fast, wsgi = doors.answers(call("Decrypt", {"CiphertextBlob": sealed})(access))
    assert fast == wsgi
    assert json.loads(fast[2])["__type"] == "DisabledException"


@pytest.mark.parametrize(
    "data",
    [
        raw("POST", "/a%20b//c%2F?x=%20&y", b"\x00\xff body", {"X-Two": "1", "X-Odd": "caf\xe9"}),
        raw("GET", "/?", b"", {"Accept": "a, b"}),
        raw("POST", "/", b"a=1&b=2", {"Content-Type": "application/x-www-form-urlencoded"}),
        raw("GET", "/twice", b"", {"X-Twice": "1\r\nX-Twice: 2"}),
    ],
    ids=["encoded", "empty query", "form", "repeated"],
)
def test_the_pipeline_sees_the_same_request(data: bytes) -> None:
    pipeline = SteeredPipeline()
    for made in both(pipeline, Health()):
        made.answers(data)
    fast, wsgi = pipeline.requests
    assert wsgi == structs.replace(fast, headers=wsgi.headers)
    assert dict(sorted(wsgi.headers.items())) == dict(sorted(fast.headers.items()))


@pytest.mark.parametrize("path", ["/broken", "/recorded"])
@pytest.mark.parametrize("headers", [{}, {"Origin": PAGE}], ids=["", "web page"])
def test_both_doors_fail_alike(path: str, headers: dict[str, str]) -> None:
    for made in both(SteeredPipeline(), Health(), Limits(audit_deadline=0.1)):
        fast, wsgi = made.answers(raw("GET", path, b"", headers))
        assert fast == wsgi
        assert ("access-control-allow-origin" in fast[1]) == bool(headers)
        assert (fast[0], json.loads(fast[2])["__type"]) == (500, "KMSInternalException")


@pytest.mark.parametrize("headers", [{}, {"Origin": PAGE}], ids=["", "web page"])
def test_both_doors_answer_for_a_thread_that_the_storage_keeps(headers: dict[str, str]) -> None:
    pipeline = SteeredPipeline()
    pipeline.waits.patience = 0.1
    limits = Limits(cold_threads=2)
    for made in both(pipeline, Health(), limits, waits=pipeline.waits):
        kept = raw("GET", "/kept", b"", headers)
        answers = [made.answers(kept), made.answers(kept), made.answers(raw("GET", "/cold", b"", headers))]
        for fast, wsgi in answers:
            assert fast == wsgi
            assert ("access-control-allow-origin" in fast[1]) == bool(headers)
            assert (fast[0], json.loads(fast[2])["__type"]) == (500, "KMSInternalException")
        # The third was not begun: both threads are taken. One that needs no thread is answered by the fast door.
        assert len(pipeline.requests) == 0
        assert _answer(made.fast, raw("GET", "/warm", b"", headers))[0] == 200
        pipeline.unblock.set()
        for _ in range(5):
            assert pipeline.completed.acquire(timeout=20)
        assert [answer[0] for answer in made.answers(raw("GET", "/cold", b"", headers))] == [200, 200]
