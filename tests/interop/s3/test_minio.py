"""MinIO's client for Python."""

from pathlib import Path
from typing import Any

from tests.functional.server_process import ServerProcess
from tests.interop.s3.store_contract import SseCustomerKeyContract, SseKmsContract, Store
from tests.interop.toolchain import Program, python


class TestMinio(SseKmsContract, SseCustomerKeyContract):
    def open(self, environment: dict[str, str], bucket: str, *sse: str) -> Store:
        return Store(Program(python("minio_store.py"), environment), bucket, sse)

    def test_its_encryption_context_is_in_the_trail(
        self, environment: dict[str, str], server: ServerProcess, bucket: str, key: str, tmp_path: Path
    ) -> None:
        (tmp_path / "source").write_bytes(b"of a department")
        self.open(environment, bucket, "sse-kms", key).put(tmp_path / "source", "file")
        used = [
            record
            for record in server.audit_records("--key", key)
            if record["eventName"] == "GenerateDataKey"
        ]
        context: Any = used[-1]["requestParameters"]["encryptionContext"]
        assert context == {"department": "größe", "aws:s3:arn": f"arn:aws:s3:::{bucket}/file"}
