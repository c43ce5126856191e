"""The AWS SDK for JavaScript v3, on Node."""

import pytest

from tests.interop.sdk_contract import SdkContract
from tests.interop.toolchain import Program, javascript


class TestJavaScript(SdkContract):
    @pytest.fixture
    def sdk(self, environment: dict[str, str]) -> Program:
        return Program(javascript("sdk.mjs", "the AWS SDK for JavaScript"), environment)
