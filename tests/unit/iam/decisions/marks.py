"""A pytest plugin that writes down which tests are marked `covers`: `pytest --collect-only -p tests.unit.iam.decisions.marks`."""

import json
import os
from pathlib import Path

import pytest

VARIABLE = "KMS_TEST_MARKS"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Write [test, row, direction] for each mark, once per test function, to the file that the variable names."""
    found = {
        (item.nodeid.partition("[")[0], *map(str, mark.args))
        for item in items for mark in item.iter_markers("covers")
    }  # fmt: skip
    Path(os.environ[VARIABLE]).write_text(json.dumps(sorted(found)), encoding="utf-8")
