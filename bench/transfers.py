"""`make bench-s3`: what encryption adds to large transfers, and how many small objects are stored a second.

Large transfers go over one connection to two servers in turns: ours, under SSE-KMS, and one with the same front door
that stores plaintext. Both keep their data in a memory file system, so that only processor time is compared. Small
objects are stored on the disk of `--directory`, as every acknowledged object must be, beside moto, which keeps nothing.
"""

import argparse
import json
import os
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.servers import Server, cores, free_port, running
from bench.setup import RESULTS
from bench.signing import REGION
from bench.targets import credentials
from kms_server.crypto.stream import CHUNK

_PIECE = 1 << 20
_BUCKET = "bench"
_MEMORY = Path("/dev/shm")
_KMS = {"x-amz-server-side-encryption": "aws:kms"}
_OF_SERVERS, _OF_LOAD = cores()


class _WithoutDigest(S3SigV4Auth):  # type: ignore[misc]  # botocore has no annotations
    """Signs the head of a request alone."""

    def payload(self, request: AWSRequest) -> str:
        del request
        return "UNSIGNED-PAYLOAD"


class Client:
    """One connection to a server, signed and without a digest of the body, as TLS clients send."""

    def __init__(self, server: Server, access_key_id: str, secret: str, ca: Path | None = None) -> None:
        self.server = server
        self._credentials = Credentials(access_key_id, secret)
        self._host = urlsplit(server.url).netloc
        if ca is None:
            self._connection = HTTPConnection(self._host)
        else:
            self._connection = HTTPSConnection(self._host, context=ssl.create_default_context(cafile=ca))

    def send(
        self, method: str, path: str, body: bytes | Iterator[bytes] = b"", length: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Send a request and read its answer to the end."""
        request = AWSRequest(method, f"http://{self._host}{path}", headers=headers or {})
        _WithoutDigest(self._credentials, "s3", REGION).add_auth(request)
        fields = dict(request.headers.items()) | {
            "Content-Length": str(len(body) if isinstance(body, bytes) else length)
        }
        self._connection.request(method, path, body=body, headers=fields)
        answer = self._connection.getresponse()
        buffer = bytearray(_PIECE)
        while answer.readinto(buffer):
            pass
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {bytes(buffer[:500])!r}")


def peak_memory(server: Server) -> int:
    """The largest resident set of a server's processes so far, in bytes."""
    peaks = []
    for pid in server.pids():
        status = Path(f"/proc/{pid}/status").read_text()
        peaks.append(
            next(int(line.split()[1]) * 1_024 for line in status.splitlines() if line.startswith("VmHWM"))
        )
    return max(peaks)


def transfer(client: Client, size: int, headers: dict[str, str]) -> dict[str, float]:
    """CPU seconds of the server for one PUT and one GET."""
    piece = os.urandom(_PIECE)
    costs = {}
    for method in ("PUT", "GET"):
        before = client.server.cpu_seconds()
        if method == "PUT":
            client.send("PUT", f"/{_BUCKET}/large", (piece for _ in range(size // _PIECE)), size, headers)
        else:
            client.send("GET", f"/{_BUCKET}/large")
        costs[method] = client.server.cpu_seconds() - before
    return costs


def cipher_alone(size: int) -> float:
    """CPU seconds that it takes to open `size` bytes of AES-256-GCM in chunks of 64 KiB: no layer can do with less."""
    cipher, nonce = AESGCM(os.urandom(32)), bytes(12)
    sealed, into = cipher.encrypt(nonce, bytes(CHUNK), None), memoryview(bytearray(CHUNK))
    begin = time.process_time()
    for _ in range(size // CHUNK):
        cipher.decrypt_into(nonce, sealed, None, into)
    return time.process_time() - begin


def large(arguments: argparse.Namespace, *, secure: bool) -> dict[str, Any]:
    """CPU seconds of large transfers, ours and in clear: the median of all rounds, and their ratio."""
    os.sched_setaffinity(0, _OF_SERVERS)
    with ExitStack() as stack, tempfile.TemporaryDirectory(dir=_MEMORY) as memory:
        clients: dict[str, Client] = {}
        for name, module in (("SSE-KMS", "kms_server.cli.main"), ("plaintext", "bench.plaintext_s3")):
            data_dir = Path(memory) / name
            serve = ("serve", "--port", "0", "--workers", "1", "--data-dir", str(data_dir))
            server = stack.enter_context(running(module, *serve, *(("--tls-auto",) if secure else ())))
            ca = data_dir / "tls" / "ca.pem" if secure else None
            clients[name] = Client(server, *credentials(data_dir), ca)
            clients[name].send("PUT", f"/{_BUCKET}")
        os.sched_setaffinity(0, _OF_LOAD)
        before = peak_memory(clients["SSE-KMS"].server)
        costs: dict[str, dict[str, list[float]]] = {name: {"PUT": [], "GET": []} for name in clients}
        for _ in range(arguments.repeats):
            for name, client in clients.items():
                # Both are asked for SSE-KMS: then both make the same checksums, and neither an MD5.
                for method, cost in transfer(client, arguments.size << 20, _KMS).items():
                    costs[name][method].append(cost)
        medians = {
            name: {method: median(found) for method, found in one.items()} for name, one in costs.items()
        }
        return {
            "mebibytes": arguments.size,
            "cpu_seconds": medians,
            "ratio": {
                method: medians["SSE-KMS"][method] / medians["plaintext"][method] for method in ("PUT", "GET")
            },
            "memory_growth": peak_memory(clients["SSE-KMS"].server) - before,
        }


def small(arguments: argparse.Namespace) -> dict[str, float]:
    """4 KiB objects stored a second over one connection, by kind of encryption, and by moto."""
    os.sched_setaffinity(0, _OF_SERVERS)
    with ExitStack() as stack, tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        data_dir, port = Path(directory) / "data", free_port()
        ours = stack.enter_context(
            running(
                "kms_server.cli.main", "serve", "--port", "0", "--workers", "1", "--data-dir", str(data_dir)
            )
        )
        moto = stack.enter_context(running("moto.server", "-H", "127.0.0.1", "-p", str(port), port=port))
        os.sched_setaffinity(0, _OF_LOAD)
        access = credentials(data_dir)
        rates = {}
        for name, server, headers in (
            ("SSE-S3", ours, {}), ("SSE-KMS", ours, _KMS),
            ("bucket key", ours, _KMS | {"x-amz-server-side-encryption-bucket-key-enabled": "true"}), ("moto", moto, {}),
        ):  # fmt: skip
            client = Client(server, *access)
            client.send("PUT", f"/{_BUCKET}")
            rates[name] = rate(client, headers, arguments.seconds)
        return rates


def rate(client: Client, headers: dict[str, str], seconds: float) -> float:
    """Objects stored a second."""
    body, count, begin = os.urandom(4_096), 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        client.send("PUT", f"/{_BUCKET}/small/{count}", body, headers=headers)
        count += 1
    return count / (time.perf_counter() - begin)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1_024, help="MiB of a large object")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run of small objects")
    parser.add_argument("--directory", default=".", help="where small objects are stored")
    arguments = parser.parse_args()
    transports = {"HTTP": False, "HTTPS": True}
    results: dict[str, Any] = {
        "large": {name: large(arguments, secure=secure) for name, secure in transports.items()},
        "cipher_alone": cipher_alone(arguments.size << 20),
        "small": small(arguments),
    }
    for name, found in results["large"].items():
        show(name, found)
    print(f"AES-256-GCM alone, to open as much {results['cipher_alone']:27.2f}")
    print("objects of 4 KiB stored a second, one connection")
    for name, value in results["small"].items():
        print(f"{name:42} {value:8.0f}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "transfers.json").write_text(json.dumps(results, indent=1))


def show(transport: str, found: dict[str, Any]) -> None:
    """Print what large transfers cost."""
    title = f"{found['mebibytes']} MiB over {transport}, CPU seconds of the server"
    print(f"{title:42} {'PUT':>8} {'GET':>8}")
    for name, costs in (*found["cpu_seconds"].items(), ("ratio", found["ratio"])):
        print(f"{name:42} {costs['PUT']:8.2f} {costs['GET']:8.2f}")
    print(f"memory while transferring, MiB above idle  {found['memory_growth'] / 2**20:8.1f}")


if __name__ == "__main__":
    main()
