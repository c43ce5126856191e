"""A limiter for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.quotas.limited import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "limits")
    yield made
    made.buckets.close()
    made.meters.close()
