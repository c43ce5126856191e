"""How the usage of limits is drawn."""

import json

import pytest

from kms_server.cli.quota_usage import STYLES, Reading
from kms_server.quotas import profiles, subjects
from kms_server.quotas.meters import OTHERS, Count
from kms_server.quotas.rules import Rules
from kms_server.quotas.usage import usage
from kms_server.storage.limits import SetLimit

PLACE = ("000000000000", "us-east-1")
CREATE = subjects.of_quota(*PLACE, "CreateKey")
TAG = subjects.of_tag(*PLACE, "env", "prod\x1b*")
KEY = subjects.of_key("1234abcd-12ab-34cd-56ef-1234567890ab")
RATES = {
    CREATE: (5.0, 1_200.0),
    KEY: (333_333.25, 0.0),
    TAG: (0.25, 7.5),
    OTHERS: (12.0, 0.0),
    "key:gone": (0.0, 0.0),
}
LIMITS = {KEY: SetLimit(KEY, 1_000_000, None), TAG: SetLimit(TAG, 0.5, None)}


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


def shown(capsys: pytest.CaptureFixture[str], style: str) -> str:
    counted = {subject: Count(4_000, 12_345) for subject in RATES}
    used = usage(counted, Rules(LIMITS, profiles.find("aws")))
    STYLES[style]([Reading(one, *rates) for one, rates in zip(used, RATES.values(), strict=True)])
    return capsys.readouterr().out


def test_bars(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "bars").splitlines() == [
        f"{'limit':40}  calls/s    allowed  {'used':20}  throttled/s  in all",
        f"{'000000000000 us-east-1 CreateKey':40}      5.0          5  {'█' * 20}        1,200  12,345",
        f"{'key 1234abcd-12ab-34cd-56ef-1234567890ab':40}  333,333  1,000,000  {'█' * 6 + '▊':20}            0  12,345",
        f"{'000000000000 us-east-1 tag env=prod?*':40}      0.2        0.5  {'':20}          7.5  12,345",
        f"{'(others)':40}       12          -  {'':20}            0  12,345",
        f"{'key gone':40}        0          -  {'':20}            0  12,345",
    ]


def test_bars_fit_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = shown(capsys, "bars").splitlines()
    assert {len(line) for line in lines} == {80}
    assert "-1234567890ab  333,333  1,000,000  " in lines[2]


def test_bars_in_ascii(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert shown(capsys, "bars").isascii()


def test_nothing_was_used(capsys: pytest.CaptureFixture[str]) -> None:
    for style, expected in (("bars", "no limit has been used\n"), ("json", "[]\n")):
        STYLES[style]([])
        assert capsys.readouterr().out == expected


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    place = {"account": PLACE[0], "region": PLACE[1]}
    counted = {"calls": 4_000, "throttled": 12_345}
    out = shown(capsys, "json")
    assert len(out.splitlines()) == 1
    assert json.loads(out) == [
        {**place, "quota": "CreateKey", "callsPerSecond": 5.0, "allowed": 5.0, "used": 1.0,
         "throttledPerSecond": 1200.0, **counted},
        {"kind": "key", "name": KEY[4:], "callsPerSecond": 333333.25, "allowed": 1000000.0, "used": 0.333,
         "throttledPerSecond": 0.0, **counted},
        {**place, "kind": "tag", "name": "env", "value": "prod\x1b*", "callsPerSecond": 0.25, "allowed": 0.5,
         "used": None, "throttledPerSecond": 7.5, **counted},
        {"kind": "others", "callsPerSecond": 12.0, "allowed": None, "used": None, "throttledPerSecond": 0.0, **counted},
        {"kind": "key", "name": "gone", "callsPerSecond": 0.0, "allowed": None, "used": None,
         "throttledPerSecond": 0.0, **counted},
    ]  # fmt: skip
