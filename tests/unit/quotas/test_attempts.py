"""Attempts come out in order and once, however many there are."""

import random
import tempfile
from pathlib import Path

import pytest

from kms_server.errors import OperatorError
from kms_server.quotas.attempts import Attempt, Attempts

KINDS = tuple(((f"{number:012}", "us-east-1", "CreateKey", 1),) for number in range(3))


def shuffled(number: int) -> list[Attempt]:
    draw = random.Random(7)
    return [
        Attempt(draw.randrange(50) * 1_000, draw.random() < 0.5, draw.randbytes(16), draw.choice(KINDS))
        for _ in range(number)
    ]


@pytest.mark.parametrize("run", [10, 97, 100, 1_000], ids=["many-runs", "rest", "no-rest", "memory"])
def test_in_order_and_once(run: int) -> None:
    made = shuffled(200)
    with Attempts(run) as attempts:
        for one in [*made, *made[50:120]]:
            attempts.add(one)
        assert list(attempts) == sorted(made)


def test_the_same_moment_is_no_duplicate() -> None:
    made = [Attempt(1_000, True, bytes(15) + bytes([number]), KINDS[0]) for number in range(5)]
    with Attempts() as attempts:
        for one in reversed(made):
            attempts.add(one)
        assert list(attempts) == made


def test_none() -> None:
    with Attempts() as attempts:
        assert list(attempts) == []


@pytest.mark.parametrize("run", [1, 1_000])
def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch, run: int) -> None:
    *made, last = shuffled(run)
    with Path("/dev/full").open("r+b") as full:
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda: full)
        with Attempts(run) as attempts:
            for one in made:
                attempts.add(one)
            with pytest.raises(OperatorError, match="temporary file, TMPDIR says where: No space left"):
                attempts.add(last)
