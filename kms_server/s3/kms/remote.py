"""A KMS elsewhere: another kms-server, AWS's own, or whatever speaks its protocol."""

import base64
import binascii
import http.client
import logging
import time
from collections.abc import Mapping
from typing import Any

import orjson

from kms_server.connections import Answer, Connections
from kms_server.operations.call import Call, Forwarded
from kms_server.protocol.faults import CONTENT_TYPE
from kms_server.protocol.message import Request
from kms_server.s3.kms import requests
from kms_server.s3.kms.callers import Caller
from kms_server.s3.kms.client import DataKey, KeyUse
from kms_server.s3.kms.faults import s3_error, unavailable

_LOG = logging.getLogger(__name__)
_KEPT_SECONDS = 60.0


class RemoteKms:
    """Calls a KMS over HTTP; `caller` tells it who asks."""

    def __init__(self, connections: Connections, caller: Caller) -> None:
        self._connections = connections
        self._caller = caller

    def generate_data_key(self, call: Call, use: KeyUse) -> DataKey:
        """A new 256-bit data key under a KMS key."""
        answer = self._ask(call, requests.GENERATE, requests.data_key(use), use)
        return DataKey(
            str(answer.get("KeyId")), _bytes(answer, "Plaintext"), _bytes(answer, "CiphertextBlob")
        )

    def decrypt(self, call: Call, use: KeyUse, ciphertext: bytes) -> bytes:
        """The data key in clear."""
        answer = self._ask(call, requests.DECRYPT, requests.opening(use, ciphertext), use)
        return _bytes(answer, "Plaintext")

    def still_allows(self, call: Call, operation: str, use: KeyUse, *, key_arn: str, since: float) -> bool:  # noqa: ARG002 - not asked
        """Whether a data key is less than a minute old: the KMS is not asked, so it may have changed its mind."""
        return time.monotonic() - since < _KEPT_SECONDS

    def _ask(self, call: Call, operation: str, document: Mapping[str, Any], use: KeyUse) -> Mapping[str, Any]:
        forwarded = Forwarded("s3", use.region, use.source_arn)
        headers = {
            "host": self._connections.endpoint.authority, "content-type": CONTENT_TYPE,
            "x-amz-target": f"TrentService.{operation}",
        }  # fmt: skip
        request = Request("POST", "/", headers, orjson.dumps(document), "")
        try:
            answer = self._connections.post(
                lambda: self._caller.headers(request, call, forwarded), request.body
            )
        except (OSError, http.client.HTTPException) as error:
            _LOG.error("the KMS does not answer: %s", type(error).__name__)
            raise unavailable() from None
        return _read(answer)


def _read(answer: Answer) -> Mapping[str, Any]:
    """The members of an answer.

    Raises:
        S3Error: what the KMS's error is to a client of S3.
    """
    try:
        told = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict):
        _LOG.error("the KMS answers with status %d and no JSON object", answer.status)
        raise unavailable()
    if answer.status == http.client.OK:
        return told
    code = str(told.get("__type", "")).rpartition("#")[2]
    raise s3_error(code, str(told.get("message") or told.get("Message") or ""))


def _bytes(answer: Mapping[str, Any], member: str) -> bytes:
    try:
        return base64.b64decode(answer[member], validate=True)
    except (KeyError, TypeError, binascii.Error):
        _LOG.error("the KMS answers without %s", member)
        raise unavailable() from None
