"""`make bench`: our server beside the bare loop and moto, in one run on one machine, as one table.

The server runs on one core and the load on another, where there are two. Limits are high but checked.
"""

import argparse
import base64
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import boto3

OPERATIONS = ("Encrypt", "Decrypt", "GenerateDataKey")
RESULTS = Path(__file__).parent / "results"


def cores() -> tuple[set[int], set[int]]:
    """The core of the servers and the core of the load."""
    available = sorted(os.sched_getaffinity(0))
    return {available[0]}, {available[-1]}


@contextmanager
def running(*command: str, **environment: str) -> Iterator[str]:
    """A server process pinned to its core; gives the URL it prints."""
    server_cores, _ = cores()
    process = subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=os.environ | environment,
    )  # fmt: skip
    os.sched_setaffinity(process.pid, server_cores)
    assert process.stdout is not None
    try:
        line = process.stdout.readline().decode()
        yield line.split()[-1] if line else ""
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def load(**job: Any) -> dict[str, Any]:  # noqa: ANN401 - the fields of bench.load.Job
    """Run the load generator."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"], input=json.dumps(job), capture_output=True, text=True, check=True
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout)
    if result["errors"]:
        sys.exit(
            f"{job['operation']} at {job['url']}: {result['errors']} errors, the first: {result['first_error']}"
        )
    return result


def bodies(url: str, access_key_id: str, secret: str) -> dict[str, str]:
    """A request body for each operation, with a key made for them."""
    kms = boto3.client(
        "kms",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret,
    )
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    plaintext = os.urandom(32)
    sealed = kms.encrypt(KeyId=key, Plaintext=plaintext)["CiphertextBlob"]
    return {
        "Encrypt": json.dumps({"KeyId": key, "Plaintext": base64.b64encode(plaintext).decode()}),
        "Decrypt": json.dumps({"CiphertextBlob": base64.b64encode(sealed).decode()}),
        "GenerateDataKey": json.dumps({"KeyId": key, "KeySpec": "AES_256"}),
    }


def credentials(data_dir: str) -> tuple[str, str]:
    """The first root's access key."""
    lines = (Path(data_dir) / "credentials.env").read_text().splitlines()
    values = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    return values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"]


def measured(
    arguments: argparse.Namespace, target: dict[str, Any], operation: str, connections: int
) -> dict[str, Any]:
    """The median of several runs by rate."""
    runs = [
        load(
            url=target["url"], operation=operation, body=target["bodies"][operation], connections=connections,
            access_key_id=target["access"][0], secret=target["access"][1], seconds=arguments.seconds,
            prepared=arguments.prepared,
        )
        for _ in range(arguments.repeats)
    ]  # fmt: skip
    middle = median(run["rate"] for run in runs)
    chosen = min(runs, key=lambda run: abs(run["rate"] - middle))
    return chosen | {"rates": [run["rate"] for run in runs]}


def targets(stack: ExitStack) -> dict[str, dict[str, Any]]:
    """The three servers, ready for load."""
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="kms-bench-"))
    bare = stack.enter_context(running("bench.bare_loop"))
    ours = stack.enter_context(
        running("kms_server.cli.main", "serve", "--port", "0", "--workers", "1", "--data-dir", directory)
    )
    stack.enter_context(running("bench.moto_server"))
    moto = "http://127.0.0.1:4598"
    access = credentials(directory)
    prepared = bodies(ours, *access)
    return {
        "kms-server": {"url": ours, "access": access, "bodies": prepared},
        "bare loop": {"url": bare, "access": access, "bodies": prepared},
        "moto": {"url": moto, "access": access, "bodies": bodies(moto, *access)},
    }


def main() -> None:
    """Measure, print the table, keep the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64, 256])
    parser.add_argument("--seconds", type=float, default=3.0, help="measured time per run")
    parser.add_argument("--repeats", type=int, default=3, help="runs, of which the median counts")
    parser.add_argument("--prepared", type=int, default=4_000, help="requests signed beforehand")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, cores()[1])  # inherited by the load generator
    rows = []
    with ExitStack() as stack:
        servers = targets(stack)
        print(
            f"{'operation':16} {'conns':>5} {'server':11} {'req/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'of bare':>8} {'of moto':>8}"
        )
        for operation in OPERATIONS:
            for connections in arguments.connections:
                results = {
                    name: measured(arguments, server, operation, connections)
                    for name, server in servers.items()
                }
                for name, result in results.items():
                    bare = results["bare loop"]["rate"] / result["rate"]
                    moto = result["rate"] / results["moto"]["rate"]
                    print(
                        f"{operation:16} {connections:5} {name:11} {result['rate']:9.0f} {result['p50_ms']:8.2f} "
                        f"{result['p99_ms']:8.2f} {'1/' + format(bare, '.1f'):>8} {moto:7.1f}x",
                        flush=True,
                    )
                    rows.append({"operation": operation, "connections": connections, "server": name} | result)
    RESULTS.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    (RESULTS / "latest.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
