"""A server to measure: what to send it, as whom, and what came of it."""

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

import boto3

from bench.servers import Server
from bench.signing import REGION

_BODIES = 64


@dataclass(frozen=True)
class Target:
    """A server, what to send it, and whether it checks signatures."""

    server: Server
    access_key_id: str
    secret: str = field(repr=False)
    bodies: dict[str, list[str]]
    checks: bool

    def load(self, operation: str, connections: int, seconds: float) -> dict[str, Any]:
        """Run the load generator once; exits when a request failed."""
        job = {
            "url": self.server.url, "operation": operation, "bodies": self.bodies[operation],
            "access_key_id": self.access_key_id, "secret": self.secret, "connections": connections,
            "seconds": seconds, "fresh": self.checks,
        }  # fmt: skip
        before = self.server.cpu_seconds()
        done = subprocess.run(
            [sys.executable, "-m", "bench.load"], input=json.dumps(job), stdout=subprocess.PIPE, text=True,
            check=True,
        )  # fmt: skip
        result: dict[str, Any] = json.loads(done.stdout)
        if result["errors"]:
            sys.exit(f"{operation}: {result['errors']} errors, the first: {result['first_error']}")
        used = self.server.cpu_seconds() - before
        return result | {"server_cpu_us": round(used / result["answers"] * 1e6, 1)}


def client(service: Literal["kms", "iam", "cloudtrail"], url: str, access_key_id: str, secret: str) -> Any:  # noqa: ANN401 - boto3 has no types
    """A boto3 client of a server."""
    return boto3.client(
        service, endpoint_url=url, region_name=REGION, aws_access_key_id=access_key_id,
        aws_secret_access_key=secret,
    )  # fmt: skip


def bodies(url: str, access_key_id: str, secret: str) -> dict[str, list[str]]:
    """Request bodies for each operation, with a key made for them."""
    kms = client("kms", url, access_key_id, secret)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    plaintexts = [os.urandom(32) for _ in range(_BODIES)]
    sealed = [kms.encrypt(KeyId=key, Plaintext=plaintext)["CiphertextBlob"] for plaintext in plaintexts]
    return {
        "Encrypt": [json.dumps({"KeyId": key, "Plaintext": _base64(text)}) for text in plaintexts],
        "Decrypt": [json.dumps({"CiphertextBlob": _base64(blob)}) for blob in sealed],
        "GenerateDataKey": [json.dumps({"KeyId": key, "KeySpec": "AES_256"})],
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def credentials(data_dir: Path) -> tuple[str, str]:
    """The first root's access key."""
    lines = (data_dir / "credentials.env").read_text().splitlines()
    values = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    return values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"]


def median_run(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run of median rate, with the rates of all."""
    middle = median(run["rate"] for run in runs)
    return min(runs, key=lambda run: abs(run["rate"] - middle)) | {"rates": [run["rate"] for run in runs]}
