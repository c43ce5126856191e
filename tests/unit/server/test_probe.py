"""What health asks of others: it has an answer in time, whatever they do."""

import threading
from collections.abc import Iterator

import pytest

from kms_server.errors import OperatorError
from kms_server.server import probe
from kms_server.server.probe import Probe, Remembered
from tests.unit.server.door_server import eventually


@pytest.fixture
def go_on() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_probe_that_hangs_is_told_at_once(go_on: threading.Event) -> None:
    begun: list[bool] = []

    def check() -> None:
        begun.append(True)
        go_on.wait(20)

    probe = Probe(check, 0.01)
    for _ in range(3):
        assert (probe.trouble() or "").startswith("does not answer: ")
    assert begun == [True]
    go_on.set()
    eventually(lambda: probe.trouble() is None)


def test_a_probe_that_fails_is_told_and_made_again() -> None:
    answers = [ZeroDivisionError()]

    def check() -> None:
        if answers:
            raise answers.pop()

    probe = Probe(check, 20)
    assert probe.trouble() == "does not answer: ZeroDivisionError"
    eventually(lambda: probe.trouble() is None)


def test_warnings_are_remembered_for_a_while() -> None:
    found = iter(("one", "other"))
    warning = Remembered(lambda: next(found))
    assert [warning(), warning()] == ["one", "one"]


def test_a_warning_that_is_not_found_holds_nobody_up(
    go_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_PATIENCE", 0.01)
    begun: list[bool] = []

    def find() -> str:
        begun.append(go_on.wait(20))
        return "found"

    warning = Remembered(find)
    assert [warning(), warning(), warning()] == [None] * 3
    go_on.set()
    eventually(lambda: warning() == "found")
    assert begun == [True]


@pytest.mark.parametrize("error", [OperatorError("x"), OSError("x")])
def test_what_cannot_be_found_is_told(error: Exception) -> None:
    def find() -> str | None:
        raise error

    assert Remembered(find)() == f"what there is to warn of cannot be found: {type(error).__name__}"
