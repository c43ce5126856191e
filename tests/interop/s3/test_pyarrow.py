"""Apache Arrow's file system: AWS's SDK for C++."""

from tests.interop.s3.store_contract import Store, StoreContract
from tests.interop.toolchain import Program, python


class TestPyArrow(StoreContract):
    def open(self, environment: dict[str, str], bucket: str, *sse: str) -> Store:
        return Store(Program(python("arrow_store.py"), environment), bucket, sse)
