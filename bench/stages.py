"""`make bench-stages`: what each step of a call costs one worker, in microseconds of processor time, without sockets.

Requests are taken through the steps 64 at a time, as the door does; the machine is compared with itself only: run it
before and after a change, in turns.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from bench.signing import REGION, Signer
from bench.targets import credentials
from kms_server.config import Limits, Settings
from kms_server.server import startup
from kms_server.server.http_reader import HttpReader
from kms_server.server.http_writer import HttpWriter
from kms_server.server.pipeline import Arrival, Outcome, handle
from kms_server.server.worker import prepare_collector
from kms_server.server.worker_state import WorkerState, build

_BATCH = 64
_OPERATIONS = ("Encrypt", "Decrypt", "GenerateDataKey")
Costs = dict[str, list[float]]


class Bench:
    """A worker in this process, and signed requests for it."""

    def __init__(self, directory: Path) -> None:
        settings = Settings(data_dir=directory / "data", limits=Limits())
        startup.prepare(settings)
        self.state: WorkerState = build(settings)
        self.state.jobs.stop()
        self.access = credentials(settings.data_dir)
        self.reader = HttpReader(settings.limits, "127.0.0.1", None)
        self.writer = HttpWriter()
        key = self._called("CreateKey", {})["KeyMetadata"]["KeyId"]
        plain = {"KeyId": key, "Plaintext": "A" * 43 + "="}
        sealed = self._called("Encrypt", plain)["CiphertextBlob"]
        self.bodies = {
            "Encrypt": json.dumps(plain),
            "Decrypt": json.dumps({"CiphertextBlob": sealed}),
            "GenerateDataKey": json.dumps({"KeyId": key, "KeySpec": "AES_256"}),
        }
        # From here on this thread writes the batches itself.
        self.state.commit.soon = lambda _: None

    def _called(self, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        (raw,) = self.requests(operation, [json.dumps(members)], 1)
        self.reader.receive(raw)
        incoming = self.reader.take()
        assert incoming is not None
        outcome = handle(self.state.pipeline.stages, incoming.request)
        assert outcome.response.status == 200, outcome.response.body
        answer: dict[str, Any] = json.loads(outcome.response.body)
        return answer

    def requests(self, operation: str, bodies: list[str], count: int) -> list[bytes]:
        """Signed requests of one operation."""
        return list(Signer(f"http://127.0.0.1:1/{REGION}", operation, *self.access).requests(bodies, count))

    def run(self, operation: str, batches: int) -> Costs:
        """The cost of each step, per call, in microseconds, once per batch."""
        raw = iter(self.requests(operation, [self.bodies[operation]], batches * _BATCH))
        costs: Costs = {}
        for _ in range(batches):
            self._batch(list(islice(raw, _BATCH)), costs)
        return costs

    def _batch(self, raw: Sequence[bytes], costs: Costs) -> None:
        def timed(name: str, step: Callable[[Any], Any], work: Sequence[Any]) -> list[Any]:
            begin = time.process_time_ns()
            done = [step(one) for one in work]
            costs.setdefault(name, []).append((time.process_time_ns() - begin) / 1e3 / _BATCH)
            return done

        work: list[Any] = timed("read HTTP", self._read, raw)
        work = [Arrival(one.request, may_block=False) for one in work]
        for stage in self.state.pipeline.stages:
            work = timed(stage.__name__, stage, work)
        commit = self.state.commit
        pending, commit._pending = commit._pending, []  # noqa: SLF001 - in the place of its thread
        timed("commit", lambda _: commit.work(pending)(), [None])
        timed("write HTTP", self._write, work)

    def _read(self, raw: bytes) -> Any:  # noqa: ANN401 - an Incoming
        self.reader.receive(raw)
        return self.reader.take()

    def _write(self, outcome: Outcome) -> bytes:
        assert outcome.response.status == 200, outcome.response.body
        return self.writer.render(outcome.response, keep_alive=True, with_body=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, default=300, help="batches of 64 calls per operation")
    parser.add_argument("--directory", type=Path, default=Path(), help="where the data lie meanwhile")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        bench = Bench(Path(directory))
        prepare_collector()
        for operation in _OPERATIONS:
            bench.run(operation, 20)
            costs = {name: median(values) for name, values in bench.run(operation, arguments.batches).items()}
            total = sum(costs.values())
            steps = "  ".join(f"{name} {cost:.1f}" for name, cost in costs.items())
            print(f"{operation:16} {total:6.1f} us = {steps}")
        bench.state.commit.soon = lambda wake: wake()
        bench.state.close()


if __name__ == "__main__":
    main()
