"""Configuration that no bucket has here: what S3 answers of a bucket where it was never set."""

from kms_server.s3 import errors as e
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.wire import xml_writer
from kms_server.s3.wire.xml_writer import Content


def _missing(name: str, query: str, error: type[e.S3Error], action: str | None = None) -> S3Operation:
    """An operation that finds nothing."""

    def handler(call: S3Call) -> S3Answer:
        raise error(BucketName=call.bucket_name)

    return S3Operation(name, handler, "GET", Level.BUCKET, action or f"s3:{name}", queries=(query,))


def _empty(name: str, query: str, root: str, action: str | None = None, **content: Content) -> S3Operation:
    """An operation that answers a document with nothing in it but `content`."""
    answer = S3Answer(body=xml_writer.document(root, content))
    return S3Operation(
        name, lambda _call: answer, "GET", Level.BUCKET, action or f"s3:{name}", queries=(query,)
    )


OPERATIONS = (
    _missing("GetBucketCors", "cors", e.NoSuchCORSConfiguration, "s3:GetBucketCORS"),
    _missing(
        "GetBucketLifecycleConfiguration", "lifecycle", e.NoSuchLifecycleConfiguration, "s3:GetLifecycleConfiguration"
    ),
    _missing("GetBucketWebsite", "website", e.NoSuchWebsiteConfiguration),
    _missing("GetBucketReplication", "replication", e.ReplicationConfigurationNotFound, "s3:GetReplicationConfiguration"),
    _missing(
        "GetObjectLockConfiguration", "object-lock", e.ObjectLockConfigurationNotFound,
        "s3:GetBucketObjectLockConfiguration",
    ),
    _empty("GetBucketLogging", "logging", "BucketLoggingStatus"),
    _empty(
        "GetBucketNotificationConfiguration", "notification", "NotificationConfiguration", "s3:GetBucketNotification"
    ),
    _empty(
        "GetBucketRequestPayment", "requestPayment", "RequestPaymentConfiguration", Payer="BucketOwner"
    ),
    _empty(
        "GetBucketAccelerateConfiguration", "accelerate", "AccelerateConfiguration", "s3:GetAccelerateConfiguration"
    ),
)  # fmt: skip
