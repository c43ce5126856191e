"""The AWS SDK for JavaScript v3, on Node."""

from pathlib import Path

import pytest

from tests.interop.sdk_contract import SdkContract
from tests.interop.toolchain import Program, javascript


class TestJavaScript(SdkContract):
    @pytest.fixture
    def sdk(self, environment: dict[str, str]) -> Program:
        return Program(javascript("sdk.mjs", "the AWS SDK for JavaScript"), environment)

    def trust(self, authority: str, directory: Path) -> dict[str, str]:
        return {"NODE_EXTRA_CA_CERTS": authority}
