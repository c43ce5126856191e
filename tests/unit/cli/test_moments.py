"""Times on the command line."""

import click
import pytest

from kms_server.cli.moments import Moment, moment
from kms_server.errors import OperatorError

NOW = 1_790_000_000.0
ANY = click.Context(click.Command("any"))


def read(text: str | None) -> Moment | None:
    return moment(ANY, click.Option(["--since"]), text)


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        ("2026-09-21T13:33:20Z", 1_789_997_600.0), ("2026-09-21T13:33:20", 1_789_997_600.0),
        ("2026-09-21T15:33:20+02:00", 1_789_997_600.0), ("2026-09-21", 1_789_948_800.0),
        ("0s", NOW), ("90s", NOW - 90), ("30m", NOW - 1_800), ("2h", NOW - 7_200), ("3d", NOW - 259_200),
        ("1w", NOW - 604_800), ("999999999w", 0.0), ("1960-01-01", 0.0), ("0001-01-01T00:00:00+23:00", 0.0),
    ],
)  # fmt: skip
def test_times(text: str, epoch: float) -> None:
    found = read(text)
    assert found is not None
    assert found.at(NOW) == epoch


def test_no_time() -> None:
    assert read(None) is None


@pytest.mark.parametrize("text", ["", "h", "2 h", "2y", "-2h", "٢h", "yesterday", "9999999999h"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(OperatorError, match="is not a time: write"):
        read(text)
