"""How a simulation is printed."""

import json

import pytest

from kms_server.cli.simulation_formats import FORMATS, Simulated
from kms_server.quotas import profiles
from kms_server.quotas.attempts import Attempt
from kms_server.quotas.replay import Replay
from kms_server.quotas.rules import Rules

START = 1_790_000_000_000
CREATE = (("000000000000", "us-east-1", "CreateKey", 1),)
ENCRYPT = (("000000000000", "us-east-1", "CryptographicOperationsSymmetric", 1),)


def printed(
    capsys: pytest.CaptureFixture[str], style: str, profile: str, *calls: tuple[int, bool, int]
) -> str:
    """Calls of CreateKey, as time after the start, whether it is exact, and how many; and one Encrypt."""
    replay = Replay(Rules({}, profiles.find(profile)))
    for after, exact, number in calls:
        for _ in range(number):
            replay.add(Attempt(START + after, exact, bytes(16), CREATE))
    if calls:
        replay.add(Attempt(START + 60_000, True, bytes(16), ENCRYPT))
    FORMATS[style](Simulated(profile, 2_000, replay))
    return capsys.readouterr().out


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "table", "aws", (7, True, 12), (2_500, True, 6)).splitlines()
    assert lines == [
        "19 calls in 2,000 records, 2026-09-21T14:13:20Z to 2026-09-21T14:14:20Z, under aws",
        "account       Region     quota                             calls  peak/s  limit/s   burst  throttled  share",
        "000000000000  us-east-1  CreateKey                            18      12        5       5          8  44.4%",
        "    2026-09-21T14:13:20Z to 2026-09-21T14:13:22Z, worst 2026-09-21T14:13:20Z: 7 of 12",
        "000000000000  us-east-1  CryptographicOperationsSymmetric      1       1  100,000  10,000          0   0.0%",
        "The log has attempts as they were made: what a client repeats, or keeps back, when it is throttled is in no log.",
    ]


def test_whole_seconds_make_a_range(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "table", "aws", (0, False, 10)).splitlines()
    assert lines[2].split()[-6:] == ["1", "to", "5", "10.0%", "to", "50.0%"]
    assert "worst 2026-09-21T14:13:20Z: up to 5 of 10" in lines[3]
    assert lines[5].startswith("10 calls are dated to the second alone")


def test_without_limit(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "table", "unlimited", (0, True, 10)).splitlines()
    assert lines[2].split()[-6:] == ["CreateKey", "10", "10", "unlimited", "0", "0.0%"]


def test_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "table", "aws") == "0 calls in 2,000 records, under aws\n"
    told = json.loads(printed(capsys, "json", "aws"))
    assert told == {
        "profile": "aws", "records": 2_000, "calls": 0, "datedToTheSecond": 0, "first": None, "last": None, "quotas": [],
    }  # fmt: skip


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(printed(capsys, "json", "aws", (7, True, 12)))
    assert (told["calls"], told["first"], told["last"]) == (
        13, "2026-09-21T14:13:20.007Z", "2026-09-21T14:14:20.000Z",
    )  # fmt: skip
    second = {"time": "2026-09-21T14:13:20Z", "counted": 12, "throttledMost": 7}
    moment = "2026-09-21T14:13:20.007Z"
    assert told["quotas"][0] == {
        "account": "000000000000", "region": "us-east-1", "quota": "CreateKey", "rate": 5.0, "burst": 5.0, "calls": 12,
        "peak": second, "throttledLeast": 7, "throttledMost": 7, "shareLeast": 7 / 12, "shareMost": 7 / 12,
        "firstThrottled": moment, "lastThrottled": moment, "worst": second,
    }  # fmt: skip
    assert (told["quotas"][1]["firstThrottled"], told["quotas"][1]["worst"]) == (None, None)


def test_json_without_limit(capsys: pytest.CaptureFixture[str]) -> None:
    [first, _] = json.loads(printed(capsys, "json", "unlimited", (0, True, 3)))["quotas"]
    assert (first["rate"], first["burst"], first["throttledMost"]) == (None, None, 0)
