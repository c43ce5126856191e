"""Signatures and MACs: what a call costs the server beyond the bare primitive, which is measured on the same core in turns."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from bench.figures import spread
from bench.load import Measured
from bench.primitives import MESSAGE, Primitive, all_primitives, cpu_microseconds
from bench.report import BUSY
from bench.setup import Row, Setup
from bench.targets import Target, client, ours
from kms_server.quotas.table import QUOTAS, Kind

TITLE = "Signatures and MACs: server CPU for a call beyond the bare primitive, closed loop at 256 connections"
_CONNECTIONS = 256
_SHARE = 4  # of the time of a load that the bare primitive is measured
_ALLOWED = 100_000  # calls a second: the limits that AWS has for such keys are below what is measured


def measure(setup: Setup) -> Iterator[Row]:
    """A row for each operation on each kind of key."""
    profile = setup.directory / "ample.toml"
    names = [name for name, quota in QUOTAS.items() if quota.kind is Kind.CRYPTOGRAPHIC]
    profile.write_text("[quotas]\n" + "\n".join(f"{name} = {_ALLOWED}" for name in names))
    with ExitStack() as stack:
        server = ours(stack, setup, "--quota-profile", str(profile))
        for primitive in all_primitives():
            target, calls = _prepared(server, primitive)
            for operation, bare in calls.items():
                yield _row(setup, primitive, operation, target, bare)


def _prepared(server: Target, primitive: Primitive) -> tuple[Target, dict[str, Callable[[], object]]]:
    """The server with bodies for a new key, and the operations on it, each with its primitive."""
    kms = client("kms", server.server.url, server.access_key_id, server.secret)
    is_mac = primitive.spec.startswith("HMAC")
    usage = "GENERATE_VERIFY_MAC" if is_mac else "SIGN_VERIFY"
    key = kms.create_key(KeySpec=primitive.spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
    told: dict[str, Any] = {"KeyId": key, "Message": base64.b64encode(MESSAGE).decode()}
    if is_mac:
        told |= {"MacAlgorithm": primitive.algorithm}
        made = kms.generate_mac(**told | {"Message": MESSAGE})["Mac"]
        make, check, member = "GenerateMac", "VerifyMac", "Mac"
    else:
        told |= {"SigningAlgorithm": primitive.algorithm}
        made = kms.sign(**told | {"Message": MESSAGE})["Signature"]
        make, check, member = "Sign", "Verify", "Signature"
    bodies = {
        make: [json.dumps(told)],
        check: [json.dumps(told | {member: base64.b64encode(made).decode()})],
    }
    return replace(server, bodies=bodies), {make: primitive.make, check: primitive.check}


def _row(
    setup: Setup, primitive: Primitive, operation: str, target: Target, bare: Callable[[], object]
) -> Row:
    loads: list[Measured] = []

    def alone() -> float:
        with setup.on_servers():
            return cpu_microseconds(bare, setup.seconds / _SHARE)

    def call() -> float:
        loads.append(target.load(operation, _CONNECTIONS, setup.seconds))
        return loads[-1].cpu_us

    found = setup.in_turns({"bare": alone, "call": call})
    beyond = [call - bare for call, bare in zip(found["call"], found["bare"], strict=True)]
    row: Row = {"operation": operation, "key": primitive.spec, "algorithm": primitive.algorithm}
    row |= spread("req/s", [run.rate for run in loads])
    row |= spread("CPU µs", found["call"]) | spread("bare µs", found["bare"])
    return row | spread("beyond µs", beyond) | {BUSY: max(run.load_busy for run in loads)}
