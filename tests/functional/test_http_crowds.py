"""Many clients at once that do nothing, are slow, vanish or never read: others are served, and nothing is kept."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.functional.raw_calls import signed
from tests.functional.strangers import HEALTH, Front, answers, rest, vanish
from tests.unit.server.door_server import parse_head
from tests.unit.server.http_cases import CHUNKED, HEAD

_HELLO = bytes.fromhex("16030102000100")
_IDLE, _SLOW = 2_000, 100
_IDLE_BYTES = 32_768
_MIB = 2**20


@pytest.fixture(scope="module", autouse=True)
def _enough_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Front]]:
    patience = ("--header-timeout", "2")
    made = {
        "plain": Front(tmp_path_factory.mktemp("plain"), *patience),
        "tls": Front(tmp_path_factory.mktemp("tls"), *patience, "--tls-auto"),
    }
    yield made
    for front in made.values():
        front.stop()


@pytest.fixture
def plain(fronts: dict[str, Front]) -> Front:
    return fronts["plain"]


@pytest.fixture(params=["plain", "tls"])
def front(request: pytest.FixtureRequest, fronts: dict[str, Front]) -> Front:
    return fronts[request.param]


def call(front: Front) -> None:
    """A signed call that succeeds."""
    with front.connect() as client:
        client.sendall(signed(front.server.access, "GenerateRandom", {"NumberOfBytes": 16}))
        assert [status for status, _ in answers(client, 1)] == [200]


def test_thousands_of_idle_connections_cost_little_and_disturb_nobody(plain: Front) -> None:
    with plain.forgets_everybody(), ExitStack() as stack:
        before = plain.resident_bytes
        idle = [stack.enter_context(plain.connect()) for _ in range(_IDLE)]
        # Half of them have been of use before.
        for client in idle[::2]:
            client.sendall(HEALTH)
        for client in idle[::2]:
            assert b"200 OK" in client.recv(65_536)
        for _ in range(20):
            call(plain)
        assert plain.resident_bytes - before < _IDLE * _IDLE_BYTES
        for client in idle[1::50]:
            client.sendall(HEALTH)
            assert b"200 OK" in client.recv(65_536)


def test_slow_heads_and_handshakes_end_in_time_and_disturb_nobody(fronts: dict[str, Front]) -> None:
    plain, tls = fronts["plain"], fronts["tls"]
    with plain.forgets_everybody(), tls.forgets_everybody(), ExitStack() as stack:
        heads = [stack.enter_context(made.connect()) for made in [plain] * _SLOW + [tls] * 10]
        handshakes = [stack.enter_context(tls.plain()) for _ in range(_SLOW)]
        for client in heads:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nX-Slow")
        for client in handshakes[::2]:
            client.sendall(_HELLO)
        # Byte after byte is as slow: what counts is when the first one came.
        dripping = [*heads[::10], *handshakes[::10]]
        for _ in range(5):
            call(plain)
            call(tls)
            for client in dripping:
                client.sendall(b"-")
        for client in heads:
            assert parse_head(rest(client))[0] == 408
        for client in handshakes:
            assert not rest(client).startswith(b"HTTP")


def test_a_storm_of_connections_that_vanish_leaves_nothing(front: Front) -> None:
    with front.forgets_everybody():
        for data in (
            b"",
            HEAD,
            HEALTH,
            HEALTH * 50,
            CHUNKED + b"5\r\nab",
            b"PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\na",
        ):
            for _ in range(10 if front.secure else 100):
                client = front.connect()
                client.sendall(data)
                vanish(client)
        call(front)


def test_whoever_leaves_within_a_handshake_or_speaks_no_tls_is_let_go(fronts: dict[str, Front]) -> None:
    tls = fronts["tls"]
    with tls.forgets_everybody():
        for data in (b"", _HELLO, HEALTH, _HELLO + b"\xff" * 70_000):
            for _ in range(50):
                client = tls.plain()
                with suppress(ConnectionError):
                    client.sendall(data)
                vanish(client)
            with tls.plain() as client:
                with suppress(ConnectionError):
                    client.sendall(data)
                    client.shutdown(socket.SHUT_WR)
                assert not rest(client).startswith(b"HTTP")
        call(tls)


def test_a_client_that_never_reads_is_not_read_either(front: Front) -> None:
    with front.forgets_everybody():
        before = front.resident_bytes
        client = front.connect()
        client.setblocking(False)
        request = b"GET /_kms/openapi.yaml HTTP/1.1\r\nHost: a\r\n\r\n" * 100
        sent = stopped = 0
        # It takes nothing more when others have been served three times and there still is no room.
        while stopped < 3:
            try:
                sent += client.send(request)
                stopped = 0
            except (BlockingIOError, OSError):
                stopped += 1
                call(front)
        assert sent < 64 * _MIB
        assert front.resident_bytes - before < 64 * _MIB
        vanish(client)
