"""A service in this process for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.unit.operations.service import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("service") / "data")
    yield made
    made.close()
