"""The KMS of this very process, asked by the one pipeline."""

from collections.abc import Callable, Mapping
from typing import Any

from kms_server.errors import ServiceError
from kms_server.operations import access
from kms_server.operations.call import Call, Forwarded, Services
from kms_server.operations.forwarding import forwarded_call
from kms_server.operations.registry import find
from kms_server.s3.kms import requests
from kms_server.s3.kms.client import DataKey, KeyUse
from kms_server.s3.kms.faults import s3_error


class InProcessKms:
    """Calls the KMS beside it; `perform` takes a call through limits, operation and record, and raises its fault."""

    def __init__(self, services: Services, perform: Callable[[Call], Call]) -> None:
        self._services = services
        self._perform = perform

    def generate_data_key(self, call: Call, use: KeyUse) -> DataKey:
        """A new 256-bit data key under a KMS key."""
        answer = self._ask(call, requests.GENERATE, requests.data_key(use), use)
        return DataKey(answer["KeyId"], answer["Plaintext"], answer["CiphertextBlob"])

    def decrypt(self, call: Call, use: KeyUse, ciphertext: bytes) -> bytes:
        """The data key in clear."""
        answer = self._ask(call, requests.DECRYPT, requests.opening(use, ciphertext), use)
        plaintext: bytes = answer["Plaintext"]
        return plaintext

    def still_allows(self, call: Call, operation: str, use: KeyUse, *, key_arn: str, since: float) -> bool:  # noqa: ARG002 - judged as of now
        """Whether the KMS would answer the same call now; it is neither made nor recorded nor charged."""
        asked = self._forwarded(call, operation, {}, use)
        asked.parameters = {"KeyId": use.key_id, "EncryptionContext": use.context}
        try:
            self._services.keyring.refresh(may_block=True)
            usable = access.authorized_key(asked, use.key_id)
            access.require_fit(asked, usable)
        except ServiceError:
            return False
        return usable.key.arn == key_arn

    def _ask(self, call: Call, operation: str, document: Mapping[str, Any], use: KeyUse) -> Mapping[str, Any]:
        try:
            done = self._perform(self._forwarded(call, operation, document, use))
        except ServiceError as error:
            raise s3_error(error.code, error.message) from None
        return done.answer or {}

    def _forwarded(self, call: Call, operation: str, document: Mapping[str, Any], use: KeyUse) -> Call:
        forwarded = Forwarded("s3", use.region, use.source_arn)
        return forwarded_call(
            self._services, find("kms", operation), call.principal, forwarded, document, call.request.tls
        )
