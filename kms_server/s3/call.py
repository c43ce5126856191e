"""One S3 call on its way, and the row that declares its operation."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from xml.etree.ElementTree import Element

from sqlalchemy import Connection

from kms_server.operations.call import Call, Operation, Plane, Services
from kms_server.operations.recording import recording
from kms_server.protocol.message import Request
from kms_server.s3 import buckets
from kms_server.s3.blobs.store import BlobStore
from kms_server.s3.buckets import LoadedBucket
from kms_server.s3.encryption.keys import Encryption
from kms_server.s3.errors import InvalidPart, NoSuchBucket, NoSuchUpload
from kms_server.s3.payloads import Payload
from kms_server.s3.wire import xml_reader
from kms_server.s3.wire.post_form import PostForm
from kms_server.schemas.base import RequestSchema
from kms_server.storage.buckets import Bucket, BucketGone
from kms_server.storage.database import Transaction
from kms_server.storage.uploads import PartGone, UploadGone

_MOST_DOCUMENT = 65_536
# What query parameters tell that belong to no operation alone.
_SHOWN_QUERIES = ("versionId", "uploadId", "partNumber")


class Level(Enum):
    """What a request's path names."""

    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


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
    `name=value`) and the `header`; of several the one that asks for most. `action` is the IAM action, `version_action`
    the one when a version is named. `encrypts` tells that x-amz-server-side-encryption headers are taken.
    `shown_queries` are the query parameters in the record. `is_data` marks a data event of CloudTrail, all else is a
    management event. Without `checksums` the checksum headers are not about the body. `by_form` tells that key, headers
    and signature are fields of a form.
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
    shown_queries: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        plane = Plane.WRITE if self.writes else Plane.READ
        row = Operation(
            self.name, _elsewhere, RequestSchema, None, plane, self.name, service="s3", is_data=self.is_data
        )
        object.__setattr__(self, "row", row)
        own = (query.partition("=")[0] for query in self.queries)
        object.__setattr__(self, "shown_queries", frozenset({*own, *_SHOWN_QUERIES}))

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
    `answered` are headers of the answer whatever becomes of the call. `auth_type` says where the signature is, in words of the condition key s3:authType; `signature_age`
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
        self.logs(
            **{name: value for name, value in self.query.items() if name in self.operation.shown_queries}
        )
        self.logs(Host=self.header("host") or "")
        if not self.bucket_name:
            return
        self.found = buckets.find(self.services.shared, self.bucket_name)
        arn = f"arn:aws:s3:::{self.bucket_name}"
        self.logs(bucketName=self.bucket_name, **({"key": self.key} if self.key else {}))
        if self.key:
            self.call.touches("AWS::S3::Object", f"{arn}/{self.key}")
        self.call.touches("AWS::S3::Bucket", arn)
        if self.found is not None:
            self.call.owner = self.found.bucket.account
            # No other signature names a Region.
            if not self.call.sigv4:
                self.call.region = self.found.bucket.region

    def logs(self, **members: Any) -> None:  # noqa: ANN401 - any JSON value
        """Show members among the requestParameters of the record."""
        self.call.logged_extra = {**(self.call.logged_extra or {}), **members}

    def document(self, root: str) -> Element:
        """The XML document that configures a bucket, which the record shows.

        Raises:
            S3Error: the body is not what was declared, or no such document.
        """
        found = xml_reader.parse(self.payload.whole(_MOST_DOCUMENT), root)
        self.logs(**{root: xml_reader.content(found)})
        return found

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
        with recording(self.call, self.services.shared.database.write()) as tx:
            yield tx

    @contextmanager
    def indexing(self) -> Iterator[Connection]:
        """The transaction of a change to objects, which holds the call's record, too.

        Raises:
            NoSuchBucket, NoSuchUpload, InvalidPart: it was deleted, or replaced, meanwhile.
        """
        try:
            with recording(self.call, self.services.shared.database.index()) as connection:
                yield connection
        except BucketGone:
            raise NoSuchBucket(BucketName=self.bucket_name) from None
        except PartGone:
            raise InvalidPart from None
        except UploadGone:
            raise NoSuchUpload(UploadId=self.query.get("uploadId", "")) from None
