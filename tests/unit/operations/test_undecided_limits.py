"""A call whose limits are decided later takes its tokens once, whatever happens meanwhile."""

from collections.abc import Sequence
from typing import Any

import pytest

from kms_server.keyring.cache import WouldBlock
from kms_server.operations.call import Call
from kms_server.operations.registry import find
from kms_server.protocol.message import Request
from kms_server.quotas.buckets import Bucket
from kms_server.quotas.limiter import Undecided
from kms_server.quotas.shared_buckets import Decision
from kms_server.server.pipeline import Arrival, go_on
from kms_server.storage.scopes import key_scope
from tests.unit.operations.record_calls import ask, body_of
from tests.unit.operations.service import REGION, Service


def encrypt_request(service: Service, key: str) -> Request:
    """A signed request, after which all that it needs is warm."""
    taken: list[Request] = []

    def keep(call: Call) -> None:
        taken.append(call.request)

    operation = find("kms", "Encrypt")
    ask(service, operation, body_of(operation, {"KeyId": key, "Plaintext": b"p"}), change=keep)
    return taken[0]


def test_a_key_that_changes_meanwhile(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.limit("CryptographicOperationsSymmetric", 1_000)
    key = service.key()["KeyId"]
    request = encrypt_request(service, key)
    decisions: list[Decision] = []

    def undecided(wanted: Sequence[Bucket]) -> Decision:
        decisions.append(Decision(wanted=wanted))
        return decisions[-1]

    pipeline = service._worker.pipeline
    keyring = pipeline._services.keyring
    monkeypatch.setattr(pipeline._services.limiter, "_ask", undecided)
    work: Any = Arrival(request, may_block=False)
    *before, run, _, _ = pipeline.stages
    with keyring.recent():  # jobs may have changed something else
        for stage in before:
            work = stage(work)
    with pytest.raises(Undecided):
        run(work)
    with service.database.write() as tx:
        tx.mark(key_scope(key, REGION))
    keyring.refresh(may_block=True)
    decisions[0].at = 1
    decisions[0].settle()
    with pytest.raises(WouldBlock):
        run(work)
    assert go_on(pipeline.stages, run, work, request).response.status == 200
    assert len(decisions) == 1
