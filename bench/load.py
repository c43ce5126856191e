"""A closed-loop load generator: N connections, each sends its next request when the last is answered.

Every request is signed on its own, with its own time, before the measured window begins. Prints JSON: requests per
second, p50 and p99 in milliseconds, errors.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

import uvloop
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


@dataclass(frozen=True)
class Job:
    """What to send where, for how long (seconds), over how many connections."""

    url: str
    operation: str
    body: str
    access_key_id: str
    secret: str
    connections: int
    seconds: float
    prepared: int


def signed_requests(job: Job) -> list[bytes]:
    """Complete HTTP requests, each with a signature of its own."""
    auth = SigV4Auth(Credentials(job.access_key_id, job.secret), "kms", "us-east-1")
    made = []
    for number in range(job.prepared):
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"TrentService.{job.operation}",
            "amz-sdk-invocation-id": str(number),
        }
        request = AWSRequest("POST", job.url, headers=headers, data=job.body)
        auth.add_auth(request)
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        host = urlsplit(job.url).netloc
        head = "\r\n".join(["POST / HTTP/1.1", f"Host: {host}", *lines, f"Content-Length: {len(job.body)}"])
        made.append(f"{head}\r\n\r\n{job.body}".encode())
    return made


class Client(asyncio.Protocol):
    """One connection; answers are told apart by Content-Length."""

    def __init__(
        self, job: Job, requests: list[bytes], offset: int, latencies: list[float], errors: list[bytes]
    ) -> None:
        parts = urlsplit(job.url)
        self._address = (parts.hostname, parts.port)
        self._requests, self._next = requests, offset
        self._latencies, self._errors = latencies, errors
        self._buffer = b""
        self._announced_losses = 0
        self.running = True
        self.done = asyncio.get_running_loop().create_future()

    async def connect(self) -> None:
        """Connect, and again where the server closes after each answer: that time counts too."""
        self._sent = time.perf_counter()
        await asyncio.get_running_loop().create_connection(lambda: self, *self._address)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._awaiting = True
        self._write()

    def _write(self) -> None:
        self._transport.write(self._requests[self._next % len(self._requests)])  # type: ignore[attr-defined]
        self._next += 1

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        start = head.index(b"content-length:") + 15
        stop = head.find(b"\r\n", start)
        length = int(head[start : stop if stop > 0 else end])
        if len(self._buffer) < end + 4 + length:
            return
        if not head.startswith(b"http/1.1 200"):
            self._errors.append(self._buffer[end + 4 :])
        self._buffer = b""
        self._awaiting = False
        self._latencies.append(time.perf_counter() - self._sent)
        closing = b"\r\nconnection: close" in head
        self._announced_losses += closing
        if self.running and closing:
            self._connecting = asyncio.ensure_future(self.connect())
        elif self.running:
            self._sent = time.perf_counter()
            self._awaiting = True
            self._write()
        elif not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._announced_losses:
            self._announced_losses -= 1
        elif self._awaiting and not self.done.done():
            self._errors.append(b"connection lost")
            self.done.set_result(None)


async def measure(job: Job) -> dict[str, Any]:
    """Warm up for a fifth of the time, then measure."""
    requests = signed_requests(job)
    latencies: list[float] = []
    errors: list[bytes] = []
    clients = []
    for number in range(job.connections):
        offset = number * len(requests) // job.connections
        client = Client(job, requests, offset, latencies, errors)
        await client.connect()
        clients.append(client)
    await asyncio.sleep(job.seconds / 5)
    latencies.clear()
    begin = time.perf_counter()
    await asyncio.sleep(job.seconds)
    elapsed = time.perf_counter() - begin
    counted = sorted(latencies)
    for client in clients:
        client.running = False
    await asyncio.wait([client.done for client in clients], timeout=10)
    cuts = quantiles(counted, n=100) if len(counted) > 1 else [0.0] * 99
    return {
        "rate": round(len(counted) / elapsed, 1),
        "p50_ms": round(cuts[49] * 1000, 3),
        "p99_ms": round(cuts[98] * 1000, 3),
        "errors": len(errors),
        "first_error": errors[0][:200].decode("latin-1") if errors else "",
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(measure(Job(**json.loads(sys.stdin.read()))))))
