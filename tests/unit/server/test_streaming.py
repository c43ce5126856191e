"""Streamed bodies through the fast door on a real socket."""

import gc
import os
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from kms_server.config import Limits, Settings
from kms_server.server import incoming_body, outgoing_body, tls
from kms_server.server.threads import Errand
from kms_server.server.transfer import Transfer
from tests.unit.server.door_server import (
    RunningDoor,
    SteeredPipeline,
    connections_of,
    eventually,
    parse_head,
    read_all,
    read_answer,
    running_door,
)
from tests.unit.server.streams import PART, SteeredStreams, chunked, digest_of, put

RECEIVE = 262_144
LARGE = os.urandom(5_000_000)


@contextmanager
def streaming(streams: SteeredStreams, limits: Limits | None = None) -> Iterator[RunningDoor]:
    with running_door(SteeredPipeline(), limits, streams=streams) as door:
        yield door


def reset(client: socket.socket) -> None:
    """Have the connection reset when it is closed."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def get(target: str, method: str = "GET") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


@pytest.mark.parametrize(
    "data",
    [put(LARGE), chunked(LARGE, 1_000_000), chunked(LARGE, 999), chunked(LARGE[:9_000], 1)],
    ids=["length", "large chunks", "small chunks", "tiny chunks"],
)
def test_an_upload_over_the_limit_of_other_bodies_arrives_whole(data: bytes) -> None:
    body = LARGE if len(data) > 1_000_000 else LARGE[:9_000]
    with (
        streaming(SteeredStreams(), Limits(max_body_bytes=1_000)) as door,
        door.connection() as client,
    ):
        for _ in range(2):
            client.sendall(data)
            status, headers, answer = read_answer(client)
            assert (status, answer) == (200, digest_of(body))
            assert "connection" not in headers


def test_many_requests_in_a_row_are_answered_in_turn() -> None:
    streams = SteeredStreams()
    with streaming(streams) as door, door.connection() as client:
        bodies = [LARGE[: 7 * number] for number in range(60)]
        sent = b"".join(
            make
            for number, body in enumerate(bodies)
            for make in (
                put(body, "/s/echo"),
                chunked(body, 50, "/s/echo"),
                get(f"/{number}"),
                get("/s/get/9"),
            )
        )
        sending = threading.Thread(target=client.sendall, args=(sent,))
        sending.start()
        for number, body in enumerate(bodies):
            assert read_answer(client)[2] == body
            assert read_answer(client)[2] == body
            assert f'"/{number}"'.encode() in read_answer(client)[2]
            assert read_answer(client)[2] == PART[:9]
        sending.join()


def test_what_was_answered_needs_no_collector() -> None:
    with streaming(SteeredStreams()) as door, door.connection() as client:
        gc.disable()
        try:
            for data in (put(LARGE), get("/s/get/3000000"), get("/s/broken")):
                client.sendall(data)
                read_answer(client)
            eventually(lambda: not any(isinstance(one, Transfer | Errand) for one in gc.get_objects()))
        finally:
            gc.enable()


def test_an_upload_that_nobody_reads_yet_is_held_back() -> None:
    streams = SteeredStreams()
    with streaming(streams) as door, door.connection() as client:
        sending = threading.Thread(target=client.sendall, args=(put(LARGE * 4, "/s/gate"),))
        sending.start()
        eventually(lambda: any(not each._reading for each in connections_of(door.door)))
        body = connections_of(door.door)[0]._reader.streamed
        assert body is not None
        assert incoming_body.HIGH_WATER <= body._held <= incoming_body.HIGH_WATER + 2 * RECEIVE
        streams.gate.set()
        assert read_answer(client)[2] == digest_of(LARGE * 4)
        sending.join()


def test_the_body_of_a_request_behind_others_is_held_back_and_then_read() -> None:
    pipeline, streams = SteeredPipeline(), SteeredStreams()
    with (
        running_door(pipeline, Limits(max_pipelined=3), streams=streams) as door,
        door.connection() as client,
    ):
        sent = get("/blocked") + get("/1") * 3 + put(LARGE) + get("/2")
        sending = threading.Thread(target=client.sendall, args=(sent,))
        sending.start()
        eventually(lambda: any(not each._reading for each in connections_of(door.door)))
        pipeline.unblock.set()
        assert [read_answer(client)[0] for _ in range(4)] == [200] * 4
        assert read_answer(client)[2] == digest_of(LARGE)
        assert read_answer(client)[0] == 200
        sending.join()


def test_a_download_waits_for_its_client() -> None:
    streams, size = SteeredStreams(), 60_000_000
    with streaming(streams) as door, door.connection() as client:
        client.sendall(get(f"/s/get/{size}") + get("/s/get/3"))
        eventually(lambda: any(each.write_paused for each in connections_of(door.door)))
        threading.Event().wait(0.2)
        unsent = connections_of(door.door)[0]._transport.get_write_buffer_size()
        assert unsent <= 2 * 262_144
        outgoing = connections_of(door.door)[0]._transfer._outgoing  # type: ignore[union-attr]
        assert outgoing._held <= outgoing_body.HIGH_WATER
        assert streams.made < size
        status, _, body = read_answer(client)
        assert (status, len(body)) == (200, size)
        assert body[: len(PART)] == PART
        assert read_answer(client)[2] == PART[:3]
        assert streams.made == size + 3


def test_a_client_that_goes_in_the_middle_of_its_upload_is_told_to_the_reader() -> None:
    for leave in (reset, lambda client: client.shutdown(socket.SHUT_WR)):
        streams = SteeredStreams()
        with streaming(streams) as door, door.connection() as client:
            client.sendall(put(LARGE)[:2_000_000])
            eventually(lambda: bool(streams.requests))  # noqa: B023
            leave(client)
            if leave is reset:
                client.close()
            else:
                assert read_all(client) == b""
            assert streams.gone.wait(20)
            eventually(lambda: not door.door.connections)


def test_a_client_that_goes_in_the_middle_of_its_download_ends_the_making() -> None:
    streams = SteeredStreams()
    with streaming(streams) as door:
        with door.connection() as client:
            client.sendall(get("/s/get/900000000"))
            assert client.recv(10)
            reset(client)
        assert streams.closed.wait(20)
        assert streams.made < 900_000_000
        eventually(lambda: not door.door.connections)


def test_tls_carries_both_ways_with_bounds(tmp_path: Path) -> None:
    settings = Settings(tmp_path, tls_auto=True)
    tls.ensure_auto(settings)
    context = ssl.create_default_context(cafile=tmp_path / "tls" / "ca.pem")
    streams = SteeredStreams()
    with (
        running_door(SteeredPipeline(), streams=streams, tls=tls.context(settings)) as door,
        door.connection(context) as client,
    ):
        sending = threading.Thread(target=client.sendall, args=(put(LARGE * 4, "/s/gate"),))
        sending.start()
        eventually(lambda: any(not each._reading for each in connections_of(door.door)))
        body = connections_of(door.door)[0]._reader.streamed
        assert body is not None
        assert body._held <= incoming_body.HIGH_WATER + 2 * RECEIVE
        streams.gate.set()
        sending.join()
        assert read_answer(client)[2] == digest_of(LARGE * 4)
        client.sendall(get("/s/get/60000000"))
        eventually(lambda: any(each.write_paused for each in connections_of(door.door)))
        threading.Event().wait(0.2)
        assert streams.made < 20_000_000
        assert len(read_answer(client)[2]) == 60_000_000
        client.sendall(put(LARGE, "/s/early")[:1_000])
        assert read_answer(client)[::2] == (403, b"early")


def test_the_first_read_asks_for_the_body() -> None:
    streams = SteeredStreams()
    with streaming(streams) as door, door.connection() as client:
        for _ in range(2):
            head, _, body = put(LARGE, "/s/gate", b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
            client.sendall(head + b"\r\n\r\n")
            if not streams.gate.is_set():
                client.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    client.recv(1)
                client.settimeout(20)
                streams.gate.set()
            assert read_answer(client)[0] == 100
            client.sendall(body)
            assert read_answer(client)[2] == digest_of(LARGE)


def test_a_body_that_comes_unasked_needs_no_continue() -> None:
    streams = SteeredStreams()
    with streaming(streams) as door, door.connection() as client:
        client.sendall(put(b"abc", "/s/gate", b"Expect: 100-continue\r\n"))
        eventually(lambda: bool(streams.requests))
        streams.gate.set()
        assert read_answer(client)[::2] == (200, digest_of(b"abc"))


def test_a_body_that_is_not_wanted_is_not_asked_for() -> None:
    with streaming(SteeredStreams()) as door, door.connection() as client:
        client.sendall(
            put(LARGE, "/s/early", b"Expect: 100-continue\r\n")[:200].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        )
        status, headers, body = read_answer(client)
        assert (status, headers["connection"], body) == (403, "close", b"early")
        assert read_all(client) == b""


def test_an_early_answer_is_read_however_much_is_still_to_come() -> None:
    with streaming(SteeredStreams()) as door, door.connection() as client:
        client.sendall(put(LARGE, "/s/early")[:100_000])
        status, headers, body = read_answer(client)
        assert (status, headers["connection"], body) == (403, "close", b"early")
        client.sendall(LARGE)
        eventually(lambda: len(door.door.connections) == 1)
    with streaming(SteeredStreams()) as door, door.connection() as client:
        client.sendall(chunked(LARGE, 5_000, "/s/early")[:100_000])
        assert read_answer(client)[1]["connection"] == "close"


def test_a_little_that_nobody_reads_is_thrown_away_and_the_connection_kept() -> None:
    with streaming(SteeredStreams()) as door, door.connection() as client:
        for _ in range(3):
            data = put(LARGE[:500_000], "/s/early")
            client.sendall(data[:1_000])
            status, headers, body = read_answer(client)
            assert (status, body) == (403, b"early")
            assert "connection" not in headers
            client.sendall(data[1_000:] + get("/s/get/7"))
            assert read_answer(client)[2] == PART[:7]


def test_what_is_never_sent_is_not_waited_for() -> None:
    with streaming(SteeredStreams()) as door, door.connection() as client:
        client.sendall(put(LARGE[:500_000], "/s/early")[:1_000])
        assert read_answer(client)[0] == 403
        assert read_all(client) == b""


def test_a_client_that_stops_sending_is_refused() -> None:
    streams = SteeredStreams()
    with streaming(streams, Limits(request_timeout=0.2)) as door:
        received = door.exchange(put(LARGE)[:1_000])
        assert parse_head(received)[0] == 408
        assert streams.gone.is_set()


def test_a_client_that_stops_reading_is_cut_off() -> None:
    streams = SteeredStreams()
    with streaming(streams, Limits(request_timeout=0.2)) as door, door.connection() as client:
        client.sendall(get("/s/get/900000000"))
        assert streams.closed.wait(20)
        eventually(lambda: not door.door.connections)


def test_the_time_limit_of_calls_is_not_that_of_transfers() -> None:
    streams = SteeredStreams()
    with streaming(streams, Limits(request_timeout=0.1)) as door, door.connection() as client:
        client.sendall(put(b"abc", "/s/gate"))
        threading.Event().wait(0.4)
        streams.gate.set()
        assert read_answer(client)[::2] == (200, digest_of(b"abc"))


def test_a_body_that_is_no_body_ends_the_reading() -> None:
    streams = SteeredStreams()
    with streaming(streams) as door, door.connection() as client:
        client.sendall(chunked(LARGE, 10_000)[:500_000])
        eventually(lambda: bool(streams.requests))
        client.sendall(b"\r\nnonsense\r\n")
        client.sendall(b"\r\n" * 50_000)
        assert streams.gone.wait(20)
        assert read_answer(client)[0] == 400


@pytest.mark.parametrize("kind", ["cut", "short"])
def test_an_answer_that_cannot_be_completed_breaks_off(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    streams = SteeredStreams()
    with streaming(streams) as door, door.connection() as client:
        client.sendall(get(f"/s/{kind}/200000"))
        with pytest.raises((ConnectionResetError, AssertionError)):
            read_answer(client)
        assert streams.closed.wait(20)
    assert "an answer broke off" in caplog.text
    assert "the secret" not in caplog.text


def test_a_failure_before_the_answer_is_an_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    with streaming(SteeredStreams()) as door, door.connection() as client:
        client.sendall(put(b"abc", "/s/broken"))
        status, headers, body = read_answer(client)
        assert (status, headers["content-type"]) == (500, "application/xml")
        assert b"<Error><Code>InternalError</Code>" in body
    assert "ZeroDivisionError" in caplog.text
    assert "the secret" not in caplog.text


def test_an_answer_with_a_broken_header_is_not_sent_and_holds_no_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    streams = SteeredStreams()
    with streaming(streams) as door:
        assert door.exchange(get("/s/split/9000000")) == b""
        assert streams.closed.wait(20)
    assert "an answer cannot be written" in caplog.text


def test_head_has_the_length_and_no_body() -> None:
    with streaming(SteeredStreams()) as door, door.connection() as client:
        client.sendall(get("/s/get/99", "HEAD") + get("/s/get/3"))
        status, headers, _ = read_answer(client, with_body=False)
        assert (status, headers["content-length"]) == (200, "99")
        assert read_answer(client)[2] == PART[:3]


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_neither_body_nor_length(status: int) -> None:
    with streaming(SteeredStreams()) as door, door.connection() as client:
        client.sendall(get(f"/s/status/{status}") + get("/s/get/3"))
        got, headers, _ = read_answer(client)
        assert got == status
        assert "content-length" not in headers
        assert read_answer(client)[2] == PART[:3]


def test_transfers_do_not_take_the_threads_of_calls_and_wait_for_each_other() -> None:
    streams, limits = SteeredStreams(), Limits(cold_threads=1, stream_threads=1)
    with (
        streaming(streams, limits) as door,
        door.connection() as first,
        door.connection() as second,
        door.connection() as third,
    ):
        first.sendall(put(b"1", "/s/gate"))
        eventually(lambda: len(streams.requests) == 1)
        second.sendall(put(b"2"))
        third.sendall(get("/cold"))
        assert read_answer(third)[0] == 200
        assert len(streams.requests) == 1
        streams.gate.set()
        assert read_answer(first)[2] == digest_of(b"1")
        assert read_answer(second)[2] == digest_of(b"2")


@pytest.mark.parametrize("slow", [put(LARGE)[:1_000], get("/s/get/900000000")], ids=["upload", "download"])
def test_a_client_that_holds_up_others_is_ended(slow: bytes) -> None:
    streams, limits = SteeredStreams(), Limits(stream_threads=2, crowd_patience=0.5)
    with streaming(streams, limits) as door, ExitStack() as held:
        for _ in range(2):
            held.enter_context(door.connection()).sendall(slow)
        eventually(lambda: len(streams.requests) == 2)
        threading.Event().wait(1.0)
        assert len(door.door.connections) == 2, "nobody waits yet"
        with door.connection() as client:
            client.sendall(put(b"abc"))
            assert read_answer(client)[::2] == (200, digest_of(b"abc"))


def test_draining_lets_transfers_finish_and_closing_ends_them() -> None:
    streams = SteeredStreams()
    with streaming(streams) as door, door.connection() as up, door.connection() as stuck:
        up.sendall(put(b"abc", "/s/gate"))
        stuck.sendall(put(LARGE)[:100])
        eventually(lambda: len(streams.requests) == 2)
        door.call(door.door.drain)
        streams.gate.set()
        status, headers, body = read_answer(up)
        assert (status, headers["connection"], body) == (200, "close", digest_of(b"abc"))
        eventually(lambda: len(door.door.connections) == 1)
        door.call(door.door.cut_off)
        assert streams.gone.wait(20)


def test_a_json_call_is_never_claimed() -> None:
    streams = SteeredStreams()
    with streaming(streams) as door, door.connection() as client:
        client.sendall(put(b"{}", "/s/put", b"X-Amz-Target: TrentService.ListKeys\r\n"))
        assert b'"/s/put"' in read_answer(client)[2]
    assert streams.requests == []
