"""A worker in this process, without sockets, and signed requests for it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.signing import Signer
from bench.targets import credentials
from kms_server.audit.group_commit import wait
from kms_server.config import Limits, Settings
from kms_server.server import startup
from kms_server.server.http_reader import HttpReader, Incoming
from kms_server.server.http_writer import HttpWriter
from kms_server.server.pipeline import Outcome, handle
from kms_server.server.worker_state import build

_ADDRESS = "127.0.0.1"


class InProcess:
    """Takes requests from bytes to bytes; records wait in a batch until their answers are taken.

    A batch is written by itself when it is full (`Limits.audit_batch`).
    """

    def __init__(self, directory: Path) -> None:
        settings = Settings(data_dir=directory)
        startup.prepare(settings)
        self._state = build(settings)
        self._state.jobs.stop()
        self._access = credentials(directory)
        self._reader, self._writer = HttpReader(Limits(), _ADDRESS, None), HttpWriter()
        self._wakes: list[Callable[[], None]] = []
        self._state.commit.soon = self._wakes.append
        key = self._called("CreateKey", {})["KeyMetadata"]["KeyId"]
        plain = {"KeyId": key, "Plaintext": "A" * 43 + "="}
        sealed = self._called("Encrypt", plain)["CiphertextBlob"]
        self._bodies = {
            "Encrypt": json.dumps(plain),
            "Decrypt": json.dumps({"CiphertextBlob": sealed}),
            "GenerateDataKey": json.dumps({"KeyId": key, "KeySpec": "AES_256"}),
        }

    def _called(self, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        (raw,) = self._signed(operation, json.dumps(members), 1)
        (answer,) = self.answers([self.outcome(raw)])
        found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
        return found

    def _signed(self, operation: str, body: str, count: int) -> list[bytes]:
        return list(Signer(f"http://{_ADDRESS}", operation, *self._access).requests([body], count))

    def requests(self, operation: str, count: int) -> list[bytes]:
        """So many signed requests of one operation."""
        return self._signed(operation, self._bodies[operation], count)

    def outcome(self, raw: bytes) -> Outcome:
        """Take a request up to where its answer waits for its record."""
        self._reader.receive(raw)
        incoming = self._reader.take()
        assert isinstance(incoming, Incoming)
        outcome = handle(self._state.pipeline.stages, incoming.request)
        assert outcome.response.status == 200, outcome.response.body
        return outcome

    def answers(self, outcomes: Sequence[Outcome]) -> list[bytes]:
        """Have the records written and give the answers."""
        while self._wakes:
            self._wakes.pop()()
        for outcome in outcomes:
            if outcome.ticket is not None:
                wait(outcome.ticket, self._state.limits.audit_deadline)
        return [
            self._writer.render(outcome.response, keep_alive=True, with_body=True) for outcome in outcomes
        ]

    def close(self) -> None:
        """End the worker."""
        self._state.close()
