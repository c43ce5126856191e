"""A turn of the door: all that has arrived goes through one stage after the other."""

import asyncio
from collections.abc import Callable

from flask import Flask

from kms_server.config import Limits
from kms_server.server.door import Door
from kms_server.server.pipeline import Stage
from kms_server.server.wsgi_bridge import WsgiBridge


class Stages:
    """Two stages that do nothing."""

    stages: tuple[Stage, ...] = (lambda work: work, lambda work: work)


class Guest:
    """Notes what the door asks of it."""

    def __init__(self, name: str, notes: list[str], fails_at: str = "", *, is_due: bool = True) -> None:
        self._name, self._notes, self._fails_at, self.is_due = name, notes, fails_at, is_due

    def _note(self, step: str) -> None:
        self._notes.append(f"{self._name} {step}")
        if step == self._fails_at:
            raise ZeroDivisionError

    def begin(self) -> bool:
        self._note("begin")
        return True

    def go(self, stage: Stage) -> None:
        self._note(f"stage {Stages.stages.index(stage)}")

    def go_on(self, stage: Stage) -> None:
        raise AssertionError(stage)

    def recall(self) -> None:
        raise AssertionError

    def advance(self) -> None:
        self._note("advance")

    def abort(self) -> None:
        self._note("abort")

    def check_time(self, now: float) -> None:
        raise AssertionError(now)

    def close_if_idle(self) -> None:
        raise AssertionError


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
        f"{name} {step}" for step in ("begin", "stage 0", "stage 1", "advance") for name in "ab"
    ]


def test_who_waits_for_nothing_more_is_left_alone() -> None:
    assert turn(lambda notes: [Guest("a", notes, is_due=False)]) == ["a begin", "a stage 0", "a stage 1"]


def test_one_that_fails_does_not_stop_the_others() -> None:
    for step in ("begin", "advance"):
        notes = turn(lambda notes, step=step: [Guest("a", notes, step), Guest("b", notes)])  # type: ignore[misc]
        assert "a abort" in notes
        assert [note for note in notes if note.startswith("b")] == [
            "b begin",
            "b stage 0",
            "b stage 1",
            "b advance",
        ]
