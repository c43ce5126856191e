"""What every client that moves objects has to get done; a test class per client brings its commands."""

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop.s3.conftest import create_bucket
from tests.interop.toolchain import Program

SEVERAL_PARTS = 20 << 20
NAMES = ["a b+c", "d/größe ☕", "100%/x=1&y=2", "d/e/f;g,h@:", "d/e/(i)'!~"]


@dataclass(frozen=True)
class Store:
    """A client, its bucket and its words for the encryption; here, a program with a verb for each method."""

    program: Program
    bucket: str
    sse: tuple[str, ...] = ()

    def put(self, source: Path, key: str) -> None:
        self.program.run("put", self.bucket, key, source, *self.sse)

    def get(self, key: str, target: Path, *, fails: bool = False) -> None:
        self.program.run("get", self.bucket, key, target, *self.sse, fails=fails)

    def names(self, prefix: str) -> list[str]:
        return list(self.program.answer("list", self.bucket, prefix))

    def copy(self, key: str, to: str) -> None:
        self.program.run("copy", self.bucket, key, to)

    def remove(self, key: str) -> None:
        self.program.run("remove", self.bucket, key)


class StoreContract:
    """Objects without a word of encryption, in a bucket whose default is SSE-KMS."""

    def open(self, environment: dict[str, str], bucket: str, *sse: str) -> Store:
        """The client with these words: none, `sse-kms` and an ARN, or `sse-c` and a key in base64."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, environment: dict[str, str], bucket: str) -> Store:
        return self.open(environment, bucket)

    @pytest.mark.parametrize("size", [0, 1_000, SEVERAL_PARTS])
    def test_a_file_there_and_back(
        self, store: Store, s3: Any, bucket: str, key: str, tmp_path: Path, size: int
    ) -> None:
        content = os.urandom(size)
        (tmp_path / "source").write_bytes(content)
        store.put(tmp_path / "source", "there/and.back")
        stored = s3.get_object(Bucket=bucket, Key="there/and.back")
        assert stored["Body"].read() == content
        assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", key)
        store.get("there/and.back", tmp_path / "target")
        assert (tmp_path / "target").read_bytes() == content

    def test_names_that_have_to_be_escaped(self, store: Store, s3: Any, bucket: str, tmp_path: Path) -> None:
        for name in NAMES:
            (tmp_path / "source").write_bytes(name.encode())
            store.put(tmp_path / "source", name)
        listed = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]]
        assert listed == sorted(NAMES)
        assert sorted(store.names("d/")) == sorted(name for name in NAMES if name.startswith("d/"))
        for name in NAMES:
            store.get(name, tmp_path / "target")
            assert (tmp_path / "target").read_bytes() == name.encode()

    def test_copies_and_removals(self, store: Store, s3: Any, bucket: str, key: str, tmp_path: Path) -> None:
        for name in ("dir/one", "dir/two"):
            s3.put_object(Bucket=bucket, Key=name, Body=name, ServerSideEncryption="AES256")
        store.copy("dir/one", "dir/three")
        copied = s3.get_object(Bucket=bucket, Key="dir/three")
        assert copied["Body"].read() == b"dir/one"
        assert copied["SSEKMSKeyId"] == key
        store.remove("dir/one")
        assert sorted(store.names("dir/")) == ["dir/three", "dir/two"]

    def test_what_a_disabled_key_sealed_it_does_not_get(
        self, store: Store, kms: Any, key: str, tmp_path: Path
    ) -> None:
        (tmp_path / "source").write_bytes(b"of yesterday")
        store.put(tmp_path / "source", "file")
        kms.disable_key(KeyId=key)
        store.get("file", tmp_path / "refused", fails=True)
        refused = tmp_path / "refused"
        assert not refused.exists() or b"yesterday" not in refused.read_bytes()
        kms.enable_key(KeyId=key)
        store.get("file", tmp_path / "target")
        assert (tmp_path / "target").read_bytes() == b"of yesterday"


class SseKmsContract(StoreContract):
    """The client names the KMS key itself."""

    @pytest.mark.parametrize("size", [1_000, SEVERAL_PARTS])
    def test_a_kms_key_of_its_choice(
        self, environment: dict[str, str], s3: Any, key: str, tmp_path: Path, size: int
    ) -> None:
        bucket = create_bucket(s3)
        store = self.open(environment, bucket, "sse-kms", key)
        content = os.urandom(size)
        (tmp_path / "source").write_bytes(content)
        store.put(tmp_path / "source", "file")
        head = s3.head_object(Bucket=bucket, Key="file")
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
        store.get("file", tmp_path / "target")
        assert (tmp_path / "target").read_bytes() == content


class SseCustomerKeyContract(StoreContract):
    """The client brings the key itself, over TLS."""

    @pytest.mark.parametrize("size", [1_000, SEVERAL_PARTS])
    def test_a_key_of_its_own(
        self, tls_environment: dict[str, str], tls_s3: Any, tls_bucket: str, tmp_path: Path, size: int
    ) -> None:
        mine, other = os.urandom(32), os.urandom(32)
        store = self.open(tls_environment, tls_bucket, "sse-c", base64.b64encode(mine).decode())
        content = os.urandom(size)
        (tmp_path / "source").write_bytes(content)
        store.put(tmp_path / "source", "file")
        named = {"Bucket": tls_bucket, "Key": "file", "SSECustomerAlgorithm": "AES256"}
        assert tls_s3.get_object(**named, SSECustomerKey=mine)["Body"].read() == content
        store.get("file", tmp_path / "target")
        assert (tmp_path / "target").read_bytes() == content
        wrong = self.open(tls_environment, tls_bucket, "sse-c", base64.b64encode(other).decode())
        wrong.get("file", tmp_path / "refused", fails=True)
