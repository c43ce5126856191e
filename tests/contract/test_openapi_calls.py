"""`openapi.yaml` and a live server in strict mode say the same: what fits is taken, what does not is refused."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kms_server.operations.registry import OPERATIONS
from tests.examples import examples
from tests.functional.server_process import ServerProcess

if TYPE_CHECKING:  # schemathesis takes seconds to import, and one of the processes of a test run needs it
    from tests.contract.openapi_calls import OpenApiCalls

NAMES = [operation.name for operation in OPERATIONS]
# All of them in `make soak`.
TRIED = NAMES if os.environ.get("KMS_TEST_SOAK") else NAMES[::92]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[OpenApiCalls]":
    from tests.contract.openapi_calls import OpenApiCalls

    process = ServerProcess(tmp_path_factory.mktemp("server"), "--quota-profile", "unlimited", workers=1)
    yield OpenApiCalls(process.access)
    assert process.stop() == 0
    log = process.log.read_text()
    assert "Traceback" not in log
    assert "internal failure" not in log


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize("name", TRIED)
def test_answers_are_as_the_document_says(calls: "OpenApiCalls", name: str, mode: str) -> None:
    from schemathesis import GenerationMode

    cases = calls.cases(name, GenerationMode(mode))

    @settings(max_examples=examples(test=2, soak=25), suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        calls.check(data.draw(cases))

    check()
