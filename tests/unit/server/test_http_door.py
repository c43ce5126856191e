"""The fast door on a real socket: order, waiting for records, detachment from the client, time limits."""

import json
import socket
import struct
import threading

import pytest

from kms_server.batches import settle_each
from kms_server.config import Limits
from kms_server.server.health import Health
from tests.unit.server.door_server import (
    SteeredPipeline,
    connections_of,
    eventually,
    parse_head,
    read_all,
    read_answer,
    running_door,
)

GET = b"GET %b HTTP/1.1\r\nHost: kms.test\r\n\r\n"


def get(target: str) -> bytes:
    return GET % target.encode()


def test_answers_come_in_the_order_of_the_requests() -> None:
    with running_door(SteeredPipeline()) as door, door.connection() as client:
        kinds = ["/cold/", "/", "/ended/", "/_kms/health?", "/cold/", "/ended/"]
        targets = [f"{kinds[number % 6]}{number}" for number in range(240)]
        client.sendall(b"".join(map(get, targets)))
        for number, target in enumerate(targets):
            status, _, body = read_answer(client)
            assert status == 200
            expected = b'{"status":"ok"}' if number % 6 == 3 else target.encode()
            assert expected in body


def test_no_byte_leaves_before_the_record_is_on_disk() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline) as door, door.connection() as client:
        client.sendall(get("/recorded"))
        pipeline.wait_for_calls()
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(20)
        door.call(lambda: pipeline.tickets[0].settle(failed=False))
        status, _, body = read_answer(client)
        assert (status, json.loads(body)["target"]) == (200, "/recorded")


def test_a_record_that_fails_discloses_nothing() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline) as door, door.connection() as client:
        client.sendall(get("/recorded/secret"))
        pipeline.wait_for_calls()
        door.call(lambda: pipeline.tickets[0].settle(failed=True))
        status, headers, body = read_answer(client)
        assert (status, headers["x-amzn-errortype"]) == (500, "KMSInternalException")
        assert b"secret" not in body


def test_a_record_past_its_deadline_discloses_nothing_even_later() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline, Limits(audit_deadline=0.05)) as door, door.connection() as client:
        client.sendall(get("/recorded/secret"))
        assert read_answer(client)[0] == 500
        door.call(lambda: pipeline.tickets[0].settle(failed=False))
        client.sendall(get("/after"))
        status, _, body = read_answer(client)
        assert (status, json.loads(body)["target"]) == (200, "/after")


def test_a_late_record_is_not_taken_for_that_of_the_next_call() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline, Limits(audit_deadline=0.3)) as door, door.connection() as client:
        client.sendall(get("/recorded/1") + get("/recorded/2"))
        pipeline.wait_for_calls(2)
        door.call(lambda: pipeline.tickets[0].settle(failed=False))
        assert [read_answer(client)[0] for _ in range(2)] == [500, 500]


def test_a_call_goes_on_when_its_client_has_gone() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline) as door:
        with door.connection() as client:
            client.sendall(get("/blocked"))
            eventually(lambda: len(door.door.connections) == 1)
            # Reset: a plain close looks like a client that only has no more to send.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        eventually(lambda: not door.door.connections)
        pipeline.unblock.set()
        pipeline.wait_for_calls()
        assert pipeline.requests[0].target == "/blocked"


def test_a_call_whose_limits_are_undecided_waits_and_keeps_its_turn() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline) as door, door.connection() as first, door.connection() as second:
        first.sendall(get("/limited/1") + get("/2"))
        assert pipeline.undecided.acquire(timeout=20)
        # What arrives meanwhile waits behind it; others do not.
        first.sendall(get("/3"))
        second.sendall(get("/4"))
        assert b"/4" in read_answer(second)[2]
        assert [request.path for request in pipeline.requests] == ["/4"]
        door.call(pipeline.decisions[0].settle)
        for expected in (b"/limited/1", b"/2", b"/3"):
            assert expected in read_answer(first)[2]
    assert len(pipeline.decisions) == 1


def test_calls_that_are_decided_together_go_on_together() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline) as door, door.connection() as first, door.connection() as second:
        for number, client in enumerate((first, second)):
            client.sendall(get(f"/limited/{number}"))
            assert pipeline.undecided.acquire(timeout=20)
        door.call(lambda: settle_each(pipeline.decisions))
        for number, client in enumerate((first, second)):
            assert f"/limited/{number}".encode() in read_answer(client)[2]


