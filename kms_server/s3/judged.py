"""What policies can ask about an S3 call that does not stand in its head."""

from collections.abc import Mapping
from functools import partial

from kms_server.s3 import metadata
from kms_server.s3.call import Level, S3Call
from kms_server.s3.condition_keys import NOTHING_MORE, Given
from kms_server.s3.encryption import envelope as envelopes
from kms_server.s3.encryption import headers as sse
from kms_server.storage import objects, uploads
from kms_server.storage.buckets import Bucket
from kms_server.storage.objects import Version


def given(call: S3Call) -> Given:
    """The tags of the object that is there; the encryption of the upload that the call goes on with."""
    if call.operation.level is not Level.OBJECT or call.found is None:
        return NOTHING_MORE
    # A parameter that the operation does not know says nothing: it may name another upload than the one to be made.
    goes_on = "uploadId" in call.operation.queries
    return Given(
        tags=partial(_tags, call, call.bucket, call.key, call.query.get("versionId")),
        encryption=partial(_of_upload, call) if goes_on else None,
    )


def given_of_source(call: S3Call, bucket: Bucket, key: str, version_id: str | None) -> Given:
    """The version id and the tags of an object that a call copies."""
    return Given(version=version_id, tags=partial(_tags, call, bucket, key, version_id))


def _tags(call: S3Call, bucket: Bucket, key: str, version_id: str | None) -> Mapping[str, str]:
    version: Version | None
    with call.services.shared.database.read() as connection:
        if version_id is None:
            version = objects.current(connection, bucket.bucket_id, key)
        else:
            version = objects.version(connection, bucket.bucket_id, key, version_id)
    return metadata.read_tags(version.tags) if version else {}


def _of_upload(call: S3Call) -> Mapping[str, str]:
    """As if the request had said what the one said that began the upload, or its bucket."""
    with call.services.shared.database.read() as connection:
        upload = uploads.get(connection, call.bucket.bucket_id, call.key, call.query["uploadId"])
        begun = upload or uploads.completed(
            connection, call.bucket.bucket_id, call.key, call.query["uploadId"]
        )
    return {} if begun is None else sse.answer(envelopes.decode(begun.envelope), None)
