"""The generators against real servers."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench import raw_commit
from bench.redis_set import redis_set
from bench.setup import Setup
from bench.targets import Target, bare_loop


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    everywhere = frozenset(os.sched_getaffinity(0))
    return Setup(tmp_path, everywhere, everywhere, seconds=0.05, repeats=1)


def test_references_answer_a_closed_and_an_open_loop(setup: Setup) -> None:
    with ExitStack() as stack:
        store = redis_set(stack, setup)
        like = Target(store.server, "AKIAEXAMPLE", "secret", {"Encrypt": ["{}"]}, checks=False)
        for target, rate in ((store, None), (bare_loop(stack, setup, like), 2_000.0)):
            found = target.load("Encrypt", 4, setup.seconds, rate)
            assert 0 < found.p50_ms <= found.p99_ms <= found.p999_ms <= found.most_ms
            assert found.rate > 0
        assert any((setup.directory / "redis").iterdir()), "nothing is kept"


def test_the_raw_group_commit_settles_every_record(setup: Setup) -> None:
    found = raw_commit.measure(setup, 2_000.0, setup.seconds)
    assert 0 < found.p50_ms <= found.p99_ms <= found.p999_ms <= found.most_ms
