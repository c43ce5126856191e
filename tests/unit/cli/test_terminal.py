"""What terminals are drawn with."""

import io

import pytest

from kms_server.cli.terminal import drawing, printable, width


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


BLOCKS = drawing(stream("utf-8"))
ASCII = drawing(stream("ascii"))


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_ascii_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert drawing(stream("utf-8")).steps == BLOCKS.steps
    monkeypatch.setenv(name, value)
    assert drawing(stream("utf-8")).steps == ASCII.steps


def test_ascii_where_the_encoding_has_no_more() -> None:
    for encoding in ("ascii", "latin-1"):
        assert drawing(stream(encoding)) == ASCII
    assert (ASCII.cells + ASCII.steps + ASCII.cut).isascii()


def test_bars() -> None:
    assert [BLOCKS.bar(value, 16, 4) for value in (0, 1, 4, 9, 16)] == ["", "▎", "█", "██▎", "████"]
    assert [ASCII.bar(value, 1_000, 4) for value in (0, 1, 500, 1_000)] == ["", "#", "##", "####"]
    assert BLOCKS.bar(0, 0, 4) == ""


def test_curves() -> None:
    assert BLOCKS.curve([0, 1, 400, 800]) == " ▁▄█"
    assert ASCII.curve([0, 0]) == "  "
    assert BLOCKS.curve([]) == ""


def test_texts_that_fit() -> None:
    assert (BLOCKS.end_of("abcdef", 4), BLOCKS.end_of("abcd", 4)) == ("…def", "abcd")
    assert (ASCII.end_of("abcdef", 4), ASCII.start_of("abcdef", 4)) == ("..ef", "ab..")
    assert (BLOCKS.start_of("abcdef", 4), BLOCKS.start_of("abcd", 4)) == ("abc…", "abcd")


def test_nothing_moves_the_cursor() -> None:
    assert printable("a\x1b[2Jb\r\nü") == "a?[2Jb??ü"


def test_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", stream("utf-8"))
    assert width() is None
    monkeypatch.setenv("COLUMNS", "123")
    assert width() == 123
