"""What strangers and careless clients send to a live server: it answers or closes, and goes on serving."""

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kms_server.config import Limits
from tests.functional.command_line import serve
from tests.functional.server_process import ServerProcess, StartServer
from tests.unit.server.door_server import parse_head, read_all, read_answer

LIMITS = Limits()
HEAD = b"POST / HTTP/1.1\r\nHost: kms.test\r\n"
HEALTH = b"GET /_kms/health HTTP/1.1\r\nHost: kms.test\r\n\r\n"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("abuse"))
    yield process
    assert process.stop() == 0
    log = process.log.read_text()
    assert "Traceback" not in log
    assert "internal failure" not in log


def connect(server: ServerProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=30)


def exchange(server: ServerProcess, data: bytes) -> bytes:
    """Send everything, then read until the server closes."""
    with connect(server) as client:
        client.sendall(data)
        return read_all(client)


def serves(server: ServerProcess) -> bool:
    with connect(server) as client:
        client.sendall(HEALTH)
        return read_answer(client)[0] == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"GET /" + b"a" * LIMITS.max_target_bytes + b" HTTP/1.1\r\n\r\n", 414, id="target"),
        pytest.param(HEAD + b"X: " + b"a" * 1_000_000, 431, id="one endless header"),
        pytest.param(HEAD + b"X: a\r\n" * 100_000, 431, id="endless headers"),
        pytest.param(HEAD + b"X: a\r\n" * LIMITS.max_header_count + b"\r\n", 431, id="many headers"),
        pytest.param(HEAD + b"Content-Length: 1048577\r\n\r\n", 413, id="declared body"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n200000\r\n" + b"x" * 0x200000, 413, id="chunked body"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 8_000_000, 413, id="chunk extension"),
        pytest.param(HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, id="smuggling"),
        pytest.param(b"\x00" * 10_000, 400, id="zeros"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="TLS to a plain port"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2"),
    ],
)  # fmt: skip
def test_too_much_or_ambiguous_is_refused_and_the_connection_closed(
    target: ServerProcess, data: bytes, status: int
) -> None:
    with connect(target) as client, ThreadPoolExecutor(1) as sender:
        sending = sender.submit(_send_until_closed, client, data)
        received = read_all(client)
        sending.result()
    head = parse_head(received)
    assert (head[0], head[1]["connection"]) == (status, "close")
    assert received.count(b"HTTP/1.1 ") == 1
    assert serves(target)


def _send_until_closed(client: socket.socket, data: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # the server may not take everything
        client.sendall(data)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(st.binary(max_size=60), st.sampled_from([HEAD, HEALTH, b"\r\n", b"Content-Length: 5\r\n\r\n", b"0\r\n\r\n"])),
        max_size=6,
    )
)  # fmt: skip
def test_garbage_never_gets_an_internal_error(target: ServerProcess, pieces: list[bytes]) -> None:
    with connect(target) as client:
        client.sendall(b"".join(pieces))
        client.shutdown(socket.SHUT_WR)
        received = read_all(client)
    assert b"HTTP/1.1 5" not in received.replace(b"HTTP/1.1 505", b"")
    assert serves(target)


def test_a_long_pipeline_is_answered_in_order(target: ServerProcess) -> None:
    kinds = {
        b"GET /_kms/health HTTP/1.1\r\nHost: a\r\n\r\n": 200,
        b"GET /_kms/none HTTP/1.1\r\nHost: a\r\n\r\n": 404,
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n": 403,
        HEAD + b"Content-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\n\r\n{}": 400,
        HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n": 404,
    }  # fmt: skip
    with connect(target) as client, ThreadPoolExecutor(1) as sender:
        sending = sender.submit(client.sendall, b"".join(kinds) * 100)
        assert [read_answer(client)[0] for _ in range(500)] == list(kinds.values()) * 100
        sending.result()


def test_a_client_that_waits_for_continue_gets_it(target: ServerProcess) -> None:
    with connect(target) as client:
        client.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert read_answer(client)[0] == 100
        client.sendall(b"{}" + HEALTH)
        assert [read_answer(client)[0] for _ in range(2)] == [403, 200]


def test_half_closed_clients_get_their_answers(target: ServerProcess) -> None:
    with connect(target) as client:
        client.sendall(HEALTH * 3)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).count(b"HTTP/1.1 200 OK") == 3


def test_hundreds_of_idle_and_slow_connections_disturb_nobody(target: ServerProcess) -> None:
    kms = target.client("kms")
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(target)) for _ in range(600)]
        slow = [stack.enter_context(connect(target)) for _ in range(200)]
        for client in slow:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nX-Slow")
        for _ in range(20):
            kms.generate_random(NumberOfBytes=16)
        # The header timeout ends the slow ones; the idle ones may stay.
        for client in slow:
            assert read_answer(client)[0] == 408
        for client in idle[::50]:
            client.sendall(HEALTH)
            assert read_answer(client)[0] == 200


def test_tls_and_whoever_speaks_something_else_to_it(start_server: StartServer) -> None:
    server = start_server("--tls-auto")
    assert server.client("kms").list_keys()["Keys"] == []
    assert exchange(server, HEALTH)[:5] != b"HTTP/"
    assert server.client("kms").list_keys()["Keys"] == []
    assert server.stop() == 0


def test_the_stop_signal_lets_a_request_finish(start_server: StartServer) -> None:
    server = start_server(workers=1)
    with connect(server) as client, connect(server) as idle:
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


def test_what_the_operator_must_mend_is_one_line(target: ServerProcess, tmp_path: Path) -> None:
    port = target.url.rpartition(":")[2]
    (tmp_path / "no.pem").write_text("nothing")
    given_tls = ["--tls-cert", str(tmp_path / "no.pem"), "--tls-key", str(tmp_path / "no.pem")]
    for options in (["--port", port], ["--port", "0", *given_tls]):
        done = serve("--data-dir", str(tmp_path / "data"), *options)
        assert (done.returncode, done.stdout) == (2, "")
        assert [line for line in done.stderr.splitlines() if "cannot" in line] == done.stderr.splitlines()[
            -1:
        ]
        assert "Traceback" not in done.stderr
