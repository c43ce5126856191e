"""The AWS command line: files in, files out, its own paging, its exit codes."""

import base64
import json
import sys
from pathlib import Path

import pytest

from tests.interop.toolchain import Program


@pytest.fixture
def aws(environment: dict[str, str], tmp_path: Path) -> Program:
    return Program([Path(sys.executable).parent / "aws"], environment, tmp_path)


def test_a_message_there_and_back(aws: Program, tmp_path: Path) -> None:
    created = aws.answer(
        "kms", "create-key", "--description", "of the shell", "--tags", "TagKey=a,TagValue=b"
    )
    key = created["KeyMetadata"]["KeyId"]
    aws.run("kms", "create-alias", "--alias-name", "alias/shell", "--target-key-id", key)
    (tmp_path / "message").write_bytes(b"\0hello")
    context = ("--encryption-context", "for=you,and=me")
    blob = aws.output(
        "kms", "encrypt", "--key-id", "alias/shell", "--plaintext", "fileb://message", *context,
        "--query", "CiphertextBlob", "--output", "text",
    )  # fmt: skip
    (tmp_path / "secret").write_bytes(base64.b64decode(blob))
    opened = aws.answer("kms", "decrypt", "--ciphertext-blob", "fileb://secret", *context)
    assert base64.b64decode(opened["Plaintext"]) == b"\0hello"
    assert opened["KeyId"] == created["KeyMetadata"]["Arn"]

    refused = aws.run("kms", "decrypt", "--ciphertext-blob", "fileb://secret", fails=True)
    assert b"(InvalidCiphertextException)" in refused.stderr


def test_a_data_key_and_its_other_copies(aws: Program, key: str, tmp_path: Path) -> None:
    made = aws.answer("kms", "generate-data-key", "--key-id", key, "--key-spec", "AES_256")
    assert len(base64.b64decode(made["Plaintext"])) == 32
    (tmp_path / "data-key").write_bytes(base64.b64decode(made["CiphertextBlob"]))
    other = aws.answer("kms", "create-key")["KeyMetadata"]["KeyId"]
    moved = aws.answer(
        "kms", "re-encrypt", "--ciphertext-blob", "fileb://data-key", "--destination-key-id", other
    )
    assert moved["SourceKeyId"] == key
    (tmp_path / "moved").write_bytes(base64.b64decode(moved["CiphertextBlob"]))
    opened = aws.answer("kms", "decrypt", "--ciphertext-blob", "fileb://moved", "--key-id", other)
    assert opened["Plaintext"] == made["Plaintext"]


def test_a_policy_from_a_file(aws: Program, key: str, tmp_path: Path) -> None:
    account = key.split(":")[4]
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*",
                 "Resource": "*", "Sid": "mine"}  # fmt: skip
    (tmp_path / "policy.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    aws.run("kms", "put-key-policy", "--key-id", key, "--policy", "file://policy.json")
    shown = aws.output("kms", "get-key-policy", "--key-id", key, "--query", "Policy", "--output", "text")
    assert json.loads(shown)["Statement"] == [statement]


def test_the_life_of_a_key(aws: Program) -> None:
    key = aws.answer("kms", "create-key")["KeyMetadata"]["KeyId"]
    aws.run("kms", "enable-key-rotation", "--key-id", key, "--rotation-period-in-days", "180")
    status = aws.answer("kms", "get-key-rotation-status", "--key-id", key)
    assert status["KeyRotationEnabled"]
    assert status["RotationPeriodInDays"] == 180
    aws.run("kms", "disable-key", "--key-id", key)
    refused = aws.run("kms", "encrypt", "--key-id", key, "--plaintext", "eA==", fails=True)
    assert b"(DisabledException)" in refused.stderr
    aws.run("kms", "schedule-key-deletion", "--key-id", key, "--pending-window-in-days", "7")
    state = aws.output(
        "kms", "describe-key", "--key-id", key, "--query", "KeyMetadata.KeyState", "--output", "text"
    )
    assert state.strip() == b"PendingDeletion"


def test_a_signature_and_a_message_code(aws: Program, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(b"to sign")
    signer = aws.answer("kms", "create-key", "--key-spec", "ECC_NIST_P256", "--key-usage", "SIGN_VERIFY")
    what = ("--message", "fileb://message", "--key-id", signer["KeyMetadata"]["KeyId"])
    signed = aws.answer("kms", "sign", *what, "--signing-algorithm", "ECDSA_SHA_256")
    (tmp_path / "signature").write_bytes(base64.b64decode(signed["Signature"]))
    checked = aws.answer(
        "kms", "verify", *what, "--signing-algorithm", "ECDSA_SHA_256", "--signature", "fileb://signature"
    )
    assert checked["SignatureValid"]

    coder = aws.answer("kms", "create-key", "--key-spec", "HMAC_512", "--key-usage", "GENERATE_VERIFY_MAC")
    what = ("--message", "fileb://message", "--key-id", coder["KeyMetadata"]["KeyId"])
    made = aws.answer("kms", "generate-mac", *what, "--mac-algorithm", "HMAC_SHA_512")
    (tmp_path / "mac").write_bytes(base64.b64decode(made["Mac"]))
    checked = aws.answer(
        "kms", "verify-mac", *what, "--mac-algorithm", "HMAC_SHA_512", "--mac", "fileb://mac"
    )
    assert checked["MacValid"]


def test_its_own_paging(aws: Program) -> None:
    keys = {aws.answer("kms", "create-key")["KeyMetadata"]["KeyId"] for _ in range(3)}
    listed = aws.answer("kms", "list-keys", "--page-size", "2", "--query", "Keys[].KeyId")
    assert keys <= set(listed)
    first = aws.answer("kms", "list-keys", "--max-items", "1")
    second = aws.answer("kms", "list-keys", "--max-items", "1", "--starting-token", first["NextToken"])
    assert [entry["KeyId"] for entry in first["Keys"] + second["Keys"]] == listed[:2]


def test_what_it_did_is_in_the_trail(aws: Program, key: str) -> None:
    aws.run("kms", "describe-key", "--key-id", key)
    looked_up = aws.answer(
        "cloudtrail", "lookup-events", "--lookup-attributes", f"AttributeKey=ResourceName,AttributeValue={key}",
        "--query", "Events[].EventName",
    )  # fmt: skip
    assert looked_up == ["DescribeKey", "CreateKey"]
