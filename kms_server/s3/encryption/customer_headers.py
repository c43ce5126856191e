"""The headers of SSE-C, or fields of a form of the same names (S3 "Using server-side encryption with customer-provided keys")."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping

from kms_server.errors import SerializationException
from kms_server.protocol.json_reader import read_base64
from kms_server.s3.call import S3Call
from kms_server.s3.encryption.sse_c import matches
from kms_server.s3.encryption.types import SSE_C, CustomerKey, Envelope
from kms_server.s3.errors import InvalidArgument, InvalidEncryptionAlgorithm, InvalidRequest

SSE = "x-amz-server-side-encryption"
CUSTOMER = f"{SSE}-customer-"
COPY_SOURCE = "x-amz-copy-source-server-side-encryption-customer-"
ALGORITHM = "AES256"
_KEY_BYTES = 32
_MEMBERS = ("algorithm", "key", "key-md5")
_KEYS = "Requests specifying Server Side Encryption with Customer provided keys must"


def customer_key(call: S3Call) -> CustomerKey | None:
    """The customer's key of a request, if it has one.

    Raises:
        InvalidRequest: the connection can be read by others.
        InvalidEncryptionAlgorithm, InvalidArgument: what was sent is incomplete or malformed.
    """
    return read(call.request.headers, CUSTOMER, secure=call.is_secure)


def source_key(call: S3Call) -> CustomerKey | None:
    """The same for the source of a copy."""
    return read(call.request.headers, COPY_SOURCE, secure=call.is_secure)


def part_key(call: S3Call, envelope: Envelope) -> CustomerKey | None:
    """The same for a part of a multipart upload, which needs the key that the upload began with.

    Raises:
        InvalidRequest: it is missing, or another one, or the upload has none.
    """
    customer = customer_key(call)
    if (customer is not None) is not needs_customer(envelope):
        raise InvalidRequest(
            "The multipart upload initiate requested encryption. "
            "Subsequent part requests must include the appropriate encryption parameters."
        )
    if customer is not None and not matches(envelope, customer):
        raise InvalidRequest("The provided encryption parameters did not match the ones used originally.")
    return customer


def needs_customer(envelope: Envelope) -> bool:
    """Whether only the customer's key opens an envelope."""
    return envelope.kind == SSE_C


def read(values: Mapping[str, str], prefix: str, *, secure: bool) -> CustomerKey | None:
    """The key in headers, or fields of a form, of which the names begin with `prefix`; errors are those of `customer_key`."""
    if not sends_customer_key(values, prefix):
        return None
    if not secure:
        raise InvalidRequest(f"{_KEYS} be made over a secure connection.")
    algorithm, key, md5 = (values.get(prefix + member) for member in _MEMBERS)
    if algorithm is None:
        raise _refused(f"{_KEYS} provide a valid encryption algorithm.")
    if algorithm != ALGORITHM:
        raise InvalidEncryptionAlgorithm(ArgumentName=f"{prefix}algorithm", ArgumentValue=algorithm)
    if key is None:
        raise _refused(f"{_KEYS} provide an appropriate secret key.")
    if md5 is None:
        raise _refused(f"{_KEYS} provide the client calculated MD5 of the secret key.")
    return CustomerKey(_checked(key, md5), md5)


def sends_customer_key(values: Mapping[str, str], prefix: str = CUSTOMER) -> bool:
    """Whether a request has any header of SSE-C."""
    return any(prefix + member in values for member in _MEMBERS)


def _checked(text: str, md5: str) -> bytes:
    try:
        key = read_base64(text)
    except SerializationException:
        key = b""
    if len(key) != _KEY_BYTES:
        raise _refused("The secret key was invalid for the specified algorithm.")
    calculated = b64encode(hashlib.md5(key, usedforsecurity=False).digest())
    if not hmac.compare_digest(calculated, md5.encode()):
        raise _refused("The calculated MD5 hash of the key did not match the hash that was provided.")
    return key


def _refused(message: str) -> InvalidArgument:
    return InvalidArgument(message, ArgumentName=SSE, ArgumentValue="null")
