"""The S3 layer's side of a service: calls on whose behalf it asks the KMS, and what the log says of that."""

import json
from typing import Any

from botocore.credentials import Credentials

from kms_server.audit.lookup import stream
from kms_server.audit.matching import Filter
from kms_server.keyring.keyring import Keyring
from kms_server.operations.call import Call, Services
from kms_server.operations.registry import find
from kms_server.protocol.message import Request, TlsDetails
from kms_server.s3.kms.client import KeyUse
from kms_server.s3.kms.in_process import InProcessKms
from kms_server.server.audit_trail import audit_sources
from kms_server.server.pipeline import Pipeline
from tests.unit.operations.service import REGION, Service

BUCKET = "arn:aws:s3:::ledger"
OBJECT = f"{BUCKET}/2026/batch"
CONTEXT = {"aws:s3:arn": OBJECT}


def pipeline(service: Service) -> Pipeline:
    """The service's pipeline."""
    return service._worker.pipeline


def services(service: Service) -> Services:
    """What the service's operations work with."""
    return pipeline(service)._services


def client(service: Service) -> InProcessKms:
    """The KMS client of an S3 layer in the same process."""
    return InProcessKms(services(service), pipeline(service).perform)


def keyring(service: Service) -> Keyring:
    """The service's keyring, which has just looked for changes."""
    found = services(service).keyring
    found.refresh(may_block=True)
    return found


def asked(service: Service, by: Credentials | None = None, *, tls: bool = True) -> Call:
    """A call of whoever has the credentials, as the S3 layer has it."""
    credentials = by or service._root
    identity = keyring(service).identity(credentials.access_key, may_block=True)
    assert identity is not None
    request = Request(
        "GET", "/ledger/2026/batch", {"user-agent": "client/1", "host": "s3"}, b"", "192.0.2.7",
        TlsDetails("TLSv1.3", "TLS_AES_128_GCM_SHA256") if tls else None,
    )  # fmt: skip
    made = services(service)
    return Call(
        find("kms", "ListKeys"), made, identity.principal, REGION, request, "r", "e", made.clock.now(),
        may_block=True, document={},
    )  # fmt: skip


def records(service: Service, name: str) -> list[dict[str, Any]]:
    """The records of an operation, oldest first."""
    rows = stream(audit_sources(service._worker.state), Filter(event_names=(name,)))
    return [json.loads(row.record) for row in rows]


def policy(*statements: dict[str, Any]) -> str:
    """A key policy: the root of every account may do anything, and the statements."""
    everything = {
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:*", "Resource": "*",
    }  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": [everything, *statements]})


def use(key_id: str, **changes: Any) -> KeyUse:
    """A key that is wanted for an object."""
    return KeyUse(key_id, CONTEXT, REGION, OBJECT)._replace(**changes)
