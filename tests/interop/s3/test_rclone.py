"""rclone, set up by its environment variables alone."""

from pathlib import Path
from typing import Any

import pytest

from tests.interop.s3.store_contract import SseCustomerKeyContract, SseKmsContract, Store
from tests.interop.toolchain import Program, python_client


class Rclone(Store):
    def put(self, source: Path, key: str) -> None:
        self.program.run("copyto", source, f"s3:{self.bucket}/{key}")

    def get(self, key: str, target: Path, *, fails: bool = False) -> None:
        self.program.run("copyto", f"s3:{self.bucket}/{key}", target, fails=fails)

    def names(self, prefix: str) -> list[str]:
        listed = self.program.output("lsf", "--recursive", "--files-only", f"s3:{self.bucket}/{prefix}")
        return [prefix + name for name in listed.decode().splitlines()]

    def copy(self, key: str, to: str) -> None:
        self.program.run("copyto", f"s3:{self.bucket}/{key}", f"s3:{self.bucket}/{to}")

    def remove(self, key: str) -> None:
        self.program.run("deletefile", f"s3:{self.bucket}/{key}")


def _words(kind: str = "", key: str = "") -> dict[str, str]:
    if kind == "sse-kms":
        return {"SERVER_SIDE_ENCRYPTION": "aws:kms", "SSE_KMS_KEY_ID": key}
    if kind == "sse-c":
        return {"SSE_CUSTOMER_ALGORITHM": "AES256", "SSE_CUSTOMER_KEY_BASE64": key}
    return {}


class TestRclone(SseKmsContract, SseCustomerKeyContract):
    def open(self, environment: dict[str, str], bucket: str, *sse: str) -> Store:
        remote = {
            "TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "true", "REGION": environment["AWS_REGION"],
            "ENDPOINT": environment["AWS_ENDPOINT_URL"], "UPLOAD_CUTOFF": "8Mi", **_words(*sse),
        }  # fmt: skip
        settings = {f"RCLONE_CONFIG_S3_{name}": value for name, value in remote.items()}
        settings |= {"RCLONE_CONFIG": "", "RCLONE_RETRIES": "1"}
        if "AWS_CA_BUNDLE" in environment:
            settings["RCLONE_CA_CERT"] = environment["AWS_CA_BUNDLE"]
        return Rclone(Program([python_client("rclone")], environment | settings), bucket, sse)

    @pytest.fixture
    def store(self, environment: dict[str, str], bucket: str, key: str) -> Store:
        # Its manual: unless it is told of the KMS it takes each ETag for an MD5, with AWS as well.
        return self.open(environment, bucket, "sse-kms", key)

    def test_a_directory_is_kept_in_step(self, store: Store, s3: Any, bucket: str, tmp_path: Path) -> None:
        directory, back = tmp_path / "of mine", tmp_path / "back"
        for number in range(5):
            (directory / f"{number % 2}").mkdir(parents=True, exist_ok=True)
            (directory / f"{number % 2}" / f"{number}").write_bytes(b"x" * number)
        store.program.run("sync", directory, f"s3:{bucket}/dir")
        (directory / "0" / "4").unlink()
        (directory / "0" / "2").write_bytes(b"changed")
        store.program.run("sync", directory, f"s3:{bucket}/dir")
        assert sorted(store.names("dir/")) == ["dir/0/0", "dir/0/2", "dir/1/1", "dir/1/3"]
        store.program.run("check", directory, f"s3:{bucket}/dir")
        store.program.run("sync", f"s3:{bucket}/dir", back)
        assert (back / "0" / "2").read_bytes() == b"changed"
        store.program.run("purge", f"s3:{bucket}/dir")
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
