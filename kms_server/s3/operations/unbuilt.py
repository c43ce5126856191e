"""Operations of S3 that this service does not have: who asks for one is told so, and is on record."""

from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.errors import NotBuilt


def _refuse(_call: S3Call) -> S3Answer:
    raise NotBuilt


def _row(name: str, method: str, query: str, level: Level) -> S3Operation:
    return S3Operation(
        name, _refuse, method, level, "", queries=(query,), is_data=level is Level.OBJECT, writes=method != "GET",
        needs_bucket=False,
    )  # fmt: skip


def _of_bucket(
    query: str, put: str | None = None, delete: str | None = None, get: str | None = None
) -> list[S3Operation]:
    named = (("PUT", put), ("DELETE", delete), ("GET", get))
    return [_row(name, method, query, Level.BUCKET) for method, name in named if name is not None]


def _listed(query: str, what: str) -> list[S3Operation]:
    """Configurations of which a bucket may have several."""
    names = (f"{verb}Bucket{what}Configuration" for verb in ("Put", "Delete", "Get"))
    return _of_bucket(query, *names)


OPERATIONS: tuple[S3Operation, ...] = (
    *_of_bucket("accelerate", "PutBucketAccelerateConfiguration"),
    *_of_bucket("cors", "PutBucketCors", "DeleteBucketCors"),
    *_of_bucket("lifecycle", "PutBucketLifecycleConfiguration", "DeleteBucketLifecycle"),
    *_of_bucket("logging", "PutBucketLogging"),
    *_of_bucket("notification", "PutBucketNotificationConfiguration"),
    *_of_bucket("object-lock", "PutObjectLockConfiguration"),
    *_of_bucket("replication", "PutBucketReplication", "DeleteBucketReplication"),
    *_of_bucket("requestPayment", "PutBucketRequestPayment"),
    *_of_bucket("website", "PutBucketWebsite", "DeleteBucketWebsite"),
    *_listed("analytics", "Analytics"),
    *_listed("intelligent-tiering", "IntelligentTiering"),
    *_listed("inventory", "Inventory"),
    *_listed("metrics", "Metrics"),
    _row("PutObjectLegalHold", "PUT", "legal-hold", Level.OBJECT),
    _row("GetObjectLegalHold", "GET", "legal-hold", Level.OBJECT),
    _row("PutObjectRetention", "PUT", "retention", Level.OBJECT),
    _row("GetObjectRetention", "GET", "retention", Level.OBJECT),
    _row("GetObjectTorrent", "GET", "torrent", Level.OBJECT),
    _row("SelectObjectContent", "POST", "select", Level.OBJECT),
)
