"""What policies can ask about a request's signature (AWS "Bucket policy examples using condition keys").

A signature was checked before; here is only told of which kind it is.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from kms_server.clock import real_now
from kms_server.s3.call import S3Call

_SIGV4, _SIGV2 = "AWS4-HMAC-SHA256", "AWS"
_FORM = "POST"


def kind(call: S3Call) -> str | None:
    """Where the signature is: in a header, in the query or in a form; None: there is none."""
    if call.call.principal.is_anonymous:
        return None
    if call.header("authorization") is not None:
        return "REST-HEADER"
    return "REST-QUERY-STRING" if "X-Amz-Signature" in call.query else _FORM


def version(call: S3Call, fields: Mapping[str, str]) -> str | None:
    """The signature's version, which a form has among its fields; None: there is none."""
    signed = kind(call)
    return fields.get("x-amz-algorithm", _SIGV2) if signed == _FORM else signed and _SIGV4


def age(call: S3Call) -> str | None:
    """How long ago the URL of a presigned request was signed, in milliseconds; None: it is no such request."""
    if kind(call) != "REST-QUERY-STRING":
        return None
    with suppress(ValueError):
        signed = datetime.strptime(call.query.get("X-Amz-Date", ""), "%Y%m%dT%H%M%S%z")
        return str(int((real_now() - signed.timestamp()) * 1000))
    return None
