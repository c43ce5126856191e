"""s3fs, through which pandas, Dask and others of fsspec reach S3."""

from typing import Any

from tests.interop.s3.store_contract import SseCustomerKeyContract, SseKmsContract, Store
from tests.interop.toolchain import Program, python


class TestS3fs(SseKmsContract, SseCustomerKeyContract):
    def open(self, environment: dict[str, str], bucket: str, *sse: str) -> Store:
        return Store(Program(python("s3fs_store.py"), environment), bucket, sse)

    def test_a_file_object_over_the_border_of_blocks(self, store: Store, s3: Any, bucket: str) -> None:
        read = store.program.output("stream", bucket, "streamed")
        assert read == bytes(range(246, 256)) + bytes(range(10))
        assert s3.head_object(Bucket=bucket, Key="streamed")["ContentLength"] == 12 << 20
