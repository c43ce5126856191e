"""boto3's transfers: several parts at a time, by several threads."""

import os
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig

from tests.functional.server_process import ServerProcess
from tests.interop.s3.store_contract import SEVERAL_PARTS

PARTS = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)


def client(server: ServerProcess) -> Any:
    """What boto3 makes of the variables of credentials.env."""
    access = server.access
    return boto3.client(
        "s3", endpoint_url=access.url, region_name="us-east-1", verify=access.verify,
        aws_access_key_id=access.access_key_id, aws_secret_access_key=access.secret,
    )  # fmt: skip


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").write_bytes(os.urandom(SEVERAL_PARTS))
    return tmp_path / "source"


@pytest.mark.parametrize("kind", ["AES256", "aws:kms", "aws:kms:dsse"])
def test_up_down_and_across(server: ServerProcess, bucket: str, key: str, source: Path, kind: str) -> None:
    boto = client(server)
    words = {"ServerSideEncryption": kind} | ({"SSEKMSKeyId": key} if kind != "AES256" else {})
    boto.upload_file(source, bucket, "file", ExtraArgs=words, Config=PARTS)
    head = boto.head_object(Bucket=bucket, Key="file")
    assert head["ETag"].endswith('-4"')
    assert head["ServerSideEncryption"] == kind
    boto.copy({"Bucket": bucket, "Key": "file"}, bucket, "copy", ExtraArgs=words, Config=PARTS)
    boto.download_file(bucket, "copy", source.with_name("target"), Config=PARTS)
    assert source.with_name("target").read_bytes() == source.read_bytes()


def test_a_key_of_its_own(tls_server: ServerProcess, tls_bucket: str, source: Path) -> None:
    boto = client(tls_server)
    words = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
    other = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
    of_source = {f"CopySource{name}": value for name, value in words.items()}
    boto.upload_file(source, tls_bucket, "file", ExtraArgs=words, Config=PARTS)
    boto.copy(
        {"Bucket": tls_bucket, "Key": "file"}, tls_bucket, "copy", ExtraArgs=other | of_source, Config=PARTS,
        SourceClient=boto,
    )  # fmt: skip
    boto.download_file(tls_bucket, "copy", source.with_name("target"), ExtraArgs=other, Config=PARTS)
    assert source.with_name("target").read_bytes() == source.read_bytes()
    with pytest.raises(boto.exceptions.ClientError, match="403"):
        boto.download_file(tls_bucket, "copy", source.with_name("refused"), ExtraArgs=words)


def test_resources(server: ServerProcess, bucket: str) -> None:
    access = server.access
    session = boto3.Session(access.access_key_id, access.secret, region_name="us-east-1")
    everything = session.resource("s3", endpoint_url=access.url).Bucket(bucket)
    for number in range(12):
        everything.put_object(Key=f"{number}", Body=b"x" * number)
    assert sum(found.size for found in everything.objects.page_size(5)) == sum(range(12))
    everything.objects.all().delete()
    assert not list(everything.objects.all())
