"""The AWS SDK for Go v2."""

import pytest

from tests.interop.sdk_contract import SdkContract
from tests.interop.toolchain import Program, golang


class TestGo(SdkContract):
    @pytest.fixture
    def sdk(self, environment: dict[str, str]) -> Program:
        return Program(golang("the AWS SDK for Go"), environment)
