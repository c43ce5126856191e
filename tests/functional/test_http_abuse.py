"""What strangers and careless clients send to a live server: it answers or closes, and goes on serving."""

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kms_server.config import Limits
from tests.functional.command_line import serve
from tests.functional.raw_calls import signed
from tests.functional.server_process import StartServer
from tests.functional.strangers import HEALTH, Front, answers, rest, rest_while_sending
from tests.unit.server.door_server import parse_head, read_answer
from tests.unit.server.http_cases import AMBIGUOUS, CHUNKED, HEAD

LIMITS = Limits()
EMPTY = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
TWO_BYTES = b"Content-Length: 2\r\n\r\n"


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Front]]:
    made = {
        "plain": Front(tmp_path_factory.mktemp("plain")),
        "tls": Front(tmp_path_factory.mktemp("tls"), "--tls-auto"),
    }
    yield made
    for front in made.values():
        front.stop()


@pytest.fixture(params=["plain", "tls"])
def front(request: pytest.FixtureRequest, fronts: dict[str, Front]) -> Front:
    return fronts[request.param]


@pytest.fixture
def plain(fronts: dict[str, Front]) -> Front:
    return fronts["plain"]


def check_refused(received: bytes, status: int) -> None:
    """One answer, the last on its connection."""
    head = parse_head(received)
    assert (head[0], head[1]["connection"]) == (status, "close")
    assert received.count(b"HTTP/1.1 ") == 1


OVERSIZED = {
    "target": (b"GET /" + b"a" * LIMITS.max_target_bytes + b" HTTP/1.1\r\n\r\n", 414),
    "target without end": (b"GET /" + b"a" * 1_000_000, 414),
    "header without end": (HEAD + b"X: " + b"a" * 1_000_000, 431),
    "name without end": (HEAD + b"a" * 1_000_000, 431),
    "headers without end": (HEAD + b"X: a\r\n" * 100_000, 431),
    "one header": (HEAD + b"X: " + b"a" * LIMITS.max_header_bytes + b"\r\n\r\n", 431),
    "many headers": (HEAD + b"X: a\r\n" * LIMITS.max_header_count + b"\r\n", 431),
    "declared body": (HEAD + b"Content-Length: 1048577\r\n\r\n", 413),
    "body": (HEAD + b"Content-Length: 1048577\r\n\r\n" + b"x" * 1_048_577, 413),
    "body that would come after a 100": (HEAD + b"Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n", 413),
    "one chunk": (CHUNKED + b"200000\r\n" + b"x" * 0x200000, 413),
    "many chunks": (CHUNKED + (b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 65, 413),
    "chunk extension": (CHUNKED + b"1;" + b"x" * 8_000_000, 413),
    "chunk extensions": (CHUNKED + (b"1;" + b"x" * 4_000 + b"\r\ny\r\n") * 2_000, 413),
    "trailer after a body": (CHUNKED + b"80000\r\n" + b"x" * 0x80000 + b"\r\n0\r\nX: " + b"x" * 8_000_000, 413),
    "trailer": (CHUNKED + b"0\r\nX: " + b"x" * 8_000_000, 413),
    "trailers": (CHUNKED + b"0\r\n" + b"X: y\r\n" * 1_400_000, 413),
}  # fmt: skip


@pytest.mark.parametrize("case", OVERSIZED)
def test_too_much_is_refused_and_the_connection_closed(front: Front, case: str) -> None:
    data, status = OVERSIZED[case]
    with front.connect() as client:
        check_refused(rest_while_sending(client, data), status)


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_what_could_be_read_in_two_ways_is_refused(front: Front, case: str) -> None:
    check_refused(front.exchange(AMBIGUOUS[case] + EMPTY), 400)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"\x00" * 10_000, 400, id="zeros"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="TLS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2"),
        pytest.param(b"GET /\r\n\r\n", 505, id="HTTP/0.9"),
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", 400, id="SSH"),
        pytest.param(HEAD + b"Expect: tea\r\n" + TWO_BYTES + b"{}", 417, id="expectation"),
    ],
)
def test_other_protocols_are_refused(plain: Front, data: bytes, status: int) -> None:
    check_refused(plain.exchange(data), status)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(st.binary(max_size=60), st.sampled_from([HEAD, HEALTH, b"\r\n", b"Content-Length: 5\r\n\r\n", b"0\r\n\r\n"])),
        max_size=6,
    )
)  # fmt: skip
def test_garbage_never_gets_an_internal_error(plain: Front, pieces: list[bytes]) -> None:
    with plain.connect() as client:
        client.sendall(b"".join(pieces))
        client.shutdown(socket.SHUT_WR)
        received = rest(client)
    assert b"HTTP/1.1 5" not in received.replace(b"HTTP/1.1 505", b"")
    assert plain.serves()


