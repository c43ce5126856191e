"""The AWS command line over objects and directories; its words for encryption are among the functional tests."""

import base64
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.interop.s3.store_contract import SEVERAL_PARTS, SseCustomerKeyContract, SseKmsContract, Store
from tests.interop.toolchain import Program


class AwsCli(Store):
    def _words(self) -> list[str]:
        if not self.sse:
            return []
        kind, key = self.sse
        if kind == "sse-kms":
            return ["--sse", "aws:kms", "--sse-kms-key-id", key]
        assert self.program.directory is not None
        (self.program.directory / "customer.key").write_bytes(base64.b64decode(key))
        return ["--sse-c", "AES256", "--sse-c-key", "fileb://customer.key"]

    def put(self, source: Path, key: str) -> None:
        self.program.run("s3", "cp", source, f"s3://{self.bucket}/{key}", *self._words())

    def get(self, key: str, target: Path, *, fails: bool = False) -> None:
        words = self._words() if "sse-c" in self.sse else []
        self.program.run("s3", "cp", f"s3://{self.bucket}/{key}", target, *words, fails=fails)

    def names(self, prefix: str) -> list[str]:
        listed = self.program.output("s3", "ls", "--recursive", f"s3://{self.bucket}/{prefix}")
        return [line.split(maxsplit=3)[3] for line in listed.decode().splitlines()]

    def copy(self, key: str, to: str) -> None:
        self.program.run("s3", "cp", f"s3://{self.bucket}/{key}", f"s3://{self.bucket}/{to}")

    def remove(self, key: str) -> None:
        self.program.run("s3", "rm", f"s3://{self.bucket}/{key}")


class TestAwsCli(SseKmsContract, SseCustomerKeyContract):
    @pytest.fixture(autouse=True)
    def directory(self, tmp_path: Path) -> None:
        self._directory = tmp_path

    def open(self, environment: dict[str, str], bucket: str, *sse: str) -> Store:
        command = [Path(sys.executable).parent / "aws"]
        return AwsCli(Program(command, environment, self._directory), bucket, sse)

    def test_directories(self, store: Store, tmp_path: Path) -> None:
        source, back, there = tmp_path / "source", tmp_path / "back", f"s3://{store.bucket}"
        for name in ("one", "deep/two", "deep/er/three"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text(name)
        store.program.run("s3", "sync", source, f"{there}/a")
        assert b"upload" not in store.program.output("s3", "sync", source, f"{there}/a")
        store.program.run("s3", "mv", "--recursive", f"{there}/a/deep", f"{there}/b")
        (source / "one").unlink()
        store.program.run("s3", "sync", "--delete", source, f"{there}/a", "--exclude", "deep/*")
        assert store.names("") == ["b/er/three", "b/two"]
        store.program.run("s3", "sync", f"{there}/b", back)
        assert (back / "er" / "three").read_text() == "deep/er/three"
        store.program.run("s3", "rm", "--recursive", there)
        assert store.program.output("s3", "ls", there) == b""
        store.program.run("s3", "rb", there)

    def test_a_copy_of_several_parts(
        self, store: Store, s3: Any, bucket: str, key: str, tmp_path: Path
    ) -> None:
        content = bytes(range(256)) * (SEVERAL_PARTS // 256)
        (tmp_path / "source").write_bytes(content)
        store.put(tmp_path / "source", "large")
        store.copy("large", "copy")
        copied = s3.get_object(Bucket=bucket, Key="copy")
        assert copied["ETag"].endswith('-3"')
        assert copied["Body"].read() == content
        assert copied["SSEKMSKeyId"] == key

    def test_through_pipes(self, store: Store) -> None:
        there = f"s3://{store.bucket}/piped"
        store.program.run("s3", "cp", "-", there, given=b"of a pipe")
        assert store.program.output("s3", "cp", there, "-") == b"of a pipe"

    def test_an_address_for_others(self, store: Store, s3: Any, bucket: str) -> None:
        s3.put_object(Bucket=bucket, Key="for others", Body=b"hello", ServerSideEncryption="AES256")
        address = store.program.output("s3", "presign", f"s3://{bucket}/for others", "--expires-in", "60")
        with urllib.request.urlopen(address.decode().strip()) as answer:
            assert answer.read() == b"hello"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address.decode().strip().replace("others", "nobody"))

    def test_an_address_of_what_a_kms_key_sealed(
        self, environment: dict[str, str], s3: Any, bucket: str, tmp_path: Path
    ) -> None:
        """It needs signature version 4, with AWS as well, which the command makes where its settings say so."""
        s3.put_object(Bucket=bucket, Key="sealed", Body=b"hello")
        (tmp_path / "config").write_text("[default]\ns3 =\n  signature_version = s3v4\n")
        modern = environment | {"AWS_CONFIG_FILE": str(tmp_path / "config")}
        addresses = [
            self.open(variables, bucket)
            .program.output("s3", "presign", f"s3://{bucket}/sealed")
            .decode()
            .strip()
            for variables in (environment, modern)
        ]
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(addresses[0])
        with urllib.request.urlopen(addresses[1]) as answer:
            assert answer.read() == b"hello"
