"""The default encryption of buckets, and another KMS key for an object that is there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar
from xml.etree.ElementTree import Element

from kms_server.arn import PARTITION, Arn
from kms_server.s3 import versions
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.encryption import envelope as envelopes
from kms_server.s3.encryption.default import BucketDefault
from kms_server.s3.encryption.sse_kms import SOURCE_ARN
from kms_server.s3.encryption.types import DSSE_KMS, SSE_C, SSE_KMS, SSE_S3, Chosen, Envelope
from kms_server.s3.errors import (
    AccessDenied,
    ConditionalRequestConflict,
    InvalidArgument,
    InvalidRequest,
    MalformedXML,
)
from kms_server.s3.reading import target_of
from kms_server.s3.wire import xml_reader, xml_writer
from kms_server.s3.wire.xml_writer import Content
from kms_server.storage import buckets, objects
from kms_server.storage.objects import Version

Value = TypeVar("Value")
_RULE = "ApplyServerSideEncryptionByDefault"
_KINDS = {SSE_S3: SSE_S3, SSE_KMS: SSE_KMS, DSSE_KMS: DSSE_KMS}
_TRUTH = {"true": True, "false": False}
_NONE = "NONE"


def get_bucket_encryption(call: S3Call) -> S3Answer:
    """The setting of a bucket; every bucket has one (S3 GetBucketEncryption)."""
    default = BucketDefault.read(call.bucket.encryption)
    blocked = None
    if call.services.encryption.blocks_sse_c(default):
        blocked = {"EncryptionType": SSE_C}
    elif default.blocks_sse_c is not None:
        blocked = {"EncryptionType": _NONE}
    rule: Mapping[str, Content] = {
        _RULE: {"SSEAlgorithm": default.kind, "KMSMasterKeyID": default.key_id},
        "BucketKeyEnabled": default.bucket_key,
        "BlockedEncryptionTypes": blocked,
    }
    return S3Answer(body=xml_writer.document("ServerSideEncryptionConfiguration", {"Rule": rule}))


def put_bucket_encryption(call: S3Call) -> S3Answer:
    """Give a bucket a setting; the KMS key is not looked up (S3 PutBucketEncryption)."""
    rules = _document(call, "ServerSideEncryptionConfiguration").findall("Rule")
    if len(rules) != 1:
        raise MalformedXML
    wanted = _read_rule(rules[0])
    if wanted.blocks_sse_c is None:
        # What is not mentioned stays blocked, or allowed.
        wanted = replace(wanted, blocks_sse_c=BucketDefault.read(call.bucket.encryption).blocks_sse_c)
    _store(call, wanted.write())
    return S3Answer()


def delete_bucket_encryption(call: S3Call) -> S3Answer:
    """Take a bucket back to SSE-S3 (S3 DeleteBucketEncryption)."""
    _store(call, None)
    return S3Answer(204)


def update_object_encryption(call: S3Call) -> S3Answer:
    """Wrap an object's key under another KMS key; its data stays as it is (S3 UpdateObjectEncryption)."""
    chosen = _read_object_encryption(call)
    with call.services.shared.database.read() as connection:
        version = versions.find(call, connection, call.bucket, call.key, call.query.get("versionId"))
    envelope = envelopes.decode(version.envelope)
    if envelope.kind not in {SSE_S3, SSE_KMS}:
        raise InvalidRequest("The encryption type of the object cannot be changed.")
    # The ARN in the context is the object's or the bucket's, by the bucket key.
    context = {name: value for name, value in envelope.context.items() if name != SOURCE_ARN}
    target = target_of(call.bucket, version)
    fresh = call.services.encryption.rewrap(call.call, envelope, replace(chosen, context=context), target)
    _replace_envelope(call, version, fresh)
    return S3Answer()


