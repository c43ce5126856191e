"""A service in this process for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.service import Service
from tests.unit.operations.trail_service import CloudTrail


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("service") / "data")
    yield made
    made.close()


@pytest.fixture(scope="module")
def keys(service: Service) -> Keys:
    return Keys(service)


@pytest.fixture
def client(service: Service) -> Iterator[CloudTrail]:
    """A client of CloudTrail; its trails go with the test."""
    made = CloudTrail(service)
    yield made
    made.clear()
