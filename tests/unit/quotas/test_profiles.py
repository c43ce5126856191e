"""Profiles by name, and those that TOML files describe."""

from pathlib import Path

import pytest

from kms_server.errors import OperatorError
from kms_server.quotas import profiles
from kms_server.quotas.profiles import Allowed

SYMMETRIC = "CryptographicOperationsSymmetric"


def written(directory: Path, text: str) -> str:
    """The name of a profile in a file."""
    path = directory / "own.toml"
    path.write_text(text)
    return str(path)


def refusal(name: str) -> str:
    with pytest.raises(OperatorError) as refused:
        profiles.find(name)
    text = str(refused.value)
    assert "\n" not in text
    return text


def test_a_regions_figures_everywhere() -> None:
    profile = profiles.find("aws-eu-west-1")
    everywhere = {profile.of(SYMMETRIC, region) for region in ("eu-west-1", "sa-east-1", "us-east-2")}
    assert everywhere == {Allowed(100_000)}
    assert profiles.find("aws-sa-east-1").of(SYMMETRIC, "us-east-1") == Allowed(10_000)
    assert profile.name == "aws-eu-west-1"


@pytest.mark.parametrize(
    "name", ["", "AWS", "aws-", "aws-nowhere", "aws-REGION", "relaxed.tom", "aws-us-east-1 "]
)
def test_unknown_names_are_refused_with_those_there_are(name: str) -> None:
    assert refusal(name) == (
        f"there is no quota profile {name}: they are relaxed, aws, aws-REGION, unlimited, FILE.toml"
    )


def test_a_file(tmp_path: Path) -> None:
    profile = profiles.find(
        written(
            tmp_path,
            """
            base = "aws"
            [quotas]
            CreateKey = 7
            DescribeKey = { rate = 0.5, burst = 40 }
            ListKeys = "unlimited"
            KeysPerRegion = 12
            [regions.eu-central-1]
            CreateKey = { rate = 9 }
            ListKeys = 3
            """,
        )
    )
    here, there = "eu-central-1", "us-east-1"
    assert (profile.of("CreateKey", there), profile.of("CreateKey", here)) == (Allowed(7), Allowed(9))
    assert profile.of("DescribeKey", here) == Allowed(0.5, 40)
    assert (profile.of("ListKeys", there), profile.of("ListKeys", here)) == (None, Allowed(3))
    assert profile.of("KeysPerRegion", here) == Allowed(12)
    assert (profile.of(SYMMETRIC, there), profile.of(SYMMETRIC, here)) == (Allowed(100_000), Allowed(20_000))


def test_an_empty_file_is_relaxed(tmp_path: Path) -> None:
    profile, relaxed = profiles.find(written(tmp_path, "")), profiles.find("relaxed")
    for quota_id in (SYMMETRIC, "CreateKey", "LookupEvents"):
        assert profile.of(quota_id, "us-east-1") == relaxed.of(quota_id, "us-east-1")


def test_a_burst_is_one_call_at_least(tmp_path: Path) -> None:
    profile = profiles.find(written(tmp_path, "[quotas]\nCreateKey = { rate = 1, burst = 0.1 }"))
    assert profile.of("CreateKey", "us-east-1") == Allowed(1, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base = ", "is not TOML"),
        ("[quota]", "'quota' is no section"),
        ('"a\\nb" = 1', "is no section"),
        ("base = 1", "base must be the name of a profile"),
        ('base = "other.toml"', "base must be the name of a profile"),
        ('base = "nonsense"', "there is no quota profile nonsense"),
        ("quotas = 1", "must be tables"),
        ("regions = []", "must be tables"),
        ("[regions]\neu-central-1 = 1", "must be tables"),
        ("[regions.nowhere]", "'nowhere' is no Region"),
        ("[quotas]\nCreateKeys = 1", "there is no quota 'CreateKeys'"),
        ("[regions.eu-central-1]\nCreateKeys = 1", "there is no quota 'CreateKeys'"),
        *[
            (f"[quotas]\nCreateKey = {value}", "CreateKey must be a number above 0")
            for value in (
                "0", "-1", "nan", "inf", "1e11", "true", '"fast"', "[5]", "{}", "{ burst = 5 }", "{ rate = 1, extra = 1 }",
                '{ rate = "unlimited" }', "{ rate = 1, burst = 0 }", "{ rate = 1, burst = false }", "1" + "0" * 400,
            )
        ],
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_told_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(written(tmp_path, text))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in refusal(str(tmp_path / "none.toml"))
    (tmp_path / "directory.toml").mkdir()
    assert "cannot read" in refusal(str(tmp_path / "directory.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    assert "is not TOML" in refusal(str(tmp_path / "binary.toml"))


def test_commands_find_the_servers_profile(tmp_path: Path) -> None:
    assert profiles.noted(tmp_path) == "relaxed"
    for name in ("aws", "/srv/li\udcffmits.toml"):
        profiles.note(tmp_path, name)
        assert profiles.noted(tmp_path) == name
