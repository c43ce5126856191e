"""Development mode: any credentials, for programs on purpose and for no web page."""

import http.client

import pytest
from botocore.exceptions import ClientError

from tests.functional.server_process import Access, ServerProcess, StartServer


def test_development_mode(start_server: StartServer) -> None:
    server = start_server("--dev")
    nobody = Access(server.url, "111122223333", "anything").client("kms")
    metadata = nobody.create_key()["KeyMetadata"]
    assert metadata["AWSAccountId"] == "111122223333"
    other = Access(server.url, "anyone", "anything").client("kms")
    with pytest.raises(ClientError) as denied:
        other.describe_key(KeyId=metadata["Arn"])
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"


def status(server: ServerProcess, host: str, **headers: str) -> int:
    """What a call by that host name is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=20)
    credential = "anyone/20260101/us-east-1/kms/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature={'0' * 64}"
    fixed = {
        "Host": host,
        "Authorization": authorization,
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "TrentService.ListKeys",
        "X-Amz-Date": "20260101T000000Z",
    }
    connection.request("POST", "/", b"{}", fixed | headers)
    code = connection.getresponse().status
    connection.close()
    return code


def test_a_local_server_answers_to_its_own_name_only(start_server: StartServer) -> None:
    server = start_server("--dev")
    assert status(server, "localhost:4599") == 200
    assert status(server, "attacker.test") == 400


def test_a_remote_server_answers_to_every_name_but_no_web_page(start_server: StartServer) -> None:
    server = start_server("--dev", "--dev-allow-remote", "--allow-plain-http", "--host", "0.0.0.0")
    for host in ("kms:4599", "192.0.2.7:4599", "[2001:db8::1]", "kms.internal"):
        assert status(server, host) == 200
        assert status(server, host, Origin="http://attacker.test") == 400
