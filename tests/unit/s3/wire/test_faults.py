"""Errors as S3 clients read them."""

from xml.etree import ElementTree

import pytest
from botocore.parsers import RestXMLParser
from botocore.session import get_session

from kms_server import errors
from kms_server.errors import ServiceError
from kms_server.s3 import errors as e
from kms_server.s3.wire.faults import fault


def test_botocore_reads_them() -> None:
    response = fault(e.NoSuchKey(Key="a<b"), "ABC", resource="/b/k", head=False)
    model = get_session().get_service_model("s3").operation_model("GetObject")
    told = {"body": response.body, "headers": dict(response.headers), "status_code": response.status}
    found = RestXMLParser().parse(told, model.output_shape)
    assert response.status == 404
    assert found["Error"] == {
        "Code": "NoSuchKey", "Message": "The specified key does not exist.", "Key": "a<b", "Resource": "/b/k"
    }  # fmt: skip
    assert found["ResponseMetadata"]["RequestId"] == "ABC"


@pytest.mark.parametrize(("error", "head"), [(e.NoSuchKey(), True), (e.NotModified(), False)])
def test_some_have_no_body(error: ServiceError, *, head: bool) -> None:
    response = fault(error, "ABC", head=head)
    assert response.body == b""
    assert {name for name, _ in response.headers} == {"x-amz-request-id", "x-amz-id-2"}


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (errors.UnrecognizedClientException(), 403, "InvalidAccessKeyId", e.InvalidAccessKeyId.text),
        (errors.ExpiredTokenException(), 400, "ExpiredToken", e.ExpiredToken.text),
        (errors.InvalidSignatureException("x"), 403, "SignatureDoesNotMatch", e.SignatureDoesNotMatch.text),
        (errors.AccessDeniedException("User: a is not"), 403, "AccessDenied", "User: a is not"),
        (errors.AccessDeniedException(), 403, "AccessDenied", "Access Denied"),
        (errors.ThrottlingException(), 503, "SlowDown", e.SlowDown.text),
        (errors.KMSInternalException(), 500, "InternalError", e.InternalError.text),
        (errors.ValidationException("secret"), 500, "InternalError", e.InternalError.text),
        (e.PreconditionFailed(Condition="If-Match"), 412, "PreconditionFailed", e.PreconditionFailed.text),
    ],
)
def test_codes(error: ServiceError, status: int, code: str, message: str) -> None:
    response = fault(error, "ABC", head=False)
    root = ElementTree.fromstring(response.body)
    assert (root.tag, response.status) == ("Error", status)
    assert (root.findtext("Code"), root.findtext("Message")) == (code, message)
    assert root.findtext("HostId")
