"""What a failure of the KMS is to a client of S3."""

import logging
from collections.abc import Mapping

from kms_server.s3.errors import (
    AccessDenied,
    InternalError,
    InvalidArgument,
    KmsDisabled,
    KmsInvalidCiphertext,
    KmsInvalidKeyUsage,
    KmsInvalidState,
    KmsKeyUnavailable,
    KmsNotFound,
    S3Error,
    ServiceUnavailable,
    SlowDown,
)

_LOG = logging.getLogger(__name__)
_TOO_FAST = "Please reduce your request rate for operations involving AWS KMS."
_ANEW = "Please try again."

# The KMS's own texts go on to the client.
_BECOMES: Mapping[str, type[S3Error]] = {
    "AccessDeniedException": AccessDenied,
    "DisabledException": KmsDisabled,
    "IncorrectKeyException": KmsInvalidCiphertext,
    "InvalidArnException": KmsNotFound,
    "InvalidCiphertextException": KmsInvalidCiphertext,
    "InvalidKeyUsageException": KmsInvalidKeyUsage,
    "KMSInvalidStateException": KmsInvalidState,
    "KeyUnavailableException": KmsKeyUnavailable,
    "NotFoundException": KmsNotFound,
    "ValidationException": InvalidArgument,
}
_THROTTLED = frozenset({"ThrottlingException", "LimitExceededException"})
_PASSING = frozenset({"DependencyTimeoutException", "ServiceUnavailableException"})


def s3_error(code: str, message: str) -> S3Error:
    """The S3 error that an error of the KMS becomes.

    What is left over is a failure between the two services, which is none of the client's business.
    """
    known = _BECOMES.get(code)
    if known is not None:
        return known(message or None)
    if code in _THROTTLED:
        return SlowDown(_TOO_FAST)
    if code in _PASSING:
        return unavailable()
    _LOG.error("the KMS answers the S3 layer with %s", code)
    return InternalError()


def unavailable() -> ServiceUnavailable:
    """The error for a KMS that cannot be asked just now."""
    return ServiceUnavailable(_ANEW)
