"""PostObject: an upload by a form in a web page."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from kms_server.s3 import access_lists, metadata
from kms_server.s3.authorization import authorize
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.condition_keys import Given
from kms_server.s3.encryption import headers as sse
from kms_server.s3.errors import AccessDenied, EntityTooLarge, EntityTooSmall
from kms_server.s3.uploading import DEFAULT_CHECKSUM
from kms_server.s3.wire import xml_writer
from kms_server.s3.wire.header_text import as_header
from kms_server.s3.wire.payload import RequestPayload
from kms_server.s3.wire.post_form import PostForm
from kms_server.s3.wire.post_policy import read_policy
from kms_server.s3.writing import NewObject, put

_CONDITIONS = frozenset({"if-match", "if-none-match"})
# A form copies nothing, and conditions stand in its head.
_ONLY_HEADERS = _CONDITIONS | {"x-amz-copy-source", "x-amz-metadata-directive"}
# What a URL is made of (RFC 3986 section 2), escapes included.
_OF_URLS = "%/:?#[]@!$&'()*+,;=-._~"
_STATUSES = {"200": 200, "201": 201}


class _Limited(RequestPayload):
    """The file of a form, which its policy may want to have a certain length, in bytes."""

    least = 0
    most: int | None = None
    _read_so_far = 0

    def read(self, most: int) -> bytes:
        """As `RequestPayload.read`.

        Raises:
            EntityTooSmall, EntityTooLarge
        """
        piece = super().read(most)
        self._read_so_far += len(piece)
        size = self._read_so_far
        if self.most is not None and size > self.most:
            raise EntityTooLarge(ProposedSize=str(size), MaxSizeAllowed=str(self.most))
        if not piece and size < self.least:
            raise EntityTooSmall(ProposedSize=str(size), MinSizeAllowed=str(self.least))
        return piece


def post_object(call: S3Call) -> S3Answer:
    """Store the file of a form (S3 "POST Object")."""
    form = call.form
    assert form is not None  # noqa: S101 - requests for this operation are forms
    fields = form.fields
    source = _limited(call, form)
    access_lists.require_owner_alone(fields)
    authorize(
        call, "s3:PutObject", f"{call.bucket.arn}/{call.key}", given=Given(headers=_judged(call, fields))
    )
    encryption = sse.chosen(call, fields)
    new = NewObject.of(call, _as_headers(fields))
    written = put(call, new, encryption, source, source.declared() or DEFAULT_CHECKSUM)
    return _answer(call, form, written.headers(encryption.customer))


def _judged(call: S3Call, fields: Mapping[str, str]) -> Mapping[str, str]:
    """What policies see as the headers: the fields, but for what only real headers do."""
    told = {name: value for name, value in fields.items() if name not in _ONLY_HEADERS}
    return told | {name: value for name, value in call.request.headers.items() if name in _CONDITIONS}


def _as_headers(fields: Mapping[str, str]) -> Mapping[str, str]:
    """The fields, those that are kept as headers in the form of headers.

    Raises:
        InvalidArgument
    """
    return {
        name: as_header(name, value) if metadata.is_kept(name) else value for name, value in fields.items()
    }


def _limited(call: S3Call, form: PostForm) -> _Limited:
    """The file within the limits of the form's policy.

    Raises:
        AccessDenied: the fields are not what the policy says.
    """
    source = _Limited.of_form(form.fields, form.file)
    text = form.fields.get("policy")
    if text is None:
        if not call.is_anonymous:
            raise AccessDenied
        return source
    policy = read_policy(text)
    policy.check(form.fields | {"bucket": call.bucket_name}, call.call.time)
    if policy.length_range is not None:
        source.least, source.most = policy.length_range
    return source


def _answer(call: S3Call, form: PostForm, headers: dict[str, str]) -> S3Answer:
    fields = form.fields
    location = f"{'https' if call.is_secure else 'http'}://{call.header('host')}/{call.bucket_name}/{quote(call.key)}"
    headers["Location"] = location
    redirect = fields.get("success_action_redirect") or fields.get("redirect")
    if redirect and urlsplit(redirect).scheme in ("http", "https"):
        told = {"bucket": call.bucket_name, "key": call.key, "etag": headers["ETag"]}
        place = f"{quote(redirect, _OF_URLS)}{'&' if '?' in redirect else '?'}{urlencode(told)}"
        return S3Answer(303, headers | {"Location": place})
    status = _STATUSES.get(fields.get("success_action_status", ""), 204)
    if status != 201:
        return S3Answer(status, headers)
    body = {"Location": location, "Bucket": call.bucket_name, "Key": call.key, "ETag": headers["ETag"]}
    return S3Answer(201, headers, xml_writer.document("PostResponse", body, namespace=None))


OPERATIONS = (
    S3Operation(
        "PostObject", post_object, "POST", Level.BUCKET, "", encrypts=True, is_data=True,
        writes=True, by_form=True,
    ),
)  # fmt: skip
