"""S3's errors: one class per code. The status is part of an error's shape here, as in botocore's model of S3."""

from collections.abc import Mapping
from typing import ClassVar

from kms_server.errors import ServiceError


class S3Error(ServiceError):
    """An answer that an S3 client understands as a failure; `details` become elements of its XML."""

    status: ClassVar[int] = 400
    text: ClassVar[str] = ""

    def __init__(self, message: str | None = None, /, **details: str) -> None:
        super().__init__(self.text if message is None else message)
        self.details: Mapping[str, str] = details


class AccessDenied(S3Error):
    """No policy allows the call, or one denies it."""

    status = 403
    text = "Access Denied"


class InvalidArgument(S3Error):
    """A header or parameter has a value that cannot be."""

    text = "Invalid Argument"


class InvalidRequest(S3Error):
    """The request cannot be as it is."""

    text = "Invalid Request"


class InternalError(S3Error):
    """A failure of the service, or data on disk that is not what was written."""

    status = 500
    text = "We encountered an internal error. Please try again."


class NoSuchBucket(S3Error):
    """There is no such bucket."""

    status = 404
    text = "The specified bucket does not exist"


class NoSuchKey(S3Error):
    """There is no such object."""

    status = 404
    text = "The specified key does not exist."
