"""Whether the time of a refusal tells how much of a guess was right: dudect (Reparaz, Balasch, Verbauwhede, DATE 2017).

Two classes of guesses, wrong in their first and in their last byte, are measured in random order. Times above the 90th
percentile are dropped, where the system was busy with something else, and Welch's t compares the rest. dudect takes
|t| > 10 for a leak beyond doubt; here too, so that a busy machine fails nothing. A comparison that does leak is measured
beside, so that a machine on which nothing could be seen is not taken for a proof.
"""

import base64
import gc
import json
import math
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from msgspec import structs

from kms_server import errors as e
from kms_server.config import Settings
from kms_server.protocol import sigv4
from kms_server.protocol.message import Request
from kms_server.protocol.signed import signing_key
from kms_server.server.pipeline import handle
from kms_server.server.worker_state import build
from tests.databases import prepared
from tests.unit.protocol.test_sigv4 import SECRET, signed_request

pytestmark = pytest.mark.skipif(
    not os.environ.get("KMS_TEST_SOAK"), reason="takes time, and a machine of its own: make soak"
)
THRESHOLD = 10.0
MEASUREMENTS = 60_000
_KEPT = 0.9

Guess = Callable[[bytes], None]


def t_of(first: list[int], last: list[int]) -> float:
    """Welch's t of two samples without their slowest tenths."""
    cropped = [sorted(times)[: int(len(times) * _KEPT)] for times in (first, last)]
    (a, va, na), (b, vb, nb) = (
        (statistics.fmean(one), statistics.variance(one), len(one)) for one in cropped
    )
    return (a - b) / math.sqrt(va / na + vb / nb)


def wrong_in(right: bytes) -> tuple[bytes, bytes]:
    """A guess that is wrong in its first byte, and one that is in its last."""
    return bytes((right[0] ^ 1,)) + right[1:], right[:-1] + bytes((right[-1] ^ 1,))


def measured(guess: Guess, right: bytes, count: int) -> float:
    """The t of guesses that are wrong in their first and in their last byte."""
    guesses = wrong_in(right)
    times: tuple[list[int], list[int]] = ([], [])
    rng = random.Random(1)
    with _undisturbed():
        for place in (rng.randrange(2) for _ in range(count)):
            one = guesses[place]
            began = time.perf_counter_ns()
            guess(one)
            times[place].append(time.perf_counter_ns() - began)
    return t_of(*times)


@contextmanager
def _undisturbed() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_what_leaks_is_seen() -> None:
    secret = bytes(range(32))

    def leaking(guess: bytes) -> None:
        all(one == other for one, other in zip(guess, secret, strict=True))

    assert abs(measured(leaking, secret, 4_000)) > THRESHOLD


def test_signatures() -> None:
    request = signed_request()
    signed = sigv4.parse(request)
    credential = signed.claim.credential
    key = signing_key(SECRET, credential.date, credential.region, credential.service)

    def guess(signature: bytes) -> None:
        try:
            sigv4.verify(
                request, structs.replace(signed, signature=signature.decode("latin-1")), key, now=time.time(), window=300,
                presigned_lifetime=300,
            )  # fmt: skip
        except e.InvalidSignatureException:
            return
        raise AssertionError("a wrong signature was taken")

    assert abs(measured(guess, signed.signature.encode(), MEASUREMENTS)) < THRESHOLD


def test_macs(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "data", quota_profile="unlimited")
    signer = SigV4Auth(prepared(settings), "kms", "us-east-1")
    state = build(settings)

    def request(operation: str, **members: object) -> Request:
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}"}
        asked = AWSRequest(
            "POST", "http://127.0.0.1:4599/", data=json.dumps(members).encode(), headers=headers
        )
        signer.add_auth(asked)
        lower = {name.lower(): str(value) for name, value in asked.headers.items()}
        return Request("POST", "/", lower | {"host": "127.0.0.1:4599"}, asked.body, "127.0.0.1")

    def answer(sent: Request, status: int = 200) -> dict[str, Any]:
        response = handle(state.pipeline.stages, sent).response
        assert response.status == status, response.body
        told: dict[str, Any] = json.loads(response.body)
        return told

    made = answer(request("CreateKey", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"))
    asked = {"KeyId": made["KeyMetadata"]["KeyId"], "Message": "AAAA", "MacAlgorithm": "HMAC_SHA_256"}
    right = base64.b64decode(answer(request("GenerateMac", **asked))["Mac"])
    # A request may be sent again for five minutes, so that nothing but the server's work is in the time.
    sent: dict[bytes, Request] = {}

    def guess(mac: bytes) -> None:
        told = handle(state.pipeline.stages, sent[mac]).response
        assert told.status == 400

    for wrong in wrong_in(right):
        sent[wrong] = request("VerifyMac", **asked, Mac=base64.b64encode(wrong).decode())
        assert answer(sent[wrong], 400)["__type"] == "KMSInvalidMacException"
    assert abs(measured(guess, right, MEASUREMENTS // 10)) < THRESHOLD
    state.close()
