"""GetBucketAcl, PutBucketAcl, GetObjectAcl, PutObjectAcl."""

from kms_server.s3 import access_lists, versions
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.errors import MissingSecurityHeader
from kms_server.s3.operations.buckets import owner_id
from kms_server.s3.wire import xml_writer
from kms_server.storage import objects

_MOST_BODY = 65_536


def get_bucket_acl(call: S3Call) -> S3Answer:
    """The access control list of a bucket (S3 GetBucketAcl)."""
    return S3Answer(body=_document(call))


def put_bucket_acl(call: S3Call) -> S3Answer:
    """Take an access control list that changes nothing (S3 PutBucketAcl)."""
    _check(call)
    return S3Answer()


def get_object_acl(call: S3Call) -> S3Answer:
    """The access control list of an object (S3 GetObjectAcl)."""
    return S3Answer(headers=_version_header(call), body=_document(call))


def put_object_acl(call: S3Call) -> S3Answer:
    """Take an access control list of an object that changes nothing (S3 PutObjectAcl)."""
    _check(call)
    return S3Answer(headers=_version_header(call))


def _document(call: S3Call) -> bytes:
    content = access_lists.of_owner(owner_id(call.bucket.account))
    return xml_writer.document("AccessControlPolicy", content)


def _check(call: S3Call) -> None:
    headers = call.request.headers
    body = call.payload.whole(_MOST_BODY)
    access_lists.require_owner_alone(headers)
    if body:
        access_lists.require_owner_in(body, owner_id(call.bucket.account))
    elif access_lists.CANNED not in headers:
        raise MissingSecurityHeader(MissingHeaderName=access_lists.CANNED)


def _version_header(call: S3Call) -> dict[str, str]:
    with call.services.shared.database.read() as connection:
        version = versions.find(call, connection, call.bucket, call.key, call.query.get("versionId"))
    return {} if version.version_id == objects.NULL else {"x-amz-version-id": version.version_id}


OPERATIONS = (
    S3Operation("GetBucketAcl", get_bucket_acl, "GET", Level.BUCKET, "s3:GetBucketAcl", queries=("acl",)),
    S3Operation("PutBucketAcl", put_bucket_acl, "PUT", Level.BUCKET, "s3:PutBucketAcl", queries=("acl",), writes=True),
    S3Operation(
        "GetObjectAcl", get_object_acl, "GET", Level.OBJECT, "s3:GetObjectAcl", queries=("acl",),
        version_action="s3:GetObjectVersionAcl", is_data=True,
    ),
    S3Operation(
        "PutObjectAcl", put_object_acl, "PUT", Level.OBJECT, "s3:PutObjectAcl", queries=("acl",),
        version_action="s3:PutObjectVersionAcl", is_data=True, writes=True,
    ),
)  # fmt: skip
