"""What request headers, or the fields of a form, ask for; what the headers of an answer tell."""

import json
from base64 import b64encode
from collections.abc import Mapping

from kms_server.errors import SerializationException
from kms_server.protocol.json_reader import read_base64, read_object
from kms_server.s3.call import S3Call
from kms_server.s3.encryption.customer_headers import (
    ALGORITHM,
    CUSTOMER,
    SSE,
    customer_key,
    needs_customer,
    part_key,
    read,
    sends_customer_key,
    source_key,
)
from kms_server.s3.encryption.default import BucketDefault
from kms_server.s3.encryption.types import DSSE_KMS, SSE_C, SSE_KMS, SSE_S3, Chosen, CustomerKey, Envelope
from kms_server.s3.errors import AccessDenied, InvalidArgument

__all__ = [
    "answer", "chosen", "customer_key", "is_asked_for", "needs_customer", "part_key", "refuse", "source_key",
]  # fmt: skip

KEY_ID = f"{SSE}-aws-kms-key-id"
_CONTEXT = f"{SSE}-context"
_BUCKET_KEY = f"{SSE}-bucket-key-enabled"
_OF_KMS = frozenset({SSE_KMS, DSSE_KMS})
_KINDS = _OF_KMS | {SSE_S3}
_TRUTH = {"true": True, "false": False}


def chosen(call: S3Call, values: Mapping[str, str]) -> Chosen:
    """The encryption of a new object: what the request asks for, else what its bucket does.

    `values` are headers, or fields of a form, by lower-case name.

    Raises:
        InvalidArgument, InvalidRequest, InvalidEncryptionAlgorithm: the request cannot be as it is.
        AccessDenied: the bucket takes no SSE-C.
    """
    kind, default = values.get(SSE), BucketDefault.read(call.bucket.encryption)
    if sends_customer_key(values):
        return _by_customer(call, values, default)
    if kind is not None and kind not in _KINDS:
        raise _refused("The encryption method specified is not supported", SSE, kind)
    _check_belongs_to_kms(values, kind)
    return _by_default(values, default) if kind is None else _by_request(values, kind, default)


def is_asked_for(values: Mapping[str, str]) -> bool:
    """Whether a request chooses an encryption."""
    return SSE in values or sends_customer_key(values)


def refuse(values: Mapping[str, str]) -> None:
    """Refuse the headers that choose an encryption, for operations that make no object.

    Raises:
        InvalidArgument
    """
    for name in (SSE, KEY_ID, _CONTEXT, _BUCKET_KEY):
        if name in values:
            raise _refused(f"{name} header is not supported for this operation.", name, values[name])


def answer(envelope: Envelope, customer: CustomerKey | None, *, with_context: bool = False) -> dict[str, str]:
    """The headers that tell how an object is encrypted; the context only where an object is made, not where it is read."""
    if envelope.kind == SSE_C:
        return {f"{CUSTOMER}algorithm": ALGORITHM} | (
            {f"{CUSTOMER}key-MD5": customer.md5} if customer else {}
        )
    told = {SSE: envelope.kind}
    if envelope.key_arn is not None:
        told[KEY_ID] = envelope.key_arn
    if envelope.context and with_context:
        told[_CONTEXT] = b64encode(json.dumps(dict(envelope.context)).encode()).decode()
    if envelope.bucket_key:
        told[_BUCKET_KEY] = "true"
    return told


def _by_customer(call: S3Call, values: Mapping[str, str], default: BucketDefault) -> Chosen:
    if SSE in values:
        raise _refused(
            "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
            SSE, values[SSE],
        )  # fmt: skip
    customer = read(values, CUSTOMER, secure=call.is_secure)
    if call.services.encryption.blocks_sse_c(default):
        raise AccessDenied
    return Chosen(SSE_C, customer=customer)


def _by_default(values: Mapping[str, str], default: BucketDefault) -> Chosen:
    bucket_key = _bucket_key(values, default) and default.kind == SSE_KMS
    return Chosen(default.kind, default.key_id, bucket_key=bucket_key)


def _by_request(values: Mapping[str, str], kind: str, default: BucketDefault) -> Chosen:
    # DSSE-KMS has no bucket keys; asking for them is no error.
    bucket_key = _bucket_key(values, default) and kind == SSE_KMS
    return Chosen(kind, values.get(KEY_ID) or None, _context(values.get(_CONTEXT)), bucket_key)


def _check_belongs_to_kms(values: Mapping[str, str], kind: str | None) -> None:
    if kind in _OF_KMS:
        return
    for name in (KEY_ID, _CONTEXT):
        if name in values:
            raise _refused(
                "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
                SSE, kind or "null",
            )  # fmt: skip


def _bucket_key(values: Mapping[str, str], default: BucketDefault) -> bool:
    told = values.get(_BUCKET_KEY)
    if told is None:
        return default.bucket_key
    if told.lower() not in _TRUTH:
        raise _refused(f"The value of {_BUCKET_KEY} must be true or false.", _BUCKET_KEY, told)
    return _TRUTH[told.lower()]


def _context(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    try:
        pairs = read_object(read_base64(text))
    except SerializationException:
        pairs = {"": None}
    if not all(isinstance(value, str) for value in pairs.values()):
        raise _refused(
            f"The header '{_CONTEXT}' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map",
            _CONTEXT, text,
        )  # fmt: skip
    return pairs


def _refused(message: str, name: str, value: str) -> InvalidArgument:
    return InvalidArgument(message, ArgumentName=name, ArgumentValue=value)
