"""s3cmd."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.interop.s3.store_contract import SseKmsContract, Store
from tests.interop.toolchain import Program, python_client


class S3cmd(Store):
    def put(self, source: Path, key: str) -> None:
        words = (
            ("--server-side-encryption", f"--server-side-encryption-kms-id={self.sse[1]}") if self.sse else ()
        )
        self.program.run("put", *words, source, f"s3://{self.bucket}/{key}")

    def get(self, key: str, target: Path, *, fails: bool = False) -> None:
        self.program.run("get", "--force", f"s3://{self.bucket}/{key}", target, fails=fails)

    def names(self, prefix: str) -> list[str]:
        listed = self.program.output("ls", "--recursive", f"s3://{self.bucket}/{prefix}")
        here = f"s3://{self.bucket}/"
        return [line.partition(here)[2] for line in listed.decode().splitlines()]

    def copy(self, key: str, to: str) -> None:
        self.program.run("cp", f"s3://{self.bucket}/{key}", f"s3://{self.bucket}/{to}")

    def remove(self, key: str) -> None:
        self.program.run("del", f"s3://{self.bucket}/{key}")


class TestS3cmd(SseKmsContract):
    def open(self, environment: dict[str, str], bucket: str, *sse: str) -> Store:
        where = urlsplit(environment["AWS_ENDPOINT_URL"])
        command: list[str | Path] = [
            python_client("s3cmd"), f"--config={os.devnull}", f"--host={where.netloc}", f"--host-bucket={where.netloc}",
            "--no-ssl", "--no-progress", "--multipart-chunk-size-mb=5",
        ]  # fmt: skip
        return S3cmd(Program(command, environment), bucket, sse)

    def test_the_life_of_a_bucket(self, store: Store, s3: Any, bucket: str, tmp_path: Path) -> None:
        (tmp_path / "tree").mkdir()
        for name in ("one", "two"):
            (tmp_path / "tree" / name).write_text(name)
        made = f"s3://{bucket}-of-s3cmd"
        store.program.run("mb", made)
        store.program.run("sync", f"{tmp_path}/tree/", f"{made}/tree/")
        assert made.encode() in store.program.output("ls")
        assert b"Payer:     BucketOwner" in store.program.output("info", made)
        assert b"SSE:       AES256" in store.program.output("info", f"{made}/tree/one")
        store.program.run("mv", f"{made}/tree/one", f"{made}/three")
        store.program.run("del", "--recursive", "--force", made)
        store.program.run("rb", made)
        assert f"{bucket}-of-s3cmd" not in [found["Name"] for found in s3.list_buckets()["Buckets"]]
