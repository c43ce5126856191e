"""Errors in XML, as a client reads them."""

from xml.etree import ElementTree

import pytest

from kms_server import errors as e
from kms_server.errors import ServiceError
from kms_server.protocol import query_faults
from tests.query_wire import read

UNWRITABLE = "a\0b\x1fc\ufffed\ud800"


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (e.MissingAuthenticationTokenException(), "MissingAuthenticationToken", 403),
        (e.IncompleteSignatureException(), "IncompleteSignature", 400),
        (e.InvalidSignatureException(), "SignatureDoesNotMatch", 403),
        (e.UnrecognizedClientException(), "InvalidClientTokenId", 403),
        (e.ExpiredTokenException(), "ExpiredToken", 403),
        (e.AccessDeniedException(), "AccessDenied", 403),
        (e.UnknownOperationException(), "InvalidAction", 400),
        (e.ValidationException(), "ValidationError", 400),
        (e.SerializationException(), "MalformedInput", 400),
        (e.ThrottlingException(), "Throttling", 400),
        (e.KMSInternalException(), "InternalFailure", 500),
        (e.NoSuchEntityException(), "NoSuchEntity", 404),
        (e.EntityAlreadyExistsException(), "EntityAlreadyExists", 409),
        (e.LimitExceededException(), "LimitExceeded", 409),
        (e.MalformedPolicyDocumentException(), "MalformedPolicyDocument", 400),
        (e.PackedPolicyTooLargeException(), "PackedPolicyTooLarge", 400),
        (e.ExpiredIdentityToken(), "ExpiredTokenException", 400),
    ],
)
def test_codes_and_statuses(error: ServiceError, code: str, status: int) -> None:
    response = query_faults.fault(error, "sts", "r-1")
    assert response.status == status
    told = read("sts", "GetCallerIdentity", status, response.body)
    assert told["Error"]["Code"] == code
    assert told["Error"]["Type"] == ("Receiver" if status == 500 else "Sender")
    assert told["ResponseMetadata"]["RequestId"] == "r-1"


def test_no_text_breaks_the_document() -> None:
    text = f"<&>\"'\r\n\t]]>{UNWRITABLE}"
    for service in ("iam", None):
        body = query_faults.fault(e.ValidationException(text), service, "r").body
        message = next(one.text for one in ElementTree.fromstring(body).iter() if one.tag.endswith("Message"))
        assert message == "<&>\"'\r\n\t]]>a\ufffdb\ufffdc\ufffdd\ufffd"


def test_throttling_does_not_speak_of_another_service() -> None:
    assert b"<Message>Rate exceeded</Message>" in query_faults.fault(e.ThrottlingException(), "iam", "r").body
