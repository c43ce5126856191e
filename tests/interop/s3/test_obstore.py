"""obstore: the object_store crate of Rust, which Polars, Delta Lake and Iceberg use as well."""

from typing import Any

from tests.interop.s3.store_contract import SseCustomerKeyContract, SseKmsContract, Store
from tests.interop.toolchain import Program, python


class TestObstore(SseKmsContract, SseCustomerKeyContract):
    def open(self, environment: dict[str, str], bucket: str, *sse: str) -> Store:
        return Store(Program(python("obstore_store.py"), environment), bucket, sse)

    def test_an_object_is_created_once_and_swapped(self, store: Store, s3: Any, bucket: str) -> None:
        assert store.program.answer("claim", bucket, "lock") == "refused"
        assert s3.get_object(Bucket=bucket, Key="lock")["Body"].read() == b"first"
        store.program.run("swap", bucket, "lock")
        assert s3.get_object(Bucket=bucket, Key="lock")["Body"].read() == b"second"
