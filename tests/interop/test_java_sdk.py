"""The AWS SDK for Java 2."""

from pathlib import Path

import pytest

from tests.interop.sdk_contract import SdkContract
from tests.interop.toolchain import Program, java, shell, tool


class TestJava(SdkContract):
    @pytest.fixture
    def sdk(self, environment: dict[str, str]) -> Program:
        return Program(java("Sdk", "the AWS SDK for Java"), environment)

    def trust(self, authority: str, directory: Path) -> dict[str, str]:
        store, password = directory / "trusted", "changeit"
        shell(
            tool("keytool", "the AWS SDK for Java"), "-importcert", "-noprompt", "-alias", "interop",
            "-file", authority, "-keystore", store, "-storepass", password,
        )  # fmt: skip
        options = f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword={password}"
        return {"JAVA_TOOL_OPTIONS": options}
