"""What errors of the KMS become."""

import pytest

from kms_server import errors
from kms_server.errors import ServiceError
from kms_server.operations.registry import find
from kms_server.s3 import errors as e
from kms_server.s3.kms.faults import s3_error

ROWS: list[tuple[str, str, type[e.S3Error], str]] = [
    ("DisabledException", "k is disabled.", e.KmsDisabled, "k is disabled."),
    ("NotFoundException", "Invalid keyId 'x'", e.KmsNotFound, "Invalid keyId 'x'"),
    ("KMSInvalidStateException", "k is pending deletion.", e.KmsInvalidState, "k is pending deletion."),
    ("AccessDeniedException", "User: a is not", e.AccessDenied, "User: a is not"),
    ("AccessDeniedException", "", e.AccessDenied, "Access Denied"),
    ("InvalidCiphertextException", "", e.KmsInvalidCiphertext, ""),
    ("KeyUnavailableException", "k is unavailable.", e.KmsKeyUnavailable, "k is unavailable."),
    ("ValidationException", "too large", e.InvalidArgument, "too large"),
    ("KMSInternalException", "secret detail", e.InternalError, e.InternalError.text),
    ("UnrecognizedClientException", "token", e.InternalError, e.InternalError.text),
    ("SomethingNew", "text", e.InternalError, e.InternalError.text),
    ("DependencyTimeoutException", "", e.ServiceUnavailable, "Please try again."),
]


@pytest.mark.parametrize(("code", "text", "kind", "told"), ROWS, ids=range(len(ROWS)))
def test_errors(code: str, text: str, kind: type[e.S3Error], told: str) -> None:
    made = s3_error(code, text)
    assert (type(made), made.message) == (kind, told)


@pytest.mark.parametrize("code", ["ThrottlingException", "LimitExceededException"])
def test_throttling(code: str) -> None:
    made = s3_error(code, "whatever")
    assert isinstance(made, e.SlowDown)
    assert made.message == "Please reduce your request rate for operations involving AWS KMS."


@pytest.mark.parametrize("operation", ["GenerateDataKey", "Decrypt"])
def test_every_declared_error_is_a_clients_error_or_passes(operation: str) -> None:
    left_over: set[type[ServiceError]] = {
        kind for kind in find("kms", operation).errors if isinstance(s3_error(kind.code, ""), e.InternalError)
    }
    # The layer sends no grant tokens and asks for no dry runs.
    assert left_over <= {
        errors.KMSInternalException,
        errors.InvalidGrantTokenException,
        errors.DryRunOperationException,
    }
