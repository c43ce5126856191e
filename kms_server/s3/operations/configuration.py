"""The configuration of buckets: location, versioning, tags; and the table of all of it but encryption."""

from kms_server.config import DEFAULT_REGION
from kms_server.s3 import metadata
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.errors import IllegalVersioningConfiguration, MalformedXML, NoSuchTagSet, NotBuilt
from kms_server.s3.operations import access_lists, bucket_policies, public_access, unset
from kms_server.s3.operations.object_settings import read_tagging, tagging_document
from kms_server.s3.wire import xml_reader, xml_writer
from kms_server.storage import buckets

_MOST_TAGS = 50


def get_location(call: S3Call) -> S3Answer:
    """The Region of a bucket; the first one goes without a name (S3 GetBucketLocation)."""
    region = call.bucket.region
    return S3Answer(
        body=xml_writer.document("LocationConstraint", "" if region == DEFAULT_REGION else region)
    )


def get_versioning(call: S3Call) -> S3Answer:
    """Whether a bucket keeps versions; nothing where that was never set (S3 GetBucketVersioning)."""
    return S3Answer(
        body=xml_writer.document("VersioningConfiguration", {"Status": call.bucket.versioning or None})
    )


def put_versioning(call: S3Call) -> S3Answer:
    """Begin or suspend the keeping of versions (S3 PutBucketVersioning)."""
    document = call.document("VersioningConfiguration")
    status, deletion = xml_reader.text_of(document, "Status"), xml_reader.text_of(document, "MfaDelete")
    if deletion == "Enabled":
        raise NotBuilt("MFA delete is not implemented")
    if deletion not in (None, "Disabled") or status not in (None, "Enabled", "Suspended"):
        raise MalformedXML
    if status is None:
        raise IllegalVersioningConfiguration
    with call.configuring() as tx:
        buckets.change(tx, call.bucket, versioning=status)
    return S3Answer()


def get_tagging(call: S3Call) -> S3Answer:
    """The tags of a bucket (S3 GetBucketTagging)."""
    if call.bucket.tags is None:
        raise NoSuchTagSet(BucketName=call.bucket_name)
    return S3Answer(body=tagging_document(metadata.read_tags(call.bucket.tags)))


def put_tagging(call: S3Call) -> S3Answer:
    """Replace the tags of a bucket (S3 PutBucketTagging)."""
    tags = metadata.written_tags(read_tagging(call.document("Tagging")), _MOST_TAGS)
    with call.configuring() as tx:
        buckets.change(tx, call.bucket, tags=tags)
    return S3Answer(204)


def delete_tagging(call: S3Call) -> S3Answer:
    """Remove the tags of a bucket (S3 DeleteBucketTagging)."""
    with call.configuring() as tx:
        buckets.change(tx, call.bucket, tags=None)
    return S3Answer(204)


OPERATIONS: tuple[S3Operation, ...] = (
    S3Operation(
        "GetBucketLocation", get_location, "GET", Level.BUCKET, "s3:GetBucketLocation", queries=("location",)
    ),
    S3Operation(
        "GetBucketVersioning", get_versioning, "GET", Level.BUCKET, "s3:GetBucketVersioning", queries=("versioning",)
    ),
    S3Operation(
        "PutBucketVersioning", put_versioning, "PUT", Level.BUCKET, "s3:PutBucketVersioning", queries=("versioning",),
        writes=True,
    ),
    S3Operation("GetBucketTagging", get_tagging, "GET", Level.BUCKET, "s3:GetBucketTagging", queries=("tagging",)),
    S3Operation(
        "PutBucketTagging", put_tagging, "PUT", Level.BUCKET, "s3:PutBucketTagging", queries=("tagging",), writes=True
    ),
    S3Operation(
        "DeleteBucketTagging", delete_tagging, "DELETE", Level.BUCKET, "s3:PutBucketTagging", queries=("tagging",),
        writes=True,
    ),
    *bucket_policies.OPERATIONS,
    *public_access.OPERATIONS,
    *access_lists.OPERATIONS,
    *unset.OPERATIONS,
)  # fmt: skip
