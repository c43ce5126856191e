"""ListBuckets, CreateBucket, HeadBucket, DeleteBucket."""

import os
import re
from ipaddress import ip_address
from xml.etree.ElementTree import Element

from kms_server.arn import is_region
from kms_server.clock import iso_millis
from kms_server.config import DEFAULT_REGION
from kms_server.s3 import access_lists
from kms_server.s3.authorization import authorize
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.condition_keys import Given
from kms_server.s3.errors import (
    BucketAlreadyExists,
    BucketAlreadyOwnedByYou,
    BucketNotEmpty,
    IllegalLocationConstraint,
    InvalidArgument,
    InvalidBucketName,
    InvalidLocationConstraint,
    NotBuilt,
    TooManyBuckets,
)
from kms_server.s3.public_access import BLOCKED
from kms_server.s3.wire import xml_reader, xml_writer
from kms_server.storage import buckets
from kms_server.storage.buckets import Bucket

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_MOST_LISTED = 10_000
_MOST_BODY = 65_536


def list_buckets(call: S3Call) -> S3Answer:
    """The buckets of the caller's account (S3 ListBuckets)."""
    query, account = call.query, call.call.account
    limit = _most_buckets(query.get("max-buckets"))
    prefix = query.get("prefix", "")
    with call.services.shared.database.read() as connection:
        found = buckets.of_account(
            connection, account, prefix, query.get("continuation-token", ""), limit + 1
        )
    region = query.get("bucket-region")
    page = [one for one in found[:limit] if region is None or one.region == region]
    more = len(found) > limit
    listed = [
        {"Name": one.name, "CreationDate": iso_millis(one.created_at), "BucketRegion": one.region}
        for one in page
    ]
    return S3Answer(
        body=xml_writer.document("ListAllMyBucketsResult", {
            "Owner": {"ID": owner_id(account), "DisplayName": account},
            "Buckets": {"Bucket": listed},
            "ContinuationToken": found[limit - 1].name if more else None,
            "Prefix": query.get("prefix"),
        })
    )  # fmt: skip


def create_bucket(call: S3Call) -> S3Answer:
    """A new bucket in the Region that the request was signed for, or that it names (S3 CreateBucket)."""
    name = call.bucket_name
    _check_name(name)
    if (call.header("x-amz-bucket-object-lock-enabled") or "").lower() == "true":
        raise NotBuilt
    region = _region(call)
    authorize(call, "s3:CreateBucket", f"arn:aws:s3:::{name}", given=Given(location=region))
    access_lists.require_owner_alone(call.request.headers)
    account, services = call.call.account, call.services.shared
    # As AWS makes buckets since April 2023.
    bucket = Bucket(
        name, os.urandom(16).hex(), account, region, call.call.time, public_access=BLOCKED.kept(),
        ownership="BucketOwnerEnforced",
    )  # fmt: skip
    with call.configuring() as tx:
        if buckets.count(tx.connection, account) >= services.limits.buckets_per_account:
            raise TooManyBuckets
        existing = buckets.get(tx.connection, name)
        if existing is None:
            buckets.add(tx, bucket)
        elif existing.account != account:
            raise BucketAlreadyExists(BucketName=name)
        elif existing.region != DEFAULT_REGION or region != DEFAULT_REGION:
            raise BucketAlreadyOwnedByYou(BucketName=name)
    # In us-east-1 one's own bucket may be created again (S3 CreateBucket, "BucketAlreadyOwnedByYou").
    return S3Answer(headers={"Location": f"/{name}", "x-amz-bucket-arn": bucket.arn})


def head_bucket(call: S3Call) -> S3Answer:
    """Whether there is such a bucket, and where (S3 HeadBucket)."""
    return S3Answer(headers={
        "x-amz-bucket-region": call.bucket.region, "x-amz-access-point-alias": "false",
        "x-amz-bucket-arn": call.bucket.arn, "Content-Type": xml_writer.CONTENT_TYPE,
    })  # fmt: skip


def delete_bucket(call: S3Call) -> S3Answer:
    """Remove an empty bucket (S3 DeleteBucket)."""
    with call.configuring() as tx:
        if not buckets.remove(tx, call.bucket):
            raise BucketNotEmpty(BucketName=call.bucket_name)
    return S3Answer(204)


def owner_id(account: str) -> str:
    """The canonical user id of an account: the account id itself, at S3's length."""
    return account.rjust(64, "0")


def _most_buckets(text: str | None) -> int:
    if text is None:
        return _MOST_LISTED
    if not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= _MOST_LISTED:
        raise InvalidArgument(
            f"Argument max-buckets must be an integer between 1 and {_MOST_LISTED}", ArgumentName="max-buckets",
            ArgumentValue=text,
        )  # fmt: skip
    return int(text)


def _check_name(name: str) -> None:
    """S3 "Bucket naming rules"."""
    bad = _NAME.fullmatch(name) is None or ".." in name
    bad = bad or name.startswith(_RESERVED_PREFIXES) or name.endswith(_RESERVED_SUFFIXES)
    if bad or _is_address(name):
        raise InvalidBucketName(BucketName=name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _region(call: S3Call) -> str:
    signed_for = call.call.region
    body = call.payload.whole(_MOST_BODY)
    document = xml_reader.parse(body, "CreateBucketConfiguration") if body else None
    if document is not None:
        call.logs(CreateBucketConfiguration=xml_reader.content(document))
    wanted = None if document is None else _constraint(document)
    if wanted is None:
        if signed_for != DEFAULT_REGION:
            raise IllegalLocationConstraint
        return DEFAULT_REGION
    if not is_region(wanted) or wanted == DEFAULT_REGION:
        raise InvalidLocationConstraint(LocationConstraint=wanted)
    if signed_for not in {wanted, DEFAULT_REGION}:
        raise IllegalLocationConstraint(
            f"The {wanted} location constraint is incompatible for the region specific endpoint this request was sent to."
        )
    return wanted


def _constraint(document: Element) -> str | None:
    found = xml_reader.text_of(document, "LocationConstraint")
    return "eu-west-1" if found == "EU" else found or None


OPERATIONS = (
    S3Operation("ListBuckets", list_buckets, "GET", Level.SERVICE, "s3:ListAllMyBuckets", needs_bucket=False),
    S3Operation("CreateBucket", create_bucket, "PUT", Level.BUCKET, "", needs_bucket=False, writes=True),
    S3Operation("HeadBucket", head_bucket, "HEAD", Level.BUCKET, "s3:ListBucket"),
    S3Operation("DeleteBucket", delete_bucket, "DELETE", Level.BUCKET, "s3:DeleteBucket", writes=True),
)
