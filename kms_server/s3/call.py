"""One S3 call on its way, and the row that declares its operation."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from sqlalchemy import Connection

from kms_server.audit.record import to_row
from kms_server.operations.call import Call, Operation, Plane, Services
from kms_server.operations.recording import event_of
from kms_server.protocol.message import Request
from kms_server.s3 import buckets
from kms_server.s3.blobs.store import BlobStore
from kms_server.s3.buckets import LoadedBucket
from kms_server.s3.encryption.keys import Encryption
from kms_server.s3.errors import InvalidPart, NoSuchBucket, NoSuchUpload
from kms_server.s3.wire.post_form import PostForm
from kms_server.schemas.base import RequestSchema
from kms_server.storage import events
from kms_server.storage.buckets import Bucket, BucketGone
from kms_server.storage.database import Transaction
from kms_server.storage.uploads import PartGone, UploadGone


class Level(Enum):
    """What a request's path names."""

    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


class Source(Protocol):
    """The bytes of an object to be, with their digests once all were read."""

    def want(self, *algorithms: str) -> None:
        """Have digests made; before the first read. MD5, or names of S3 checksums."""

    def read(self, most: int) -> bytes:
        """The next bytes, about `most` of them; empty at the end.

        Raises:
            S3Error: they are not what was declared, or stored.
            ClientGone: the rest will not come.
        """

    def digest(self, algorithm: str) -> bytes:
        """A digest of all bytes, once they were read to the end."""


class Payload(Source, Protocol):
    """The body of a request, decoded and checked on the way: at its end against all that the request declares."""

    @property
    def length(self) -> int | None:
        """The length of the decoded body in bytes, where the request tells it."""

    def whole(self, most: int) -> bytes:
        """All of a small body.

        Raises:
            S3Error: as `read`, or it is longer than `most`.
        """

    @property
    def is_checked(self) -> bool:
        """Whether the client declared a digest of the body, beside the signed one.

        Raises:
            S3Error: as `declared`.
        """

    def declared(self) -> str | None:
        """The name of the checksum that the client declared; None where there is none.

        Raises:
            S3Error: what is declared of the body is malformed.
        """


@dataclass(frozen=True, slots=True)
class S3Answer:
    """What an operation answers: a body, or `parts` of `length` bytes in all."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    parts: Iterable[bytes] | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class S3Operation:
    """All that is true of one operation; routing, authorization, audit and documents derive from it.

    A request is for the operation when method and level fit and it has every query parameter of `queries` (`name` or
    `name=value`) and the `header`; of several the one that asks for most. `action` is the IAM action, `version_action` the
    one when a version is named. `encrypts` tells that x-amz-server-side-encryption headers are
    taken. `is_data` marks a data event of CloudTrail, all else is a management event. Without `checksums` the
    checksum headers are not about the body. `by_form` tells that key, headers and signature are fields of a form.
    """

    name: str
    handler: "Callable[[S3Call], S3Answer]"
    method: str
    level: Level
    action: str
    queries: tuple[str, ...] = ()
    header: str | None = None
    version_action: str | None = None
    encrypts: bool = False
    is_data: bool = False
    writes: bool = False
    needs_bucket: bool = True
    checksums: bool = True
    by_form: bool = False
    row: Operation = field(init=False, repr=False)

    def __post_init__(self) -> None:
        plane = Plane.WRITE if self.writes else Plane.READ
        row = Operation(
            self.name, _elsewhere, RequestSchema, None, plane, self.name, service="s3", is_data=self.is_data
        )
        object.__setattr__(self, "row", row)

    @property
    def adds(self) -> bool:
        """Whether it makes objects, or parts of them, which take room."""
        return self.encrypts or self.action == "s3:PutObject"


def _elsewhere(call: Call) -> None:
    raise AssertionError(f"{call.operation.name} is run by the S3 layer")


@dataclass(frozen=True, slots=True)
class S3Services:
    """What S3 operations work with; made once per process.

    `restore_delay` is how many seconds it takes to restore an archived object.
    """

    shared: Services
    blobs: BlobStore
    encryption: Encryption
    restore_delay: float


@dataclass(slots=True)
class S3Call:
    """One authenticated S3 call.

    `call` says who calls, from where and when, and what the audit record will say. `key` is the object key as text.
    `recorded` is set once the call's own transaction holds its record. `answered` are headers of the answer whatever
    becomes of the call. `auth_type` says where the signature is, in words of the condition key s3:authType; `signature_age`
    is how old that of a presigned URL is, in milliseconds.
    """

    operation: S3Operation
    services: S3Services
    call: Call
    bucket_name: str
    key: str
    query: Mapping[str, str]
    payload: Payload
    form: PostForm | None = None
    found: LoadedBucket | None = None
    recorded: bool = False
    auth_type: str | None = None
    signature_age: int | None = None
    answered: dict[str, str] = field(default_factory=dict)

    @property
    def request(self) -> Request:
        """The HTTP request."""
        return self.call.request

    @property
    def bucket(self) -> Bucket:
        """The bucket.

        Raises:
            NoSuchBucket
        """
        if self.found is None:
            raise NoSuchBucket(BucketName=self.bucket_name)
        return self.found.bucket

    def find_bucket(self) -> None:
        """Look the bucket up, and name what the call is about in its record."""
        if not self.bucket_name:
            return
        self.found = buckets.find(self.services.shared, self.bucket_name)
        arn = f"arn:aws:s3:::{self.bucket_name}"
        self.call.logged_extra = {"bucketName": self.bucket_name} | ({"key": self.key} if self.key else {})
        if self.key:
            self.call.touches("AWS::S3::Object", f"{arn}/{self.key}")
        self.call.touches("AWS::S3::Bucket", arn)
        if self.found is not None:
            self.call.recipient = self.found.bucket.account
            # No other signature names a Region.
            if not self.call.sigv4:
                self.call.region = self.found.bucket.region

    @property
    def is_secure(self) -> bool:
        """Whether the request came by TLS."""
        return self.request.tls is not None

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is known to call."""
        return self.call.principal.is_anonymous

    def header(self, name: str) -> str | None:
        """A request header by its lower-case name."""
        return self.request.headers.get(name)

    @contextmanager
    def configuring(self) -> Iterator[Transaction]:
        """The transaction of a change to a bucket's configuration, which holds the call's record, too."""
        with self.services.shared.database.write() as tx:
            yield tx
            events.add(tx, to_row(event_of(self.call))._asdict())
        self.recorded = True

    @contextmanager
    def indexing(self) -> Iterator[Connection]:
        """The transaction of a change to objects, which holds the call's record, too.

        Raises:
            NoSuchBucket, NoSuchUpload, InvalidPart: it was deleted, or replaced, meanwhile.
        """
        try:
            with self.services.shared.database.index() as connection:
                yield connection
                events.add_data(connection, to_row(event_of(self.call))._asdict())
        except BucketGone:
            raise NoSuchBucket(BucketName=self.bucket_name) from None
        except PartGone:
            raise InvalidPart from None
        except UploadGone:
            raise NoSuchUpload(UploadId=self.query.get("uploadId", "")) from None
        self.recorded = True
