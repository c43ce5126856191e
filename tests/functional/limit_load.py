"""Load far above a limit, and what the log of its decisions shows."""

import json
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from multiprocessing.queues import Queue
from pathlib import Path
from urllib.parse import urlsplit

from tests.functional.processes import CONTEXT
from tests.functional.raw_calls import signed
from tests.functional.server_process import Access, ServerProcess, StartServer

_AT_ONCE = 24  # requests under way on each connection
_CONNECTIONS = 4


def two_hosts(
    start_server: StartServer, database: str, store: str, logs: Sequence[Path]
) -> tuple[ServerProcess, ServerProcess]:
    """Two servers with separate host state that share a database and a store; each has a log of its decisions."""
    options = ["--database-url", database, "--quota-url", store, "--quota-profile", "unlimited"]
    one = start_server(*options, "--limit-log", str(logs[0]))
    root = f"file:{one.data_dir / 'root.key'}"
    return one, start_server(*options, "--limit-log", str(logs[1]), "--root-key", root)


def roots(servers: Sequence[ServerProcess]) -> list[Access]:
    """Access to servers that share a database, as the root that the first one made."""
    root = servers[0].access
    return [Access(server.url, root.access_key_id, root.secret) for server in servers]


def encrypt_request(access: Access, key: str) -> bytes:
    """A signed request; the server takes it as often as it comes within five minutes."""
    return signed(access, "Encrypt", {"KeyId": key, "Plaintext": "eA=="})


def press(accesses: Sequence[Access], key: str, seconds: float, answered: "Queue[tuple[int, int]]") -> None:
    """Send as fast as answers come; tell how many calls succeeded and how many were throttled."""
    succeeded = throttled = 0
    with ExitStack() as stack:
        links = [
            (stack.enter_context(_connected(access)), encrypt_request(access, key) * _AT_ONCE)
            for access in accesses
            for _ in range(_CONNECTIONS)
        ]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for link, requests in links:
                link.sendall(requests)
            for link, _ in links:
                counts = _answers(link, _AT_ONCE)
                succeeded, throttled = succeeded + counts[0], throttled + counts[1]
    answered.put((succeeded, throttled))


def _connected(access: Access) -> socket.socket:
    parts = urlsplit(access.url)
    assert parts.hostname is not None
    return socket.create_connection((parts.hostname, parts.port or 80), timeout=30)


def spend(access: Access, key: str, rounds: int, connections: int) -> tuple[int, int]:
    """Send a call on each of many connections, as often; how many succeeded and how many were throttled."""
    request, passed, refused = encrypt_request(access, key), 0, 0
    with ExitStack() as stack:
        links = [stack.enter_context(_connected(access)) for _ in range(connections)]
        for _ in range(rounds):
            for link in links:
                link.sendall(request)
            for link in links:
                counts = _answers(link, 1)
                passed, refused = passed + counts[0], refused + counts[1]
    return passed, refused


def _answers(link: socket.socket, number: int) -> tuple[int, int]:
    """Read until all that was sent is answered: calls that succeeded, and calls that were throttled."""
    held = b""
    while not _is_whole(held, number):
        data = link.recv(1 << 18)
        assert data, "the server closed"
        held += data
    succeeded = held.count(b"HTTP/1.1 200 ")
    throttled = held.count(b'{"__type":"ThrottlingException"')
    assert succeeded + throttled == number, held[:2_000]
    return succeeded, throttled


def _is_whole(held: bytes, number: int) -> bool:
    if held.count(b"\r\n\r\n") < number:
        return False
    head, _, body = held[held.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length)


def pressed(accesses: Sequence[Access], key: str, seconds: float, clients: int = 2) -> tuple[int, int]:
    """What several clients at once were answered."""
    answered = CONTEXT.Queue()
    processes = [
        CONTEXT.Process(target=press, args=(accesses, key, seconds, answered)) for _ in range(clients)
    ]
    for process in processes:
        process.start()
    counts = [answered.get(timeout=seconds + 60) for _ in processes]
    for process in processes:
        process.join()
    return sum(passed for passed, _ in counts), sum(refused for _, refused in counts)


def admissions(logs: Iterable[Path], subject: str) -> list[float]:
    """When calls passed a limit, in microseconds."""
    lines = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    return sorted(line["time_us"] for line in lines if line["passed"] and subject in line["limits"])


def fullest_second(times: Sequence[float]) -> int:
    """The most calls that any second holds."""
    most = first = 0
    for last, moment in enumerate(times):
        while moment - times[first] >= 1_000_000:
            first += 1
        most = max(most, last - first + 1)
    return most
