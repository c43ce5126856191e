"""`kms-server quota simulate` on the log of a real server, and on files: what AWS's limits would have throttled."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.command_line import Done, refused, run
from tests.functional.server_process import ServerProcess

CALLS = 40
Report = dict[str, Any]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server without limits, after a burst of CreateAlias that no client would get through on AWS."""
    process = ServerProcess(tmp_path_factory.mktemp("server"), "--quota-profile", "unlimited")
    kms = process.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for number in range(CALLS):
        kms.create_alias(AliasName=f"alias/burst-{number}", TargetKeyId=key)
    kms.encrypt(KeyId=key, Plaintext=b"x")
    yield process
    assert process.stop() == 0


@pytest.fixture(scope="module")
def exported(busy: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "audit.jsonl"
    path.write_text(busy.cli("audit", "query", "--format", "jsonl", "--newest-first").stdout)
    return path


def report(done: Done) -> Report:
    assert done.returncode == 0, done.stderr
    told: Report = json.loads(done.stdout)
    return told


def quota(told: Report, name: str) -> Report:
    [found] = [one for one in told["quotas"] if one["quota"] == name]
    return dict(found)


def test_aws_would_have_throttled_the_burst(busy: ServerProcess) -> None:
    told = report(busy.cli("quota", "simulate", "--profile", "aws", "--format", "json"))
    burst = quota(told, "CreateAlias")
    assert (burst["calls"], burst["rate"], burst["burst"]) == (CALLS, 5, 5)
    assert burst["throttledLeast"] == burst["throttledMost"] > 0
    assert burst["firstThrottled"] <= burst["lastThrottled"] <= told["last"]
    assert quota(told, "CryptographicOperationsSymmetric")["throttledMost"] == 0
    assert told["datedToTheSecond"] == 0
    table = busy.cli("quota", "simulate", "--profile", "aws").stdout
    assert f"{burst['throttledMost'] / CALLS:.1%}" in table


def test_a_profile_of_ones_own(busy: ServerProcess, tmp_path: Path) -> None:
    profile = tmp_path / "own.toml"
    profile.write_text("[quotas]\nCreateAlias = { rate = 1e-6, burst = 4 }\n")
    told = report(busy.cli("quota", "simulate", "--profile", str(profile), "--format", "json"))
    burst = quota(told, "CreateAlias")
    assert (burst["throttledLeast"], burst["throttledMost"]) == (CALLS - 4, CALLS - 4)
    assert burst["worst"]["throttledMost"] <= burst["peak"]["counted"]


def test_without_limits_nothing_would_have_been(busy: ServerProcess) -> None:
    told = report(busy.cli("quota", "simulate", "--profile", "unlimited", "--format", "json"))
    assert {one["throttledMost"] for one in told["quotas"]} == {0}
    assert quota(told, "CreateAlias")["calls"] == CALLS


def test_an_export_says_the_same(busy: ServerProcess, exported: Path) -> None:
    """It needs no server."""
    own = report(busy.cli("quota", "simulate", "--profile", "aws", "--format", "json"))
    told = report(run("quota", "simulate", "--profile", "aws", "--format", "json", "--from", str(exported)))
    assert told == own
    both = report(
        busy.cli(
            "quota",
            "simulate",
            "--profile",
            "aws",
            "--format",
            "json",
            "--from",
            "log",
            "--from",
            str(exported),
        )
    )
    assert both["quotas"] == own["quotas"]


def test_log_files_of_cloudtrail(exported: Path, tmp_path: Path) -> None:
    """AWS's event ids say nothing of the time."""
    records = [json.loads(line) for line in exported.read_text().splitlines()]
    for number, record in enumerate(records):
        record["eventID"] = f"{number:08x}-17d3-4f59-8a6b-90c1d2e3f405"
    half = len(records) // 2
    (tmp_path / "1.json.gz").write_bytes(gzip.compress(json.dumps({"Records": records[half:]}).encode()))
    (tmp_path / "2.json").write_text(json.dumps({"Records": records[:half]}))
    told = report(run("quota", "simulate", "--profile", "aws", "--format", "json", "--from", str(tmp_path)))
    exact = report(run("quota", "simulate", "--profile", "aws", "--format", "json", "--from", str(exported)))
    coarse, known = quota(told, "CreateAlias"), quota(exact, "CreateAlias")
    assert told["datedToTheSecond"] == told["calls"] == exact["calls"]
    assert coarse["peak"]["counted"] == known["peak"]["counted"]
    assert coarse["throttledLeast"] <= known["throttledMost"]
    assert coarse["throttledLeast"] <= coarse["throttledMost"]


def test_a_span_of_time(busy: ServerProcess, exported: Path) -> None:
    for source in ("log", str(exported)):
        asked = ("quota", "simulate", "--profile", "aws", "--format", "json", "--from", source)
        none = report(busy.cli(*asked, "--until", "2020-01-01"))
        assert (none["calls"], none["quotas"]) == (0, [])
        assert report(busy.cli(*asked, "--since", "1d"))["calls"] > CALLS
    refused(
        busy.cli("quota", "simulate", "--profile", "aws", "--since", "1h", "--until", "2h", check=False),
        "--since is later than --until",
    )


def test_limits_that_are_set_hold_when_asked_for(busy: ServerProcess) -> None:
    busy.cli("quota", "set", "--quota", "CreateAlias", "--rate", "1000", "--burst", "1000")
    asked = ("quota", "simulate", "--profile", "aws", "--format", "json")
    assert quota(report(busy.cli(*asked)), "CreateAlias")["throttledMost"] > 0
    held = quota(report(busy.cli(*asked, "--with-set-limits")), "CreateAlias")
    assert (held["rate"], held["throttledMost"]) == (1_000, 0)
    busy.cli("quota", "unset", "--quota", "CreateAlias")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"eventType": "AwsApiCall"}\n')
    asked = ("quota", "simulate", "--profile", "aws", "--from")
    refused(run(*asked, str(bad)), f"{bad}, line 1: the record has no eventSource")
    refused(run(*asked, str(tmp_path / "none")), "cannot read")
    refused(run("quota", "simulate", "--profile", "nothing"), "there is no quota profile nothing")
