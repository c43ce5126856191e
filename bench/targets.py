"""Servers to measure: what to send them, as whom, and what came of it."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import boto3

from bench.load import Job, Measured
from bench.servers import Server, free_port, running
from bench.setup import Setup
from bench.signing import REGION

_BODIES = 64
OPERATIONS = ("Encrypt", "Decrypt", "GenerateDataKey")


@dataclass(frozen=True)
class Target:
    """A server, what to send it, and whether it checks signatures."""

    server: Server
    access_key_id: str
    secret: str = field(repr=False)
    bodies: Mapping[str, list[str]]
    checks: bool

    def load(self, operation: str, connections: int, seconds: float, rate: float | None = None) -> Measured:
        """Run the load generator once, at a rate or as fast as the answers come; exits when a request failed."""
        job = Job(
            self.server.url, operation, self.bodies[operation], self.access_key_id, self.secret, connections,
            seconds, self.checks, self.server.pids(), rate,
        )  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "bench.load"], input=json.dumps(asdict(job)), stdout=subprocess.PIPE,
            text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{operation} over {connections} connections: the load generator failed, see above")
        measured = Measured(**json.loads(done.stdout))
        if measured.errors:
            sys.exit(f"{operation}: {len(measured.errors)} errors, the first: {measured.errors[0]}")
        return measured


def ours(
    stack: ExitStack, setup: Setup, *options: str, name: str = "data", workers: int = 1,
    module: str = "kms_server.cli.main",
) -> Target:  # fmt: skip
    """Our server in strict mode, in a directory called `name`, ready for load; it goes when the stack ends."""
    data_dir = setup.directory / name
    where = ("--port", "0", "--workers", str(workers), "--data-dir", str(data_dir))
    with setup.on_servers():
        server = stack.enter_context(running(module, "serve", *where, *options))
    access = credentials(data_dir)
    return Target(server, *access, bodies(server.url, *access), checks=True)


def moto(stack: ExitStack, setup: Setup, access: tuple[str, str]) -> Target:
    """The moto server, which checks no signature and keeps nothing."""
    port = free_port()
    with setup.on_servers():
        server = stack.enter_context(running("moto.server", "-H", "127.0.0.1", "-p", str(port), port=port))
    return Target(server, *access, bodies(server.url, *access), checks=False)


def bare_loop(stack: ExitStack, setup: Setup, like: Target) -> Target:
    """The bare loop, which is sent what another target is."""
    with setup.on_servers():
        server = stack.enter_context(running("bench.bare_loop"))
    return Target(server, like.access_key_id, like.secret, like.bodies, checks=False)


def client(service: Literal["kms", "iam", "cloudtrail"], url: str, access_key_id: str, secret: str) -> Any:  # noqa: ANN401 - boto3 has no types
    """A boto3 client of a server."""
    return boto3.client(
        service, endpoint_url=url, region_name=REGION, aws_access_key_id=access_key_id,
        aws_secret_access_key=secret,
    )  # fmt: skip


def bodies(
    url: str, access_key_id: str, secret: str, *, size: int = 32, context: Mapping[str, str] | None = None
) -> dict[str, list[str]]:  # fmt: skip
    """Request bodies for each operation, with a key made for them; plaintexts have `size` bytes."""
    kms = client("kms", url, access_key_id, secret)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    told = {"EncryptionContext": context} if context else {}
    plaintexts = [os.urandom(size) for _ in range(_BODIES)]
    sealed = [kms.encrypt(KeyId=key, Plaintext=text, **told)["CiphertextBlob"] for text in plaintexts]
    return {
        "Encrypt": [json.dumps({"KeyId": key, "Plaintext": _base64(text)} | told) for text in plaintexts],
        "Decrypt": [json.dumps({"CiphertextBlob": _base64(blob)} | told) for blob in sealed],
        "GenerateDataKey": [json.dumps({"KeyId": key, "KeySpec": "AES_256"} | told)],
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def credentials(data_dir: Path) -> tuple[str, str]:
    """The first root's access key."""
    lines = (data_dir / "credentials.env").read_text().splitlines()
    values = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    return values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"]
