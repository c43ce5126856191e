"""What the size of a payload and an encryption context add, at 256 connections."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from bench.figures import ratio, spread
from bench.report import BUSY
from bench.setup import Row, Setup
from bench.targets import OPERATIONS, bodies, ours

TITLE = "Payload and encryption context: closed loop at 256 connections"
_CONNECTIONS = 256
_SIZES = {"32 B": 32, "4 KiB": 4_096}
_CONTEXTS = {
    "none": None,
    "3 pairs": {"tenant": "7", "purpose": "invoices", "aws:s3:arn": "arn:aws:s3:::reports/2026/07/1"},
}
_PLAIN = ("32 B", "none")


def measure(setup: Setup) -> Iterator[Row]:
    """A row for each operation, size and context; the size of a data key is always the same."""
    with ExitStack() as stack:
        server = ours(stack, setup)
        access = server.access_key_id, server.secret
        kinds = {
            (size, context): replace(
                server, bodies=bodies(server.server.url, *access, size=_SIZES[size], context=_CONTEXTS[context])
            )
            for size in _SIZES
            for context in _CONTEXTS
        }  # fmt: skip
        for operation in OPERATIONS:
            found = setup.in_turns(
                {
                    kind: partial(target.load, operation, _CONNECTIONS, setup.seconds)
                    for kind, target in kinds.items()
                    if operation != "GenerateDataKey" or kind[0] == "32 B"
                }
            )
            for (size, context), runs in found.items():
                row: Row = {"operation": operation, "payload": size, "context": context}
                row |= spread("req/s", [run.rate for run in runs])
                row |= spread("CPU µs", [run.cpu_us for run in runs])
                row[BUSY] = max(run.load_busy for run in runs)
                row |= ratio("plain", [run.rate for run in runs], [run.rate for run in found[_PLAIN]])
                yield row
