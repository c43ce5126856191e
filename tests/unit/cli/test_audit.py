"""`kms-server audit query`: both logs, contexts and formats."""

import csv
import io
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kms_server.audit import event_id
from kms_server.audit.group_commit import wait
from kms_server.audit.record import rows_of
from kms_server.cli.main import cli
from kms_server.errors import OperatorError
from kms_server.storage import keys
from tests.unit.audit.audit_rows import row
from tests.unit.audit.test_record import KEY, event
from tests.unit.operations.service import Service

OBJECT, AWAY = "arn:aws:s3:::ledger/a", "222222222222"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a running service that has recorded something of each kind."""
    path = tmp_path_factory.mktemp("service") / "data"
    service = Service(path)
    key = service.key()["Arn"]
    service.ok("Encrypt", KeyId=key, Plaintext=b"p", EncryptionContext={"tenant": "a=b,c"})
    service.ok("Encrypt", KeyId=key, Plaintext=b"p", EncryptionContext={"tenant": "other"})
    put = row(
        event_name="PutObject", resource_1=OBJECT,
        record='{"eventTime":"2026-11-20T09:14:07Z","eventSource":"s3.amazonaws.com","eventCategory":"Data",'
        '"userIdentity":{},"requestParameters":null,"sourceIPAddress":"192.0.2.1"}',
    )  # fmt: skip
    wait(service._worker.data_commit.submit(put), 5)
    service.close()
    return path


def ask(directory: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["audit", "query", "--data-dir", str(directory), *arguments])


def names(directory: Path, *arguments: str) -> list[str]:
    """The events that a question finds, by name."""
    told = ask(directory, "--format", "csv", *arguments)
    assert told.exit_code == 0, told.output
    return [one["eventName"] for one in csv.DictReader(io.StringIO(told.stdout))]


def test_both_logs_are_asked(directory: Path) -> None:
    # Records of one millisecond come in any order.
    assert sorted(names(directory)) == ["CreateKey", "Encrypt", "Encrypt", "PutObject"]
    assert names(directory, "--category", "data") == ["PutObject"]
    assert sorted(names(directory, "--category", "management")) == ["CreateKey", "Encrypt", "Encrypt"]
    assert names(directory, "--key", OBJECT) == ["PutObject"]


def test_a_context(directory: Path) -> None:
    assert names(directory, "--context", "tenant=a=b,c") == ["Encrypt"]
    assert names(directory, "--context", "tenant=a") == []
    assert names(directory, "--context", "tenant=a=b,c", "--context", "tenant=other") == []


def test_a_key_that_is_gone_is_found_by_its_id(directory: Path, tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    arn, other = service.key()["Arn"], service.key()["Arn"]
    with service.database.write() as tx:
        key = keys.get(tx.connection, arn.rpartition("/")[2], "us-east-1")
        assert key is not None
        keys.remove(tx, key, 1_790_000_000.0)
    service.close()
    told = ask(tmp_path / "data", "--format", "jsonl", "--key", key.key_id).stdout
    assert [arn in line for line in told.splitlines()] == [True]
    assert other not in told


def test_an_alias_of_another_account_is_found_there(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    key = service.key()["Arn"]
    service.ok("CreateAlias", AliasName="alias/orders", TargetKeyId=key)
    service.close()
    asked = ["--key", "alias/orders", "--region", "us-east-1"]
    assert sorted(names(tmp_path / "data", *asked)) == ["CreateAlias", "CreateKey"]
    for elsewhere in (["--region", "eu-west-1"], ["--account", "111122223333"]):
        told = ask(tmp_path / "data", "--key", "alias/orders", *elsewhere)
        assert isinstance(told.exception, OperatorError)


def test_a_progress_bar_goes_through_the_time(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    arguments = ["audit", "stats", "--data-dir", str(directory), "--by", "event"]
    cli(arguments, standalone_mode=False)
    said = capsys.readouterr()
    assert "100%" in said.err
    assert said.out.startswith("4 records by event, ")


@pytest.mark.parametrize(
    "option", ["--event=\udc80", "--context=a=\udc80", "--context=\udc80=a", "--user=\udc80"]
)
def test_what_is_no_text_is_refused(directory: Path, option: str) -> None:
    told = ask(directory, option)
    assert isinstance(told.exception, OperatorError)
    assert "UTF-8" in str(told.exception)


@pytest.mark.parametrize(
    "command", [("query", "--limit"), ("tail", "-n"), ("stats", "--top")], ids=lambda one: one[0]
)
def test_more_than_any_log_has(directory: Path, command: tuple[str, str]) -> None:
    name, option = command
    told = CliRunner().invoke(cli, ["audit", name, "--data-dir", str(directory), option, str(10**20)])
    assert told.exit_code == 2
    assert "is not in the range" in told.output


def test_an_address_that_stands_for_another(directory: Path) -> None:
    assert names(directory, "--source-ip", "::ffff:192.0.2.1") == ["PutObject"]
    assert names(directory, "--source-ip", "::ffff:192.0.2.0/120") == ["PutObject"]
    assert names(directory, "--source-ip", "::ffff:192.0.2.2") == []


def test_what_another_account_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns the key sees whose call it was; the call counts once, and for the owner where they ask for themselves."""
    monkeypatch.setenv("COLUMNS", "200")
    service = Service(tmp_path / "data")
    now, caller = (
        time.time(),
        {"type": "Root", "principalId": AWAY, "arn": f"arn:aws:iam::{AWAY}:root", "accountId": AWAY},
    )
    used = event(event_id=event_id.new(now), time=now, account=AWAY, identity=caller)
    wait(service._worker.data_commit.submit(*rows_of(used)), 5)
    service.close()
    told = ask(tmp_path / "data", "--account", "111122223333").stdout
    assert told.splitlines()[1].split()[2:5] == ["Encrypt", AWAY, "-"]

    def counted(*arguments: str) -> list[tuple[str, int]]:
        asked = ["audit", "stats", "--data-dir", str(tmp_path / "data"), "--format", "json", *arguments]
        lines = json.loads(CliRunner().invoke(cli, asked).stdout)["lines"]
        return [(line["value"], line["calls"]) for line in lines]

    assert counted("--by", "key") == [(KEY, 1)]
    assert counted("--by", "principal") == [(caller["arn"], 1)]
    assert counted("--by", "principal", "--account", "111122223333") == [(AWAY, 1)]


def test_a_context_without_a_value(directory: Path) -> None:
    assert isinstance(ask(directory, "--context", "tenant").exception, OperatorError)


def test_csv(directory: Path) -> None:
    told = ask(directory, "--format", "csv", "--context", "tenant=a=b,c").stdout
    (one,) = csv.DictReader(io.StringIO(told))
    assert json.loads(one["encryptionContext"]) == {"tenant": "a=b,c"}
    assert one["userArn"] == "arn:aws:iam::000000000000:root"
    assert one["eventCategory"] == "Management"
    assert one["resource"].startswith("arn:aws:kms:")
    assert one["errorCode"] == ""
    assert one["requestID"]
    assert one["eventID"]