def test_a_long_pipeline_is_answered_in_order(front: Front) -> None:
    access, kms = front.server.access, front.server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kinds = {
        HEALTH: (200, b'"ok"'),
        signed(access, "Encrypt", {"KeyId": key, "Plaintext": "eA=="}): (200, b"CiphertextBlob"),
        b"GET /_kms/none HTTP/1.1\r\nHost: a\r\n\r\n": (404, b""),
        signed(access, "ListKeys", {}): (200, b"KeyArn"),
        EMPTY: (403, b""),
        signed(access, "Encrypt", {"KeyId": key}): (400, b"ValidationException"),
        signed(access, "DescribeKey", {"KeyId": "none"}): (400, b"NotFoundException"),
        HEAD + b"Content-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\n\r\n{}": (400, b"Unknown"),
        b"GET /bucket/key HTTP/1.1\r\nHost: a\r\n\r\n": (404, b"<Code>NoSuchBucket"),
        HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n": (404, b""),
    }  # fmt: skip
    expected = list(kinds.values()) * 30
    with front.connect() as client, ThreadPoolExecutor(1) as sender:
        sending = sender.submit(client.sendall, b"".join(kinds) * 30)
        for (status, body), (right, part) in zip(answers(client, len(expected)), expected, strict=True):
            assert status == right
            assert part in body
        sending.result()


def test_the_pieces_of_a_request_do_not_matter(plain: Front) -> None:
    data = (
        HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'5;a="b"\r\n{"a":\r\n2\r\n1}\r\n0\r\nX: y\r\n\r\n' + HEALTH
    )  # fmt: skip
    with ExitStack() as stack:
        clients = [stack.enter_context(plain.connect()) for _ in range(len(data))]
        for cut, client in enumerate(clients):
            client.sendall(data[:cut])
        # What has come until here is read before this is answered.
        assert plain.serves()
        for cut, client in enumerate(clients):
            client.sendall(data[cut:])
        for client in clients:
            assert [status for status, _ in answers(client, 2)] == [404, 200]


def test_a_request_byte_by_byte(front: Front) -> None:
    access = front.server.access
    with front.connect() as client:
        for byte in (
            signed(access, "GenerateRandom", {"NumberOfBytes": 8}) + CHUNKED + b"2\r\n{}\r\n0\r\n\r\n"
        ):
            client.sendall(bytes([byte]))
        assert [status for status, _ in answers(client, 2)] == [200, 403]


def test_a_client_that_waits_for_continue_gets_it(front: Front) -> None:
    with front.connect() as client:
        client.sendall(HEAD + b"Expect: 100-continue\r\n" + TWO_BYTES)
        assert read_answer(client)[0] == 100
        client.sendall(b"{}" + HEALTH)
        assert [read_answer(client)[0] for _ in range(2)] == [403, 200]


@pytest.mark.parametrize(
    "body", [b"Content-Length: 5", b"Transfer-Encoding: chunked"], ids=["length", "chunks"]
)
def test_an_upload_that_is_refused_is_not_asked_for(front: Front, body: bytes) -> None:
    head = b"PUT /bucket/key HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n%b\r\n\r\n" % body
    check_refused(front.exchange(head), 404)


def test_half_closed_clients_get_their_answers(plain: Front) -> None:
    call = signed(plain.server.access, "ListKeys", {})
    with plain.connect() as client:
        client.sendall((HEALTH + call) * 3)
        client.shutdown(socket.SHUT_WR)
        assert rest(client).count(b"HTTP/1.1 200 OK") == 6


def test_whoever_ends_within_a_request_gets_no_answer(plain: Front) -> None:
    for data in (b"GET", HEAD, HEAD + TWO_BYTES + b"{", CHUNKED + b"5\r\nab"):
        with plain.forgets_everybody(), plain.connect() as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            assert rest(client) == b""


def test_what_follows_the_last_request_is_not_read(plain: Front) -> None:
    last = b"GET /_kms/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    for more in (HEALTH, b"\x00garbage"):
        received = plain.exchange(HEALTH + last + more)
        assert received.count(b"HTTP/1.1 200 OK") == 2
        assert received.count(b"HTTP/1.1 ") == 2


def test_the_stop_signal_lets_a_request_finish(start_server: StartServer) -> None:
    server = start_server(workers=1)
    address = "127.0.0.1", int(server.url.rpartition(":")[2])
    with socket.create_connection(address, 30) as client, socket.create_connection(address, 30) as idle:
        idle.sendall(HEALTH)
        assert read_answer(idle)[0] == 200
        client.sendall(b"GET /_kms/health HTTP/1.1\r\n")
        # What comes later is answered, so the half request has been read.
        idle.sendall(HEALTH)
        assert read_answer(idle)[0] == 200
        os.kill(server.pid, signal.SIGTERM)
        assert idle.recv(1) == b""
        client.sendall(b"Host: a\r\n\r\n")
        status, headers, _ = read_answer(client)
        assert (status, headers["connection"]) == (200, "close")
    assert server.stop() == 0


def test_what_the_operator_must_mend_is_one_line(plain: Front, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    given_tls = ["--tls-cert", str(tmp_path / "no.pem"), "--tls-key", str(tmp_path / "no.pem")]
    for options in (["--port", str(plain.address[1])], ["--port", "0", *given_tls]):
        done = serve("--data-dir", str(tmp_path / "data"), *options)
        assert (done.returncode, done.stdout) == (2, "")
        errors = done.stderr.splitlines()
        assert [line for line in errors if "cannot" in line] == errors[-1:]
        assert "Traceback" not in done.stderr
