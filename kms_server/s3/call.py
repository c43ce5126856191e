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
from kms_server.s3.blobs.store import BlobStore
from kms_server.s3.buckets import LoadedBucket
from kms_server.s3.encryption.keys import Encryption
from kms_server.s3.errors import NoSuchBucket
from kms_server.schemas.base import RequestSchema
from kms_server.storage import events
from kms_server.storage.buckets import Bucket
from kms_server.storage.database import Transaction


class Level(Enum):
    """What a request's path names."""

    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


class Payload(Protocol):
    """The body of a request, decoded and checked on the way."""

    @property
    def length(self) -> int | None:
        """The length of the decoded body in bytes, where the request tells it."""

    def want(self, *algorithms: str) -> None:
        """Have digests made that the request itself does not ask for; before the first read."""

    def read(self, most: int) -> bytes:
        """The next decoded bytes; empty at the end, when all that the request declares of the body has been checked.

        Raises:
            S3Error: it is not what was declared, or not signed.
            ClientGone: the rest will not come.
        """

    def whole(self, most: int) -> bytes:
        """All of a small body.

        Raises:
            S3Error: as `read`, or it is longer than `most`.
        """

    def digest(self, algorithm: str) -> bytes:
        """A digest of the whole body, once it was read to its end; MD5 or the name of an S3 checksum."""

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
    one when a version is named. `encrypts` tells that x-amz-server-side-encryption headers are taken, `customer_key` that
    those of SSE-C are. `is_data` marks a data event of CloudTrail, all else is a management event.
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
    customer_key: bool = False
    is_data: bool = False
    writes: bool = False
    needs_bucket: bool = True
    row: Operation = field(init=False, repr=False)

    def __post_init__(self) -> None:
        plane = Plane.WRITE if self.writes else Plane.READ
        row = Operation(
            self.name, _elsewhere, RequestSchema, None, plane, self.name, service="s3", is_data=self.is_data
        )
        object.__setattr__(self, "row", row)


def _elsewhere(call: Call) -> None:
    raise AssertionError(f"{call.operation.name} is run by the S3 layer")


@dataclass(frozen=True, slots=True)
class S3Services:
    """What S3 operations work with; made once per process."""

    shared: Services
    blobs: BlobStore
    encryption: Encryption


@dataclass(slots=True)
class S3Call:
    """One authenticated S3 call.

    `call` says who calls, from where and when, and what the audit record will say. `key` is the object key as text.
    `recorded` is set once the call's own transaction holds its record. `answered` are headers of the answer whatever
    becomes of the call.
    """

    operation: S3Operation
    services: S3Services
    call: Call
    bucket_name: str
    key: str
    query: Mapping[str, str]
    payload: Payload
    found: LoadedBucket | None = None
    recorded: bool = False
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
        """The transaction of a change to objects, which holds the call's record, too."""
        with self.services.shared.database.index() as connection:
            yield connection
            events.add_data(connection, to_row(event_of(self.call))._asdict())
        self.recorded = True
