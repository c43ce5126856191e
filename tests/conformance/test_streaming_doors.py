"""Both doors carry streamed bodies alike, and both hold the rules of the entrance."""

import json
import socket
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_network

import pytest
from msgspec import structs

from kms_server.config import Limits
from kms_server.server.entrance import Entrance
from kms_server.server.health import Health
from tests.conformance.test_doors import PAGE, READABLE, Doors, both, raw
from tests.unit.server.door_server import SteeredPipeline, eventually, read_all, read_answer, running_door
from tests.unit.server.streams import PART, SteeredStreams, chunked, digest_of, put

BODY = bytes(range(250)) * 12_000
CLOSE = b"Connection: close\r\n"
LOCAL = (ip_network("127.0.0.0/8"),)


@pytest.fixture(scope="module")
def streams() -> SteeredStreams:
    return SteeredStreams()


@pytest.fixture(scope="module")
def doors(streams: SteeredStreams) -> Iterator[Doors]:
    yield from both(SteeredPipeline(), Health(), streams=streams)


def get(target: str, method: str = "GET", **headers: str) -> bytes:
    return raw(method, target, b"", headers)


REQUESTS = {
    "upload": (put(BODY, headers=CLOSE), 200, digest_of(BODY)),
    "empty upload": (put(b"", headers=CLOSE), 200, digest_of(b"")),
    "chunked upload": (chunked(BODY, 70_000, headers=CLOSE), 200, digest_of(BODY)),
    "small chunks": (chunked(BODY[:3_000], 7, headers=CLOSE), 200, digest_of(BODY[:3_000])),
    "download": (get("/s/get/3000000"), 200, PART * 45 + PART[: 3_000_000 % len(PART)]),
    "empty download": (get("/s/get/0"), 200, b""),
    "HEAD": (get("/s/get/3000000", "HEAD"), 200, b""),
    "no content": (get("/s/status/204"), 204, b""),
    "not modified": (get("/s/status/304"), 304, b""),
    "early answer": (put(BODY[:9_000], "/s/early", CLOSE), 403, b"early"),
    "failure": (put(BODY, "/s/broken", CLOSE), 500, None),
    "other body over the limit": (put(BODY, "/other", CLOSE), 413, None),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_streamed_requests_get_the_same_answer(doors: Doors, name: str) -> None:
    data, status, body = REQUESTS[name]
    fast, wsgi = doors.answers(data)
    assert fast == wsgi
    assert fast[0] == status
    assert body is None or fast[2] == body


def test_the_streams_see_the_same_request(doors: Doors, streams: SteeredStreams) -> None:
    streams.requests.clear()
    doors.answers(raw("PUT", "/s/put/a%20b//?x=%20&y", b"abc", {"X-Two": "1", "Content-Type": "text/plain"}))
    fast, wsgi = streams.requests
    assert wsgi == structs.replace(fast, headers=wsgi.headers)
    assert dict(sorted(wsgi.headers.items())) == dict(sorted(fast.headers.items()))


@pytest.mark.parametrize(
    ("target", "readable"),
    [("/s/get/3", READABLE), ("/s/headers", {"access-control-allow-origin": "http://one.test"})],
)
def test_a_web_page_may_read_what_does_not_say_otherwise(
    doors: Doors, target: str, readable: dict[str, str]
) -> None:
    for _, headers, _ in doors.answers(get(target, Origin=PAGE)):
        assert {name: headers[name] for name in headers if name.startswith("access-control")} == readable


@pytest.mark.parametrize("kind", ["cut", "short"])
def test_an_answer_that_cannot_be_completed_never_seems_whole(doors: Doors, kind: str) -> None:
    for door in (doors.fast, doors.wsgi):
        with door.connection() as client:
            client.sendall(get(f"/s/{kind}/200000"))
            try:
                received = read_all(client)
            except ConnectionResetError:
                continue
            assert len(received.partition(b"\r\n\r\n")[2]) < 200_000


def test_a_client_that_ends_its_upload_too_soon_is_told_to_the_reader() -> None:
    for number in range(2):
        streams = SteeredStreams()
        for made in both(SteeredPipeline(), Health(), streams=streams):
            with (made.fast, made.wsgi)[number].connection() as client:
                client.sendall(put(BODY)[:100_000])
                client.shutdown(socket.SHUT_WR)
                assert b"200 OK" not in read_all(client)
            assert streams.gone.wait(20)


def test_plain_http_is_refused_where_tls_is_required() -> None:
    entrance = Entrance(require_tls=True)
    for made in both(SteeredPipeline(), Health(), streams=SteeredStreams(), entrance=entrance):
        call = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.ListKeys"}
        for fast, wsgi in (
            made.answers(raw("POST", "/", b"{}", call)),
            made.answers(get("/s/get/3")),
            made.answers(put(BODY[:9_000], headers=CLOSE)),
        ):
            assert fast == wsgi
            assert fast[0] == 403
            assert b"AccessDenied" in fast[2]
        assert [answer[0] for answer in made.answers(get("/_kms/health"))] == [200, 200]


@pytest.mark.parametrize(
    ("headers", "proxies", "status", "source_ip"),
    [
        ({"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}, LOCAL, 200, "203.0.113.9"),
        ({"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}, (), 403, None),
        ({"X-Forwarded-Proto": "http"}, LOCAL, 403, None),
    ],
)  # fmt: skip
def test_only_a_trusted_proxy_says_where_a_request_comes_from(
    headers: dict[str, str], proxies: tuple[object, ...], status: int, source_ip: str | None
) -> None:
    entrance = Entrance(proxies, require_tls=True)  # type: ignore[arg-type]
    streams = SteeredStreams()
    for made in both(SteeredPipeline(), Health(), Limits(), streams, entrance):
        for got, _, body in made.answers(get("/any", **headers)):
            assert got == status
            if source_ip is not None:
                assert json.loads(body)["source_ip"] == source_ip
                assert json.loads(body)["tls"] == ["", ""]
        made.answers(get("/s/get/1", **headers))
    assert {request.source_ip for request in streams.requests} == ({source_ip} if source_ip else set())


def both_serve(doors: Doors) -> bool:
    return [answer[0] for answer in doors.answers(get("/s/get/1"))] == [200, 200]


def test_both_doors_answer_for_a_transfer_that_the_storage_keeps() -> None:
    streams = SteeredStreams()
    streams.waits.patience = 0.1
    limits = Limits(stream_threads=2)
    for made in both(SteeredPipeline(), Health(), limits, streams, waits=streams.waits):
        kept = put(BODY[:9_000], "/s/kept", CLOSE)
        for fast, wsgi in [made.answers(kept), made.answers(kept), made.answers(get("/s/get/1"))]:
            assert fast == wsgi
            assert fast[0] == 500
            assert b"<Code>InternalError</Code>" in fast[2]
        assert {request.path for request in streams.requests} == {"/s/kept"}
        streams.gate.set()
        # A thread that stayed behind reads nothing more of a body that was answered.
        assert streams.gone.wait(20)
        eventually(partial(both_serve, made))


def test_a_transfer_that_waits_for_its_turn_is_not_begun_when_it_was_answered() -> None:
    streams = SteeredStreams()
    streams.waits.patience = 0.5
    with (
        running_door(
            SteeredPipeline(), Limits(stream_threads=1), streams=streams, waits=streams.waits
        ) as door,
        door.connection() as first,
        door.connection() as second,
    ):
        first.sendall(put(BODY[:9_000], "/s/kept", CLOSE))
        eventually(lambda: len(streams.requests) == 1)
        second.sendall(get("/s/get/1"))
        assert read_answer(second)[0] == read_answer(first)[0] == 500
        streams.gate.set()
        eventually(lambda: door.exchange(get("/s/get/2")).startswith(b"HTTP/1.1 200"))
    assert {request.path for request in streams.requests} == {"/s/kept", "/s/get/2"}
