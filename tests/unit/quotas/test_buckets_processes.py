"""Buckets under several real processes, some of which are killed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.quotas import bucket_hammer

SECOND = 1_000_000_000


def run(scenario: str, path: Path, *numbers: object) -> Any:
    """Run a scenario apart; a lock left held would run into the time limit."""
    command = [sys.executable, "-m", bucket_hammer.__name__, scenario, str(path)]
    command += [json.dumps(number) for number in numbers]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_windows(admitted: list[int], rate: int, burst: int) -> None:
    """No window of one second, wherever it begins, holds more than rate + burst admissions."""
    admitted.sort()
    for index in range(len(admitted) - rate - burst):
        assert admitted[index + rate + burst] - admitted[index] >= SECOND


@pytest.mark.parametrize("opened_before", [True, False], ids=["opened before fork", "opened after fork"])
@pytest.mark.parametrize(("rate", "burst"), [(200, 20), (2_000, 5)])
def test_a_limit_holds_over_processes_and_threads(
    tmp_path: Path, opened_before: bool, rate: int, burst: int
) -> None:
    per_process = run("hammer", tmp_path / "limits", opened_before, rate, burst, 1.6)
    assert all(per_process)
    admitted = [moment for process in per_process for moment in process]
    assert len(admitted) > rate + burst, "the load never filled a window"
    check_windows(admitted, rate, burst)


def test_a_holder_that_dies_within_a_take_costs_its_token_and_nothing_else(tmp_path: Path) -> None:
    assert run("die_holding", tmp_path / "limits", 50) == 10


def test_processes_killed_anywhere_neither_block_nor_break_the_limit(tmp_path: Path) -> None:
    rate, burst = 500, 50
    outcome = run("die_anywhere", tmp_path / "limits", 150, rate, burst)
    assert outcome["kills"] > 20
    assert all(outcome["survivors"])
    check_windows([moment for process in outcome["survivors"] for moment in process], rate, burst)


def test_a_child_does_not_keep_the_lock_of_its_killed_parent(tmp_path: Path) -> None:
    assert run("parent_dies", tmp_path / "limits") == 4