def test_a_call_goes_on_when_its_client_leaves_before_the_decision() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline) as door:
        with door.connection() as client:
            client.sendall(get("/limited/1"))
            assert pipeline.undecided.acquire(timeout=20)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        eventually(lambda: not door.door.connections)
        door.call(pipeline.decisions[0].settle)
        pipeline.wait_for_calls()
    assert [request.path for request in pipeline.requests] == ["/limited/1"]


def test_a_decision_that_comes_too_late_answers_nobody() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline, Limits(request_timeout=0.1)) as door, door.connection() as client:
        client.sendall(get("/limited/1"))
        status, headers, _ = read_answer(client)
        assert (status, headers["connection"]) == (500, "close")
        door.call(pipeline.decisions[0].settle)
        pipeline.wait_for_calls()
        assert client.recv(1) == b""


def test_a_half_closed_client_gets_its_answers() -> None:
    with running_door(SteeredPipeline()) as door, door.connection() as client:
        client.sendall(get("/cold/1") + get("/2") + get("/cold/3"))
        client.shutdown(socket.SHUT_WR)
        received = read_all(client)
        assert received.count(b"HTTP/1.1 200 OK") == 3


def test_half_a_request_and_the_end_is_just_closed() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline) as door, door.connection() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""
    assert pipeline.requests == []


def test_the_refusal_comes_after_the_answers_before_it() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline) as door, door.connection() as client:
        client.sendall(get("/recorded") + b"\x00garbage")
        pipeline.wait_for_calls()
        door.call(lambda: pipeline.tickets[0].settle(failed=False))
        assert read_answer(client)[0] == 200
        status, headers, _ = read_answer(client)
        assert (status, headers["connection"]) == (400, "close")
        assert client.recv(1) == b""


def test_a_refusal_reaches_a_client_that_is_still_sending() -> None:
    with running_door(SteeredPipeline(), Limits(max_body_bytes=100)) as door, door.connection() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(100):
            client.sendall(b"x" * 10_000)
        status, headers, _ = read_answer(client)
        assert (status, headers["x-amzn-errortype"]) == (413, "RequestEntityTooLargeException")


def test_continue_is_said_in_turn_and_only_when_awaited() -> None:
    pipeline = SteeredPipeline()
    head = b"POST /%d HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    with running_door(pipeline) as door, door.connection() as client:
        client.sendall(get("/recorded") + head % 1)
        pipeline.wait_for_calls()
        door.call(lambda: pipeline.tickets[0].settle(failed=False))
        assert read_answer(client)[0] == 200
        assert read_answer(client)[0] == 100
        client.sendall(b"ab" + head % 2 + b"cd")
        assert [read_answer(client)[0] for _ in range(2)] == [200, 200]
    assert [request.body for request in pipeline.requests] == [b"", b"ab", b"cd"]


def test_a_continued_body_over_the_limit_is_never_asked_for() -> None:
    with running_door(SteeredPipeline(), Limits(max_body_bytes=10)) as door, door.connection() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n")
        assert read_answer(client)[0] == 413


@pytest.mark.parametrize("path", ["/broken", "/cold/broken"])
def test_a_failure_of_ours_is_an_internal_error_and_no_traceback(
    path: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = SteeredPipeline()

    def fail(_request: object) -> None:
        raise ZeroDivisionError("the secret")

    monkeypatch.setattr(pipeline, "_echo", fail)
    with running_door(pipeline) as door:
        received = door.exchange(get(path))
    assert parse_head(received)[0] == 500
    assert b"KMSInternalException" in received
    assert "ZeroDivisionError" in caplog.text
    assert "the secret" not in caplog.text


def test_a_call_that_never_ends_is_given_up() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline, Limits(request_timeout=0.1)) as door:
        received = door.exchange(get("/blocked"))
        pipeline.unblock.set()
        pipeline.wait_for_calls()
    assert parse_head(received)[0] == 500


@pytest.mark.parametrize(
    ("limits", "data"),
    [
        (Limits(header_timeout=0.1), b"POST / HTTP/1.1\r\nHos"),
        (Limits(request_timeout=0.1), b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"),
    ],
    ids=["headers", "body"],
)
def test_a_slow_request_is_refused(limits: Limits, data: bytes) -> None:
    with running_door(SteeredPipeline(), limits) as door:
        assert parse_head(door.exchange(data))[0] == 408


def test_dripping_bytes_do_not_prolong_the_headers() -> None:
    with running_door(SteeredPipeline(), Limits(header_timeout=0.3)) as door, door.connection() as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.02):
                try:
                    client.sendall(b"X: y\r\n")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        assert read_answer(client)[0] == 408
        stop.set()
        dripping.join()


