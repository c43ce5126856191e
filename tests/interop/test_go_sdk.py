"""The AWS SDK for Go v2, and the ML-KEM of its standard library."""

import pytest

from tests.interop.conftest import NewKey
from tests.interop.sdk_contract import SdkContract
from tests.interop.toolchain import Program, golang


class TestGo(SdkContract):
    @pytest.fixture
    def sdk(self, environment: dict[str, str]) -> Program:
        return Program(golang("the AWS SDK for Go"), environment)

    @pytest.mark.parametrize(
        ("spec", "identifier"),
        [("ML_KEM_768", "2.16.840.1.101.3.4.4.2"), ("ML_KEM_1024", "2.16.840.1.101.3.4.4.3")],
    )
    def test_a_secret_that_was_encapsulated_offline(
        self, sdk: Program, new_key: NewKey, spec: str, identifier: str
    ) -> None:
        key = new_key(KeySpec=spec, KeyUsage="ENCAPSULATE_DECAPSULATE")
        done = self.ask(sdk, "encapsulate", KeyId=key)
        assert done["algorithm"] == identifier
        assert done["offline"] == done["opened"]
