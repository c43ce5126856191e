"""The S3 layer in this process, without any door: requests in, answers out."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from sqlalchemy import Connection, Table, select

from kms_server.audit.ledger import Ledger
from kms_server.clock import DAY
from kms_server.config import Limits, Settings
from kms_server.operations.lifecycle import Lifecycle
from kms_server.protocol.message import Request, TlsDetails
from kms_server.s3.errors import InternalError
from kms_server.server.state import State
from kms_server.server.worker_state import build
from kms_server.storage import settings
from kms_server.storage.object_tables import object_versions, parts
from tests.databases import prepared

_AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=000000000000/20261121/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00"
_KEY = b"a key of the customer, 32 bytes.."[:32]
_SSE = "x-amz-server-side-encryption"
CUSTOMER = {
    f"{_SSE}-customer-algorithm": "AES256",
    f"{_SSE}-customer-key": base64.b64encode(_KEY).decode(),
    f"{_SSE}-customer-key-md5": base64.b64encode(hashlib.md5(_KEY).digest()).decode(),
}
KINDS: dict[str, dict[str, str]] = {
    "SSE-S3": {},
    "SSE-KMS": {_SSE: "aws:kms"},
    "bucket key": {_SSE: "aws:kms", f"{_SSE}-bucket-key-enabled": "true"},
    "DSSE": {_SSE: "aws:kms:dsse"},
    "SSE-C": CUSTOMER,
}


class _Bytes:
    """The body of a request."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, most: int) -> bytes:
        piece, self._body = self._body[:most], self._body[most:]
        return piece


class Answered(NamedTuple):
    """An answer; `broken` says that the connection would have been broken off after the body."""

    status: int
    headers: dict[str, str]
    body: bytes
    broken: bool


def advance(state: State, days: float) -> None:
    """Let the time of a service pass, and do what falls due on keys."""
    offset = state.clock.offset + days * DAY
    with state.database.write() as tx:
        settings.put(tx, settings.CLOCK_OFFSET, repr(offset))
    state.clock.advance_to(offset)
    Lifecycle(state.database, state.root_key, state.clock, Ledger(state.chain_key)).run_due()


class S3InProcess:
    """A server in development mode, with rows and files of its objects at hand."""

    def __init__(self, directory: Path, limits: Limits | None = None, **others: Any) -> None:
        made = replace(Settings(directory, dev=True), **others)
        made = replace(made, limits=limits or replace(Limits(), min_part_bytes=1))
        prepared(made)
        self.worker = build(made)
        self.state = self.worker.state
        self.database = self.state.database

    def ask(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answered:
        told = {
            "host": "127.0.0.1:1", "authorization": _AUTHORIZATION, "x-amz-date": "20261121T000000Z",
            "content-length": str(len(body)), **(headers or {}),
        }  # fmt: skip
        assert self.worker.streams is not None
        request = Request(method, target, told, b"", "127.0.0.1", TlsDetails("", ""), _Bytes(body))
        response = self.worker.streams.answer(request)
        received: list[bytes] = []
        broken = False
        try:
            received.extend(bytes(part) for part in response.parts)
        except InternalError:
            broken = True
        return Answered(response.status, dict(response.headers), b"".join(received), broken)

    def ok(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answered:
        answered = self.ask(method, target, body, headers)
        assert answered.status < 300, answered.body
        return answered

    def begin_upload(self, target: str, headers: Mapping[str, str]) -> str:
        """The id of a new multipart upload."""
        begun = self.ok("POST", f"{target}?uploads", headers=headers)
        return next(
            one.text or "" for one in ElementTree.fromstring(begun.body) if one.tag.endswith("UploadId")
        )

    def upload(self, target: str, pieces: list[bytes], headers: Mapping[str, str]) -> None:
        """A multipart upload; the customer's key, if there is one, does not come with its completion."""
        upload_id = self.begin_upload(target, headers)
        customer = {name: value for name, value in headers.items() if name in CUSTOMER}
        listed = ""
        for number, piece in enumerate(pieces, 1):
            path = f"{target}?partNumber={number}&uploadId={upload_id}"
            etag = self.ok("PUT", path, piece, customer).headers["ETag"]
            listed += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        whole = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        self.ok("POST", f"{target}?uploadId={upload_id}", whole)

    def rows(self, connection: Connection, table: Table, *conditions: Any) -> list[dict[str, Any]]:
        found = connection.execute(select(table).where(*conditions))
        return [dict(row._mapping) for row in found]

    def version(self, key: str) -> dict[str, Any]:
        """The row of the only version of a key."""
        with self.database.read() as connection:
            [row] = self.rows(connection, object_versions, object_versions.c.object_key == key.encode())
        return row

    def parts(self, number: int) -> list[dict[str, Any]]:
        """The rows of the parts of a version."""
        with self.database.read() as connection:
            found = self.rows(connection, parts, parts.c.version == number)
        return sorted(found, key=lambda row: row["number"])

    def blob(self, blob_id: str) -> Path:
        """Where a blob is."""
        [found] = (self.state.settings.data_dir / "objects").rglob(blob_id)
        return found

    def blobs(self) -> Iterator[Path]:
        """All blobs."""
        return (path for path in (self.state.settings.data_dir / "objects").rglob("*") if path.is_file())

    def advance(self, days: float) -> None:
        """Let the service's time pass, and do what falls due on keys."""
        advance(self.state, days)

    def close(self) -> None:
        self.worker.close()