def test_an_idle_connection_is_closed_without_a_word() -> None:
    with running_door(SteeredPipeline(), Limits(idle_timeout=0.05)) as door:
        assert door.exchange(b"") == b""


def test_a_client_that_does_not_read_is_not_read_and_then_cut_off() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline, Limits(request_timeout=0.3)) as door, door.connection() as client:
        client.sendall(get("/large/1000000") * 200)
        pipeline.wait_for_calls()
        eventually(lambda: not door.door.connections)
        assert len(pipeline.requests) < 50


def test_a_slow_reader_gets_everything() -> None:
    with running_door(SteeredPipeline()) as door, door.connection() as client:
        client.sendall(get("/large/1000000") * 20)
        for _ in range(20):
            assert len(read_answer(client)[2]) == 1_000_000


def test_connections_over_the_limit_are_closed() -> None:
    with running_door(SteeredPipeline(), Limits(max_connections=2)) as door:
        with door.connection() as first, door.connection() as second:
            eventually(lambda: len(door.door.connections) == 2)
            assert door.exchange(b"") == b""
            for client in (first, second):
                client.sendall(get("/"))
                assert read_answer(client)[0] == 200
        eventually(lambda: not door.door.connections)
        with door.connection() as client:
            client.sendall(get("/"))
            assert read_answer(client)[0] == 200


def test_draining_answers_what_is_due_and_closes_the_rest() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline) as door, door.connection() as idle, door.connection() as busy:
        busy.sendall(get("/blocked"))
        eventually(lambda: len(door.door.connections) == 2)
        with door.connection() as partial:
            partial.sendall(b"GET /late HTTP/1.1\r\n")
            eventually(lambda: any(each._reader.in_message for each in connections_of(door.door)))
            eventually(lambda: any(each._current is not None for each in connections_of(door.door)))
            door.call(door.door.drain)
            assert idle.recv(1) == b""
            pipeline.unblock.set()
            status, headers, _ = read_answer(busy)
            assert (status, headers["connection"]) == (200, "close")
            partial.sendall(b"Host: a\r\n\r\n")
            assert read_answer(partial)[1]["connection"] == "close"
        eventually(lambda: not door.door.connections)
        assert door.exchange(b"") == b""


def test_head_has_the_length_and_no_body() -> None:
    with running_door(SteeredPipeline()) as door:
        for target in ("/large/77", "/_kms/health"):
            received = door.exchange(
                b"HEAD %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target.encode()
            )
            assert int(parse_head(received)[1]["content-length"]) > 10
            assert received.endswith(b"\r\n\r\n")


def test_live_answers_while_every_thread_waits() -> None:
    pipeline = SteeredPipeline()
    ready = Health({"database": lambda: "the database does not answer"})
    with (
        running_door(pipeline, Limits(cold_threads=1), health=ready) as door,
        door.connection() as stuck,
        door.connection() as client,
    ):
        stuck.sendall(get("/blocked"))
        client.sendall(get("/_kms/health") + get("/_kms/ready") + get("/_kms/none"))
        assert [read_answer(client)[0] for _ in range(3)] == [200, 503, 404]
        pipeline.unblock.set()
        assert read_answer(stuck)[0] == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
def test_a_client_goes_by_its_own_address(host: str) -> None:
    with running_door(SteeredPipeline(), host=host) as door, door.connection() as client:
        client.sendall(get("/"))
        _, _, body = read_answer(client)
        assert json.loads(body)["source_ip"] == "127.0.0.1"


def test_a_call_whose_ticket_is_outdated_is_decided_again_in_a_thread() -> None:
    pipeline = SteeredPipeline()
    with running_door(pipeline) as door, door.connection() as client:
        client.sendall(get("/recorded/1") + get("/2"))
        pipeline.wait_for_calls()
        first = pipeline.tickets[0]
        first.outdated = True
        door.call(first.settle)
        pipeline.wait_for_calls()
        eventually(lambda: len(pipeline.tickets) == 2)
        assert pipeline.charged == [False, True]
        assert pipeline.threads[1] == "cold"
        door.call(pipeline.tickets[1].settle)
        for expected in (b"/recorded/1", b"/2"):
            assert expected in read_answer(client)[2]
