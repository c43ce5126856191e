"""When a key was last used, as the audit log tells (AWS "Determine past usage of a KMS key")."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kms_server.audit.lookup import lookup
from kms_server.audit.pages import Query
from kms_server.audit.record import Row
from kms_server.clock import DAY
from kms_server.keys.key import KmsKey
from kms_server.operations.call import Call, Subject
from kms_server.operations.condition_keys import texts

_USES = (
    "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext", "Sign", "Verify", "GenerateMac", "VerifyMac", "DeriveSharedSecret",
    "Encapsulate", "Decapsulate",
)  # fmt: skip


def last_use(call: Call, key: KmsKey) -> Row | None:
    """The record of the last successful cryptographic use of a key."""
    query = Query(
        account=key.account, region=key.region, attribute=("resource", key.arn), start=None, end=None,
        after=None, limit=1, event_names=_USES, succeeded=True,
    )  # fmt: skip
    return next(iter(lookup(call.services.audit_sources(), query)), None)


def event_time(record: Mapping[str, Any]) -> float:
    """The time of a record in epoch seconds."""
    return datetime.fromisoformat(record["eventTime"]).timestamp()


def trailing_days(subject: Subject, _: str) -> Sequence[str]:
    """The whole days since a key was last used, or made where it never was."""
    key, call = subject.key, subject.call
    if key is None:
        return ()
    row = last_use(call, key)
    since = key.created_at if row is None else event_time(json.loads(row.record))
    return texts(int(max(call.time - since, 0.0) // DAY))
