"""A Parquet pipeline of PyArrow, Polars and DuckDB in a bucket whose default is SSE-KMS."""

from typing import Any

import pytest

from tests.functional.server_process import ServerProcess
from tests.interop.conftest import NewKey
from tests.interop.s3.conftest import files_with
from tests.interop.toolchain import Program, python

SUMS = [["Bern", 14_999_850_000], ["Oslo", 14_999_950_000], ["Zürich", 15_000_050_000]]
READERS = ["pyarrow", "polars", "duckdb"]


@pytest.fixture
def pipeline(environment: dict[str, str]) -> Program:
    # Rust's client of S3 speaks plain HTTP only when it is told to.
    return Program(python("parquet_pipeline.py"), {**environment, "AWS_ALLOW_HTTP": "true"})


@pytest.mark.parametrize("writer", ["pyarrow", "polars"])
def test_what_one_wrote_all_can_ask(
    pipeline: Program, server: ServerProcess, s3: Any, kms: Any, bucket: str, key: str, writer: str
) -> None:
    pipeline.run(f"write-{writer}", bucket)
    for reader in READERS:
        assert pipeline.answer(reader, bucket) == SUMS
    stored = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket, Prefix="sales/")["Contents"]]
    assert len(stored) >= 6
    files = [name for name in stored if name.endswith(".parquet")]
    assert {s3.head_object(Bucket=bucket, Key=name)["SSEKMSKeyId"] for name in files} == {key}
    assert files_with(server.data_dir, [b"planted-secret"]) == []
    kms.disable_key(KeyId=key)
    for reader in READERS:
        pipeline.run(reader, bucket, fails=True)


def test_what_duckdb_wrote(pipeline: Program, s3: Any, bucket: str, new_key: NewKey) -> None:
    key = new_key()
    pipeline.run("write-pyarrow", bucket)
    pipeline.run("write-duckdb", bucket, key)
    stored = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket, Prefix="copy/")["Contents"]]
    assert {name.split("/")[1] for name in stored} == {"city=Bern", "city=Oslo", "city=Z%C3%BCrich"}
    assert {s3.head_object(Bucket=bucket, Key=name)["SSEKMSKeyId"] for name in stored} == {key}
