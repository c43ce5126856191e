"""Condition keys of S3: of a request's headers and query, and of what it is about (AWS "Condition keys for Amazon S3").

A key exists for the actions that have it on AWS, and only when the request says it: defaults of a bucket do not count.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from kms_server.arn import alias_arn, key_arn
from kms_server.errors import ServiceError
from kms_server.keys.identifiers import parse_key_identifier
from kms_server.operations.condition_keys import tag
from kms_server.operations.context import CallContext
from kms_server.operations.named_keys import find_alias
from kms_server.protocol.signed import ALGORITHM as SIGV4
from kms_server.s3.call import S3Call

_SSE = "x-amz-server-side-encryption"
_KMS_KEY = f"{_SSE}-aws-kms-key-id"
_SIGV2 = "AWS"

_PUT = frozenset({"s3:PutObject"})
_ENCRYPT = _PUT | {"s3:UpdateObjectEncryption"}
_PUT_OR_DELETE = _PUT | {"s3:DeleteObject"}
_LIST = frozenset({"s3:ListBucket", "s3:ListBucketVersions"})
_ACL = _PUT | {"s3:CreateBucket", "s3:PutBucketAcl", "s3:PutObjectAcl", "s3:PutObjectVersionAcl"}
_PUT_TAGS = _PUT | {"s3:PutObjectTagging", "s3:PutObjectVersionTagging"}
_OF_VERSION = frozenset(
    {
        "s3:DeleteObjectVersion", "s3:DeleteObjectVersionTagging", "s3:GetObjectVersion", "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionAttributes", "s3:GetObjectVersionTagging", "s3:PutObjectVersionAcl",
        "s3:PutObjectVersionTagging",
    }
)  # fmt: skip
_OF_TAGGED = frozenset(
    {
        "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging", "s3:GetObject", "s3:GetObjectAcl",
        "s3:GetObjectAttributes", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionAttributes", "s3:GetObjectVersionTagging",
        "s3:PutObjectAcl", "s3:PutObjectTagging", "s3:PutObjectVersionAcl", "s3:PutObjectVersionTagging",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """What policies judge of a request beside what its head says.

    `headers` stand for the request's own: the fields of a form, by lower-case names. `encryption` has the headers
    x-amz-server-side-encryption* with which the upload began that the request goes on with, `tags` those of the
    existing object; both are asked for only where a policy does. `version` is the version id of a copy's source,
    `location` what CreateBucket names.
    """

    headers: Mapping[str, str] | None = None
    encryption: Callable[[], Mapping[str, str]] | None = None
    tags: Callable[[], Mapping[str, str]] | None = None
    version: str | None = None
    location: str | None = None


NOTHING_MORE = Given()


@dataclass(slots=True)
class S3Context:
    """What policies judge: an action of an S3 call on a resource of `account`, with its condition keys."""

    call: S3Call
    action: str
    account: str
    given: Given = NOTHING_MORE
    _others: CallContext = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._others = CallContext(self.call.call, action=self.action)

    def values(self, key: str) -> Sequence[str]:
        """The values of a condition key, by its name in lower case."""
        name, slash, wanted = key.partition("/")
        found = _KEYS.get(name + slash)
        if found is None:
            return self._others.values(key)
        actions, read = found
        return read(self, wanted) if actions is None or self.action in actions else ()

    def header(self, name: str) -> str | None:
        """A header, or the field of a form that stands for it."""
        return (self.call.request.headers if self.given.headers is None else self.given.headers).get(name)

    def encryption(self, name: str) -> str | None:
        """A header about encryption, of the upload where the request is part of one."""
        return self.header(name) if self.given.encryption is None else self.given.encryption().get(name)


# The values of a key, from the part of its name behind the slash.
_Read = Callable[[S3Context, str], Sequence[str]]


def _one(value: str | None) -> Sequence[str]:
    return () if value is None else (value,)


def _header(name: str) -> _Read:
    return lambda context, _: _one(context.header(name))


def _encryption(name: str) -> _Read:
    return lambda context, _: _one(context.encryption(name))


def _query(name: str) -> _Read:
    return lambda context, _: _one(context.call.query.get(name))


def _account(context: S3Context, _: str) -> Sequence[str]:
    return (context.account,)


def _version(context: S3Context, _: str) -> Sequence[str]:
    return _one(context.given.version or context.call.query.get("versionId"))


def _kms_key(context: S3Context, _: str) -> Sequence[str]:
    """The ARN of the key that is named; what names none stays as it was sent."""
    sent = context.encryption(_KMS_KEY)
    if sent is None:
        return ()
    call = context.call.call
    try:
        named = parse_key_identifier(sent, region=call.region, account=call.account, aliases_allowed=True)
    except ServiceError:
        return (sent,)
    if named.alias_name is None:
        return (key_arn(named.region, named.account, named.key_id or ""),)
    alias = find_alias(call, named.account, named.region, named.alias_name)
    if alias is None:
        return (alias_arn(named.region, named.account, named.alias_name),)
    return (key_arn(named.region, named.account, alias.key_id),)


def _copy_source(context: S3Context, _: str) -> Sequence[str]:
    """Bucket and key, without a version."""
    sent = context.header("x-amz-copy-source")
    return () if sent is None else (unquote(sent.partition("?versionId=")[0]).removeprefix("/"),)


def _tags_sent(context: S3Context) -> dict[str, str]:
    return dict(parse_qsl(context.header("x-amz-tagging") or "", keep_blank_values=True))


def _existing_tags(context: S3Context, wanted: str) -> Sequence[str]:
    return () if context.given.tags is None else tag(context.given.tags(), wanted)


def _tls_version(context: S3Context, _: str) -> Sequence[str]:
    tls = context.call.request.tls
    return () if tls is None else (tls.version.removeprefix("TLSv"),)


def _signature_version(context: S3Context, _: str) -> Sequence[str]:
    call = context.call
    return _one(call.auth_type and (SIGV4 if call.call.sigv4 else _SIGV2))


def _signature_age(context: S3Context, _: str) -> Sequence[str]:
    age = context.call.signature_age
    return () if age is None else (str(age),)


# By the name in lower case, up to a slash: the actions that have the key, None for all, and how it is read.
_KEYS: Mapping[str, tuple[frozenset[str] | None, _Read]] = {
    name.lower(): (actions, read)
    for name, actions, read in (
        (f"s3:{_SSE}", _ENCRYPT, _encryption(_SSE)),
        (f"s3:{_KMS_KEY}", _ENCRYPT, _kms_key),
        (f"s3:{_SSE}-customer-algorithm", _PUT, _encryption(f"{_SSE}-customer-algorithm")),
        ("s3:prefix", _LIST, _query("prefix")),
        ("s3:delimiter", _LIST, _query("delimiter")),
        ("s3:max-keys", _LIST, _query("max-keys")),
        ("s3:VersionId", _OF_VERSION, _version),
        ("s3:LocationConstraint", frozenset({"s3:CreateBucket"}), lambda context, _: _one(context.given.location)),
        ("s3:x-amz-acl", _ACL, _header("x-amz-acl")),
        ("s3:x-amz-copy-source", _PUT, _copy_source),
        ("s3:x-amz-metadata-directive", _PUT, _header("x-amz-metadata-directive")),
        ("s3:x-amz-storage-class", _PUT, _header("x-amz-storage-class")),
        ("s3:if-match", _PUT_OR_DELETE, _header("if-match")),
        ("s3:if-none-match", _PUT, _header("if-none-match")),
        ("s3:ExistingObjectTag/", _OF_TAGGED, _existing_tags),
        ("s3:RequestObjectTag/", _PUT_TAGS, lambda context, wanted: tag(_tags_sent(context), wanted)),
        ("s3:RequestObjectTagKeys", _PUT_TAGS, lambda context, _: tuple(_tags_sent(context))),
        ("s3:ResourceAccount", None, _account),
        ("aws:ResourceAccount", None, _account),
        ("s3:TlsVersion", None, _tls_version),
        ("s3:x-amz-content-sha256", None, lambda context, _: _one(context.call.header("x-amz-content-sha256"))),
        ("s3:authType", None, lambda context, _: _one(context.call.auth_type)),
        ("s3:signatureversion", None, _signature_version),
        ("s3:signatureAge", None, _signature_age),
    )
}  # fmt: skip
