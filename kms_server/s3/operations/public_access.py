"""The public access block and the ownership controls of a bucket."""

from dataclasses import asdict
from xml.etree.ElementTree import Element

from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.errors import (
    MalformedXML,
    NoSuchPublicAccessBlockConfiguration,
    NotBuilt,
    OwnershipControlsNotFound,
)
from kms_server.s3.public_access import PublicAccessBlock
from kms_server.s3.wire import xml_reader, xml_writer
from kms_server.storage import buckets

_ELEMENTS = {
    "BlockPublicAcls": "block_public_acls", "IgnorePublicAcls": "ignore_public_acls",
    "BlockPublicPolicy": "block_public_policy", "RestrictPublicBuckets": "restrict_public_buckets",
}  # fmt: skip
_BOOLEANS = {None: False, "true": True, "false": False, "TRUE": True, "FALSE": False}
_ENFORCED = "BucketOwnerEnforced"
_WITH_LISTS = ("BucketOwnerPreferred", "ObjectWriter")


def get_block(call: S3Call) -> S3Answer:
    """The settings against public access (S3 GetPublicAccessBlock)."""
    if call.bucket.public_access is None:
        raise NoSuchPublicAccessBlockConfiguration(BucketName=call.bucket_name)
    settings = asdict(PublicAccessBlock.load(call.bucket.public_access))
    content = {element: settings[name] for element, name in _ELEMENTS.items()}
    return S3Answer(body=xml_writer.document("PublicAccessBlockConfiguration", content))


def put_block(call: S3Call) -> S3Answer:
    """Set all settings against public access; what is not sent is off (S3 PutPublicAccessBlock)."""
    document = call.document("PublicAccessBlockConfiguration")
    settings = {name: _boolean(document, element) for element, name in _ELEMENTS.items()}
    with call.configuring() as tx:
        buckets.change(tx, call.bucket, public_access=PublicAccessBlock(**settings).kept())
    return S3Answer()


def delete_block(call: S3Call) -> S3Answer:
    """Remove the settings against public access (S3 DeletePublicAccessBlock)."""
    with call.configuring() as tx:
        buckets.change(tx, call.bucket, public_access=None)
    return S3Answer(204)


def get_ownership(call: S3Call) -> S3Answer:
    """Who owns the objects of a bucket (S3 GetBucketOwnershipControls)."""
    if call.bucket.ownership is None:
        raise OwnershipControlsNotFound(BucketName=call.bucket_name)
    rule = {"ObjectOwnership": call.bucket.ownership}
    return S3Answer(body=xml_writer.document("OwnershipControls", {"Rule": rule}))


def put_ownership(call: S3Call) -> S3Answer:
    """Say that the bucket's owner owns its objects, which is always so (S3 PutBucketOwnershipControls)."""
    document = call.document("OwnershipControls")
    rules = document.findall("Rule")
    wanted = xml_reader.text_of(rules[0], "ObjectOwnership") if len(rules) == 1 else None
    if wanted in _WITH_LISTS:
        raise NotBuilt("Buckets with access control lists are not implemented")
    if wanted != _ENFORCED:
        raise MalformedXML
    with call.configuring() as tx:
        buckets.change(tx, call.bucket, ownership=wanted)
    return S3Answer()


def delete_ownership(call: S3Call) -> S3Answer:
    """Remove what was said about the ownership of objects (S3 DeleteBucketOwnershipControls)."""
    with call.configuring() as tx:
        buckets.change(tx, call.bucket, ownership=None)
    return S3Answer(204)


def _boolean(document: Element, name: str) -> bool:
    text = xml_reader.text_of(document, name)
    if text not in _BOOLEANS:
        raise MalformedXML
    return _BOOLEANS[text]


OPERATIONS = (
    S3Operation(
        "GetPublicAccessBlock", get_block, "GET", Level.BUCKET, "s3:GetBucketPublicAccessBlock",
        queries=("publicAccessBlock",),
    ),
    S3Operation(
        "PutPublicAccessBlock", put_block, "PUT", Level.BUCKET, "s3:PutBucketPublicAccessBlock",
        queries=("publicAccessBlock",), writes=True,
    ),
    S3Operation(
        "DeletePublicAccessBlock", delete_block, "DELETE", Level.BUCKET, "s3:PutBucketPublicAccessBlock",
        queries=("publicAccessBlock",), writes=True,
    ),
    S3Operation(
        "GetBucketOwnershipControls", get_ownership, "GET", Level.BUCKET, "s3:GetBucketOwnershipControls",
        queries=("ownershipControls",),
    ),
    S3Operation(
        "PutBucketOwnershipControls", put_ownership, "PUT", Level.BUCKET, "s3:PutBucketOwnershipControls",
        queries=("ownershipControls",), writes=True,
    ),
    S3Operation(
        "DeleteBucketOwnershipControls", delete_ownership, "DELETE", Level.BUCKET, "s3:PutBucketOwnershipControls",
        queries=("ownershipControls",), writes=True,
    ),
)  # fmt: skip
