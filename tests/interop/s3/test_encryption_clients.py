"""Clients that encrypt before they send: the S3 Encryption Client, and the AWS Encryption SDK with S3 as its shelf."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.functional.server_process import ServerProcess
from tests.interop.conftest import NewKey
from tests.interop.s3.conftest import files_with
from tests.interop.toolchain import Program, java, python

BOTH = ["of_python", "of_java"]
CONTEXT = {"department": "research & development"}
PLAINTEXT = b"the planted plaintext of a client\n" * 5_000


@pytest.fixture
def of_python(environment: dict[str, str]) -> Program:
    return Program(python("s3_encryption_client.py"), environment)


@pytest.fixture
def of_java(environment: dict[str, str]) -> Program:
    return Program(java("S3Encryption", "the S3 Encryption Client for Java"), environment)


@pytest.mark.parametrize("reader", BOTH)
@pytest.mark.parametrize("writer", BOTH)
def test_what_one_wrote_the_other_reads(
    writer: str, reader: str, bucket: str, new_key: NewKey, request: pytest.FixtureRequest
) -> None:
    key = new_key()
    request.getfixturevalue(writer).run("put", key, bucket, "file", given=PLAINTEXT)
    assert request.getfixturevalue(reader).output("get", key, bucket, "file") == PLAINTEXT


def test_its_calls_of_the_kms(
    of_python: Program, server: ServerProcess, bucket: str, new_key: NewKey
) -> None:
    key = new_key()
    of_python.run("put", key, bucket, "file", given=PLAINTEXT)
    of_python.run("get", key, bucket, "file")
    records = [found for found in server.audit_records("--key", key) if found["eventName"] != "CreateKey"]
    assert [found["eventName"] for found in records] == ["GenerateDataKey", "Decrypt"]
    for record in records:
        assert record["requestParameters"]["encryptionContext"] == CONTEXT | {"aws:x-amz-cek-alg": "115"}


def test_neither_layer_keeps_the_plaintext(
    of_python: Program, server: ServerProcess, s3: Any, bucket: str, new_key: NewKey
) -> None:
    key = new_key()
    of_python.run("put", key, bucket, "file", given=PLAINTEXT)
    sent = s3.get_object(Bucket=bucket, Key="file")["Body"].read()
    assert PLAINTEXT[:34] not in sent
    assert len(sent) == len(PLAINTEXT) + 16
    assert files_with(server.data_dir, [PLAINTEXT[:34], sent[:32], sent[-32:]]) == []


@pytest.mark.parametrize("reader", BOTH)
def test_it_refuses_what_was_changed_behind_its_back(
    reader: str, of_python: Program, s3: Any, bucket: str, new_key: NewKey, request: pytest.FixtureRequest
) -> None:
    key = new_key()
    for name in ("file", "other"):
        of_python.run("put", key, bucket, name, given=PLAINTEXT)
    kept, other = (s3.get_object(Bucket=bucket, Key=name) for name in ("file", "other"))
    sent, told = kept["Body"].read(), kept["Metadata"]
    changes = {
        "one bit": (bytes([sent[0] ^ 1]) + sent[1:], told),
        "truncated": (sent[:-1], told),
        "another's commitment": (sent, told | {"x-amz-d": other["Metadata"]["x-amz-d"]}),
        "another's key": (sent, told | {"x-amz-3": other["Metadata"]["x-amz-3"]}),
    }
    for change, (body, metadata) in changes.items():
        s3.put_object(Bucket=bucket, Key="file", Body=body, Metadata=metadata)
        refused = request.getfixturevalue(reader).run("get", key, bucket, "file", fails=True)
        assert refused.stdout == b"", change


def test_one_byte_changed_on_our_disk(
    of_python: Program, server: ServerProcess, bucket: str, new_key: NewKey
) -> None:
    def files() -> set[Path]:
        return {path for path in server.data_dir.rglob("*") if path.is_file()}

    key, before = new_key(), files()
    of_python.run("put", key, bucket, "file", given=PLAINTEXT)
    (blob,) = {path for path in files() - before if path.stat().st_size > len(PLAINTEXT)}
    stored = bytearray(blob.read_bytes())
    stored[len(stored) // 2] ^= 1
    blob.write_bytes(stored)
    refused = of_python.run("get", key, bucket, "file", fails=True)
    assert refused.stdout == b""


def test_an_upload_in_parts(of_python: Program, s3: Any, bucket: str, new_key: NewKey) -> None:
    content = os.urandom(20 << 20)
    key = new_key()
    of_python.run("upload", key, bucket, "large", given=content)
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
    assert of_python.output("get", key, bucket, "large") == content


def test_messages_of_the_encryption_sdk(
    environment: dict[str, str], server: ServerProcess, s3: Any, bucket: str, new_key: NewKey
) -> None:
    sdk = Program(python("encryption_sdk.py"), environment)
    options = json.dumps({"kind": "symmetric", "keys": [new_key()], "context": CONTEXT})
    message = sdk.output("encrypt", options, given=PLAINTEXT)
    s3.put_object(Bucket=bucket, Key="message", Body=message)
    stored = s3.get_object(Bucket=bucket, Key="message")["Body"].read()
    assert sdk.output("decrypt", options, given=stored) == PLAINTEXT
    assert files_with(server.data_dir, [PLAINTEXT[:34], message[:64]]) == []