def _replace_envelope(call: S3Call, version: Version, envelope: Envelope) -> None:
    """Keep another envelope with a version.

    Raises:
        NoSuchKey, NoSuchVersion, ConditionalRequestConflict: the version changed meanwhile.
    """
    with call.indexing() as connection:
        objects.lock(connection, call.bucket.bucket_id, call.key)
        found = versions.find(call, connection, call.bucket, call.key, version.version_id)
        if found.envelope != version.envelope:
            raise ConditionalRequestConflict
        objects.change(
            connection, found, kind=envelope.kind, key_arn=envelope.key_arn, material=envelope.material,
            envelope=envelopes.encode(envelope),
        )  # fmt: skip


def _store(call: S3Call, text: str | None) -> None:
    with call.configuring() as tx:
        buckets.change(tx, call.bucket, encryption=text)


def _document(call: S3Call, root: str) -> Element:
    if not call.payload.is_checked:
        raise InvalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    return call.document(root)


def _read_rule(rule: Element) -> BucketDefault:
    default, blocked = rule.find(_RULE), rule.find("BlockedEncryptionTypes")
    bucket_key = _one_of(_TRUTH, xml_reader.text_of(rule, "BucketKeyEnabled") or "false")
    if default is None:
        if blocked is None:
            raise MalformedXML
        return BucketDefault(bucket_key=bucket_key, blocks_sse_c=_blocks(blocked))
    kind = _one_of(_KINDS, xml_reader.text_of(default, "SSEAlgorithm"))
    key_id = xml_reader.text_of(default, "KMSMasterKeyID") or None
    if key_id is not None and kind == SSE_S3:
        raise InvalidArgument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            ArgumentName=_RULE,
        )
    return BucketDefault(kind, key_id, bucket_key, None if blocked is None else _blocks(blocked))


def _blocks(element: Element) -> bool:
    types = {(one.text or "").strip() for one in element.findall("EncryptionType")}
    return _one_of({frozenset({SSE_C}): True, frozenset({_NONE}): False}, frozenset(types))


def _one_of(known: Mapping[Any, Value], found: object) -> Value:
    if found not in known:
        raise MalformedXML
    return known[found]


def _read_object_encryption(call: S3Call) -> Chosen:
    document = _document(call, "ObjectEncryption")
    wanted = document.find("SSE-KMS")
    if wanted is None or len(document) != 1:
        raise InvalidRequest("The encryption type of an object can be changed to SSE-KMS only.")
    text = xml_reader.text_of(wanted, "KMSKeyArn") or ""
    arn = Arn.parse(text)
    if (
        arn is None
        or (arn.partition, arn.service) != (PARTITION, "kms")
        or not arn.resource.startswith("key/")
    ):
        raise InvalidRequest("The KMS key must be given as a full ARN.")
    if arn.account != call.bucket.account:
        raise AccessDenied
    bucket_key = _one_of(_TRUTH, xml_reader.text_of(wanted, "BucketKeyEnabled") or "false")
    return Chosen(SSE_KMS, text, bucket_key=bucket_key)


OPERATIONS: tuple[S3Operation, ...] = (
    S3Operation(
        "GetBucketEncryption", get_bucket_encryption, "GET", Level.BUCKET, "s3:GetEncryptionConfiguration",
        queries=("encryption",),
    ),
    S3Operation(
        "PutBucketEncryption", put_bucket_encryption, "PUT", Level.BUCKET, "s3:PutEncryptionConfiguration",
        queries=("encryption",), writes=True,
    ),
    S3Operation(
        "DeleteBucketEncryption", delete_bucket_encryption, "DELETE", Level.BUCKET, "s3:PutEncryptionConfiguration",
        queries=("encryption",), writes=True,
    ),
    S3Operation(
        "UpdateObjectEncryption", update_object_encryption, "PUT", Level.OBJECT, "s3:UpdateObjectEncryption",
        queries=("encryption",), is_data=True, writes=True,
    ),
)  # fmt: skip
