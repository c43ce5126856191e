"""Why a call is allowed or denied, by the command line while the server runs."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.server_process import ServerProcess

ACCOUNT = "000000000000"
ENCRYPTER = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}


def user_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


def user(server: ServerProcess, name: str, *statements: dict[str, Any]) -> Any:
    return server.user_client("kms", name, {"Version": "2012-10-17", "Statement": list(statements)})


def explained(server: ServerProcess, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = server.cli("identity", "explain", "--json", *arguments, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def key(server: ServerProcess) -> dict[str, Any]:
    kms = server.client("kms")
    metadata: dict[str, Any] = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/explained", TargetKeyId=metadata["KeyId"])
    return metadata


def test_what_could_be_called(server: ServerProcess, key: dict[str, Any]) -> None:
    user(server, "mira", ENCRYPTER | {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}})
    asked = ["--principal", user_arn("mira"), "--key", "alias/explained"]
    code, found = explained(server, *asked, "--action", "kms:encrypt", "--context", "aws:SourceIp=10.1.2.3")
    assert (code, found["decision"]["allowed"], found["action"]) == (0, True, "kms:Encrypt")
    code, found = explained(server, *asked, "--action", "kms:Encrypt")
    (mismatch,) = found["policies"][1]["statements"][0]["mismatches"]
    words = "Condition IpAddress aws:SourceIp 10.0.0.0/8: the request has none"
    assert (code, mismatch["words"], found["resource"]) == (1, words, key["Arn"])


def test_the_text(server: ServerProcess, key: dict[str, Any]) -> None:
    user(server, "ines", ENCRYPTER)
    done = server.cli(
        "identity", "explain", "--principal", user_arn("ines"), "--action", "kms:Decrypt", "--key", key["Arn"],
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.startswith("DENIED: no identity policy allows it\n")
    assert "does not speak of kms:Decrypt: Action is kms:Encrypt" in done.stdout
    assert f"Name {user_arn('ines')} in an Allow of the key policy." in done.stdout


def test_a_denial_of_the_log(server: ServerProcess, key: dict[str, Any]) -> None:
    ruth = user(server, "ruth", ENCRYPTER | {"Condition": {"StringEquals": {"kms:KeySpec": "RSA_2048"}}})
    with pytest.raises(ClientError) as refusal:
        ruth.encrypt(KeyId="alias/explained", Plaintext=b"x", EncryptionContext={"tenant": "7"})
    request_id = refusal.value.response["ResponseMetadata"]["RequestId"]
    code, found = explained(server, "--request-id", request_id)
    assert code == 1
    assert (found["principal"], found["action"], found["resource"]) == (
        user_arn("ruth"), "kms:Encrypt", key["Arn"],
    )  # fmt: skip
    assert found["recorded"]["errorCode"] == "AccessDenied"
    text = server.cli("identity", "explain", "--request-id", request_id, check=False).stdout
    assert "AccessDenied" in text
    assert "of now" in text
    (one,) = server.audit_records("--request-id", request_id)
    assert one["requestID"] == request_id
