"""`kms-server quota inject`: only where the first start allowed it, and only what can be meant."""

from pathlib import Path

import pytest

from kms_server.audit.lookup import stream
from kms_server.audit.matching import Filter
from kms_server.cli.operator import opened
from kms_server.config import Settings
from kms_server.server.audit_trail import audit_sources
from tests.databases import prepared
from tests.functional.command_line import Done, refused, run

VARIABLE = "KMS_SERVER_FAULT_INJECTION"
THROTTLE = ("--error", "throttled")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first start of a server with --dev made."""
    directory = tmp_path_factory.mktemp("server") / "data"
    prepared(Settings(directory, dev=True))
    return directory


def quota(state: Path, command: str, *arguments: str) -> Done:
    return run("quota", command, *arguments, "--data-dir", str(state))


def lines(done: Done) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("first", [{}, {VARIABLE: "0"}, {VARIABLE: "true"}])
def test_a_strict_server_takes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: dict[str, str]
) -> None:
    for name, value in first.items():
        monkeypatch.setenv(name, value)
    prepared(Settings(tmp_path / "data"))
    monkeypatch.setenv(VARIABLE, "1")
    prepared(Settings(tmp_path / "data"))
    refused(quota(tmp_path / "data", "inject", *THROTTLE), "first start only", f"{VARIABLE}=1")
    refused(quota(tmp_path / "data", "injected"), "first start only")
    assert lines(quota(tmp_path / "data", "clear-injected")) == []


def test_a_strict_server_takes_them_whose_first_start_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    prepared(Settings(tmp_path / "data"))
    monkeypatch.delenv(VARIABLE)
    assert len(lines(quota(tmp_path / "data", "inject", *THROTTLE))) == 1


def test_faults_are_listed_and_cleared(state: Path) -> None:
    asked = [
        (*THROTTLE, "--calls", "3"),
        ("--error", "timeout", "--schedule", "0110", "--operation", "Decrypt", "--account", "111122223333"),
        ("--delay", "2s", "--principal", "*:role/app", "--forever"),
    ]
    ids = [line for one in asked for line in lines(quota(state, "inject", *one))]
    assert lines(quota(state, "injected")) == [
        f"{ids[0]}  0 of 3 calls  ThrottlingException",
        f"{ids[1]}  0 of 4 calls  DependencyTimeoutException  schedule 0110  operation Decrypt  account 111122223333",
        f"{ids[2]}  0 of all calls  no error  2000ms  principal *:role/app",
    ]
    lines(quota(state, "clear-injected", ids[1]))
    assert [line.split()[0] for line in lines(quota(state, "injected"))] == [ids[0], ids[2]]
    refused(quota(state, "clear-injected", ids[0], "none"), "no injected fault none")
    lines(quota(state, "clear-injected"))
    assert lines(quota(state, "injected")) == []
    with opened(Settings(state)) as found:
        rows = stream(audit_sources(found), Filter(event_names=("InjectFault", "RemoveInjectedFault")))
        accounts = [(row.event_name, row.account) for row in rows]
    assert accounts == [
        ("InjectFault", "000000000000"), ("InjectFault", "111122223333"), ("InjectFault", "000000000000"),
        ("RemoveInjectedFault", "111122223333"), ("RemoveInjectedFault", "000000000000"),
        ("RemoveInjectedFault", "000000000000"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Error, DelayInMilliseconds, or both"),
        (("--delay", "1h"), "write 200ms or 2s"),
        (("--delay", "26s"), "25000"),
        ((*THROTTLE, "--calls", "2", "--forever"), "not both"),
        ((*THROTTLE, "--schedule", "00"), "schedule"),
        ((*THROTTLE, "--key", "1234abcd-12ab-34cd-56ef-1234567890ab"), "there is no key"),
        ((*THROTTLE, "--operation", "Encrpyt"), "there is no operation Encrpyt"),
        ((*THROTTLE, "--operation", "InjectFault"), "there is no operation InjectFault"),
        ((*THROTTLE, "--account", "12"), "twelve digits"),
    ],
    ids=range(9),
)
def test_what_cannot_be_meant_is_one_line(state: Path, arguments: tuple[str, ...], words: str) -> None:
    refused(quota(state, "inject", *arguments), words)
    assert lines(quota(state, "injected")) == []
