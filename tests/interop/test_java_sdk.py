"""The AWS SDK for Java 2."""

import pytest

from tests.interop.sdk_contract import SdkContract
from tests.interop.toolchain import Program, java


class TestJava(SdkContract):
    @pytest.fixture
    def sdk(self, environment: dict[str, str]) -> Program:
        return Program(java("Sdk", "the AWS SDK for Java"), environment)
