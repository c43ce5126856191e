"""Buckets, callers and S3 calls for the tests of what a bucket's configuration decides."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from kms_server.audit import event_id
from kms_server.iam.principal import NOBODY, Principal
from kms_server.operations.call import Call, Services
from kms_server.protocol.message import Request, TlsDetails
from kms_server.s3 import buckets as loaded
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation, S3Services
from kms_server.s3.payloads import Payload
from kms_server.storage import buckets
from kms_server.storage.buckets import Bucket
from tests.unit.operations.service import ACCOUNT, REGION, Service

AWAY = "222222222222"
BUCKET = "arn:aws:s3:::pictures"
TLS = TlsDetails("TLSv1.3", "TLS_AES_256_GCM_SHA384")


class Whole:
    """A body that is already here."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def whole(self, most: int) -> bytes:
        assert len(self._body) <= most
        return self._body


def _nothing(_call: S3Call) -> S3Answer:
    return S3Answer()


def operation(action: str, level: Level = Level.OBJECT, **members: Any) -> S3Operation:
    """A row for an action."""
    return S3Operation(action.partition(":")[2], _nothing, "GET", level, action, **members)


class World:
    """A service with the bucket `pictures` of the account ACCOUNT."""

    def __init__(self, directory: Path) -> None:
        self.service = Service(directory / "data")
        self.services: Services = self.service._worker.pipeline._services
        with self.service.database.write() as tx:
            buckets.add(tx, Bucket("pictures", "b1", ACCOUNT, REGION, 1_700_000_000.0))
        self.root = self.principal(self.service.account(ACCOUNT).access_key)
        self.stranger_root = self.principal(self.service.account(AWAY).access_key)

    def principal(self, access_key_id: str) -> Principal:
        self.services.keyring.refresh(may_block=True)
        found = self.services.keyring.identity(access_key_id, may_block=True)
        assert found is not None
        return found.principal

    def user(self, name: str, *actions: str, account: str = ACCOUNT, deny: tuple[str, ...] = ()) -> Principal:
        _, credentials = self.service.user(name, *actions, deny=deny, account=account)
        return self.principal(credentials.access_key)

    def configure(self, **fields: Any) -> None:
        """Set columns of the bucket."""
        with self.service.database.write() as tx:
            bucket = buckets.get(tx.connection, "pictures")
            assert bucket is not None
            buckets.change(tx, bucket, **fields)

    def policy(self, *statements: Mapping[str, Any]) -> None:
        """Give the bucket a policy as it is stored."""
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.configure(policy=json.dumps(document) if statements else None)

    def call(
        self, row: S3Operation, by: Principal = NOBODY, *, key: str = "", query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None, body: bytes = b"", tls: TlsDetails | None = TLS,
        bucket: str = "pictures",
    ) -> S3Call:  # fmt: skip
        self.services.keyring.refresh(may_block=True)
        now = self.services.clock.now()
        request = Request(row.method, f"/{bucket}/{key}", headers or {}, b"", "192.0.2.7", tls)
        call = Call(
            row.row,
            self.services,
            by,
            REGION,
            request,
            "r",
            event_id.new(now),
            now,
            may_block=True,
            document={},
        )
        services = cast("S3Services", SimpleNamespace(shared=self.services))
        payload = cast("Payload", Whole(body))
        found = loaded.find(self.services, bucket)
        return S3Call(row, services, call, bucket, key, query or {}, payload, found=found)

    def close(self) -> None:
        self.service.close()
