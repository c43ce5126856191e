"""How counts are drawn, and how records fit a narrow terminal."""

import json

import pytest

from kms_server.audit.statistics import Line, Periods
from kms_server.cli.audit_charts import CHARTS, Counted
from kms_server.cli.audit_formats import as_table
from tests.unit.audit.audit_rows import row

PERIODS = Periods(1_789_999_200, 3_600, 3)
ARN = "arn:aws:kms:us-east-1:000000000000:key/"
LINES = (
    Line(f"{ARN}{'a' * 36}", 1_200, [0, 400, 800]),
    Line(f"{ARN}b\x1b", 3, [3, 0, 0]),
    Line(None, 40, [0, 0, 40]),
)


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("TERM", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)


def drawn(capsys: pytest.CaptureFixture[str], style: str, *lines: Line, over_time: bool = True) -> str:
    CHARTS[style](Counted("key", 1_790_000_000.0, 1_790_007_200.0, PERIODS, 1_243, lines, over_time))
    return capsys.readouterr().out


def test_bars(capsys: pytest.CaptureFixture[str]) -> None:
    lines = drawn(capsys, "bars", *LINES).splitlines()
    assert lines == [
        "1,243 records by key, 2026-09-21T14:13:20Z to 2026-09-21T16:13:20Z; one column is 1 hour",
        f"all names begin with {ARN}",
        f"{'a' * 36}   ▄█  1,200  {'█' * 30}",
        f"{'b?':36}  █        3  ▏",
        f"{'(others)':36}    █     40  █",
    ]
    assert max(map(len, lines[1:])) <= 80


def test_bars_in_ascii(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert drawn(capsys, "bars", *LINES).isascii()


def test_nothing_to_draw(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(drawn(capsys, "bars").splitlines()) == 1


def test_csv(capsys: pytest.CaptureFixture[str]) -> None:
    assert drawn(capsys, "csv", *LINES[1:]) == (
        f"key,start,calls\n{ARN}b\x1b,2026-09-21T14:00:00Z,3\n,2026-09-21T16:00:00Z,40\n"
    )
    assert drawn(capsys, "csv", Line("x", 7, ()), over_time=False) == "key,calls\nx,7\n"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(drawn(capsys, "json", *LINES))
    assert told["lines"][2] == {"value": None, "calls": 40, "overTime": [0, 0, 40]}
    assert (told["periodSeconds"], told["firstPeriod"]) == (3_600, "2026-09-21T14:00:00Z")
    told = json.loads(drawn(capsys, "json", Line("x", 7, ()), over_time=False))
    assert told["lines"] == [{"value": "x", "calls": 7}]


@pytest.mark.parametrize("columns", [40, 80, 132, 400])
def test_a_table_fits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    record = (
        '{"eventTime":"2026-11-20T09:14:07Z","requestParameters":{"encryptionContext":{"aws:s3:arn":"%s"}}}'
    )
    rows = [
        row(
            number,
            event_name=name,
            username=name,
            resource_1=ARN + "k",
            record=record % f"arn:aws:s3:::b/{name}",
        )
        for number, name in enumerate(("Encrypt", "GenerateDataKeyPairWithoutPlaintext" * 2))
    ]
    as_table(rows)
    lines = capsys.readouterr().out.splitlines()
    assert all(line[2:].startswith(("time", "2026-11-20 09:14:07Z")) for line in lines)
    assert max(map(len, lines)) <= max(columns, 80)
    assert lines[1].endswith("b/Encrypt")


def test_a_file_is_not_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    long = "arn:" + "k" * 300
    as_table([row(resource_1=long, record='{"eventTime":"2026-11-20T09:14:07Z"}')])
    assert capsys.readouterr().out.splitlines()[1].endswith(f"  mira  -      {long}")
