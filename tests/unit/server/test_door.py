"""A turn of the door: all that has arrived goes through one stage after the other."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext

import pytest
from flask import Flask

from kms_server.config import Limits
from kms_server.server.door import Door
from kms_server.server.pipeline import Stage
from kms_server.server.wsgi_bridge import WsgiBridge


class Guest:
    """Notes what the door asks of it; its request is done after one stage where it `ends`, by a refusal."""

    def __init__(self, name: str, notes: list[str], fails_at: str = "", *, ends: bool = False) -> None:
        self._name, self._notes, self._fails_at, self._ends = name, notes, fails_at, ends
        self.work: object = None

    def note(self, step: str) -> None:
        self._notes.append(f"{self._name} {step}")
        if step == self._fails_at:
            raise ZeroDivisionError

    def begin(self) -> bool:
        self.note("begin")
        self.work = self
        return True

    def pass_through(self, stage: int) -> "Guest":
        self.note(f"stage {stage}")
        if self._ends:
            raise LookupError
        return self

    def stop(self, stage: Stage, work: object, error: Exception) -> None:
        assert work is self
        self.work = None
        self.note(f"stop {Stages.stages.index(stage)} {type(error).__name__}")

    def resume(self, stage: Stage) -> None:
        raise AssertionError(stage)

    def recall(self) -> None:
        raise AssertionError

    def finish(self) -> None:
        self.note("finish")

    def abort(self) -> None:
        self.note("abort")

    def check_time(self, now: float) -> None:
        raise AssertionError(now)

    def close_if_idle(self) -> None:
        raise AssertionError


class Stages:
    """Two stages that guests note."""

    stages: tuple[Stage, ...] = (lambda guest: guest.pass_through(0), lambda guest: guest.pass_through(1))
    turn = nullcontext()


def turn(guests: Callable[[list[str]], list[Guest]]) -> list[str]:
    """What happens in the turn of some guests."""
    notes: list[str] = []

    async def run() -> None:
        door = Door(Stages(), WsgiBridge(Flask("none")), Limits())
        for guest in guests(notes):
            door.soon(guest)
        assert notes == []
        await asyncio.sleep(0)
        door.close()

    asyncio.run(run())
    return notes


def test_a_stage_takes_all_before_the_next() -> None:
    assert turn(lambda notes: [Guest("a", notes), Guest("b", notes)]) == [
        f"{name} {step}" for step in ("begin", "stage 0", "stage 1", "finish") for name in "ab"
    ]


def test_who_is_stopped_goes_no_further() -> None:
    assert turn(lambda notes: [Guest("a", notes, ends=True), Guest("b", notes)]) == [
        "a begin", "b begin", "a stage 0", "a stop 0 LookupError", "b stage 0", "b stage 1", "a finish", "b finish",
    ]  # fmt: skip


@pytest.mark.parametrize("step", ["begin", "stop 0 LookupError", "finish"])
def test_one_that_fails_does_not_stop_the_others(step: str) -> None:
    notes = turn(lambda notes: [Guest("a", notes, step, ends=step.startswith("stop")), Guest("b", notes)])
    assert "a abort" in notes
    assert [note for note in notes if note.startswith("b")] == [
        "b begin",
        "b stage 0",
        "b stage 1",
        "b finish",
    ]
