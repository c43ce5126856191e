"""What a request says of its body: lengths, digests, the way it is encoded."""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import NamedTuple

from kms_server.s3.errors import InvalidArgument, InvalidDigest, InvalidRequest, MissingContentLength
from kms_server.s3.wire.aws_chunked import MODES, Mode
from kms_server.s3.wire.checksums import BY_HEADER, CHECKSUMS, Checksum
from kms_server.s3.wire.verification import HASH_HEADER, UNSIGNED_PAYLOAD, check_payload_hash

DECODED_LENGTH = "x-amz-decoded-content-length"
_SDK_ALGORITHM = "x-amz-sdk-checksum-algorithm"
_UNSIGNED_TRAILER = MODES["STREAMING-UNSIGNED-PAYLOAD-TRAILER"]
_LENGTH = re.compile("[0-9]{1,19}")


class Digests(NamedTuple):
    """The digests that a body must have; None where the request names none.

    `trailers` are the names of those announced. A checksum that comes in one of them has no `value` yet.
    """

    sha256: str | None
    md5: bytes | None
    checksum: Checksum | None
    value: str | None
    trailers: tuple[str, ...]


def mode_of(headers: Mapping[str, str]) -> Mode | None:
    """How a body is chunked; None of one that is sent as it is."""
    told = headers.get(HASH_HEADER, UNSIGNED_PAYLOAD)
    if told != UNSIGNED_PAYLOAD:
        return MODES.get(told)
    # Clients that do not sign send no hash; their trailers need the coding all the same.
    coding = headers.get("content-encoding", "").lower()
    codings = [one.strip() for one in coding.split(",")]
    return _UNSIGNED_TRAILER if "aws-chunked" in codings and DECODED_LENGTH in headers else None


def length_of(headers: Mapping[str, str], mode: Mode | None) -> int | None:
    """The length of the decoded body in bytes, where the request tells it.

    Raises:
        MissingContentLength: a chunked body must tell it.
        InvalidArgument: it is no length.
    """
    name = "content-length" if mode is None else DECODED_LENGTH
    told = headers.get(name)
    if told is None:
        if mode is not None:
            raise MissingContentLength
        return None
    if not _LENGTH.fullmatch(told):
        raise InvalidArgument(ArgumentName=name, ArgumentValue=told)
    return int(told)


def digests_of(headers: Mapping[str, str], *, checksums: bool) -> Digests:
    """The digests that a request declares; without `checksums` those headers are not about the body.

    Raises:
        InvalidArgument, InvalidDigest, InvalidRequest
    """
    told = headers.get(HASH_HEADER, UNSIGNED_PAYLOAD)
    check_payload_hash(told)
    sha256 = None if told == UNSIGNED_PAYLOAD or told in MODES else told
    trailers = tuple(one.strip().lower() for one in headers.get("x-amz-trailer", "").split(","))
    checksum = _checksum(headers, trailers) if checksums else None
    value = headers.get(checksum.header) if checksum else None
    if checksum and value is not None:
        decoded(checksum, value)
    return Digests(sha256, _md5(headers.get("content-md5")), checksum, value, trailers)


def decoded(checksum: Checksum, value: str) -> bytes:
    """The digest of a value of a checksum header.

    Raises:
        InvalidRequest
    """
    found = _base64(value)
    if found is None or len(found) != checksum.size:
        raise InvalidRequest(f"Value for {checksum.header} header is invalid.")
    return found


def _checksum(headers: Mapping[str, str], trailers: tuple[str, ...]) -> Checksum | None:
    names = [name for name in (*headers, *trailers) if name in BY_HEADER]
    if len(names) > 1:
        raise InvalidRequest(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    found = BY_HEADER[names[0]] if names else None
    _check_sdk_algorithm(headers.get(_SDK_ALGORITHM), found)
    return found


def _check_sdk_algorithm(told: str | None, found: Checksum | None) -> None:
    if told is None:
        return
    if found is None and told.upper() in CHECKSUMS:
        raise InvalidRequest(
            f"{_SDK_ALGORITHM} specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
        )
    if found is None or told.upper() != found.name:
        raise InvalidRequest(f"Value for {_SDK_ALGORITHM} header is invalid.")


def _md5(told: str | None) -> bytes | None:
    if told is None:
        return None
    found = _base64(told)
    if found is None or len(found) != CHECKSUMS["MD5"].size:
        raise InvalidDigest("The Content-MD5 you specified was invalid.", **{"Content-MD5": told})
    return found


def _base64(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
