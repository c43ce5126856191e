"""What `kms-server identity explain` cannot tell, and what its help says."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kms_server.cli.explain import explain
from kms_server.config import Settings
from kms_server.errors import OperatorError
from tests.databases import prepared

ROOT = "arn:aws:iam::000000000000:root"
NOBODY = "arn:aws:iam::000000000000:user/nobody"
DECRYPT = ["--principal", ROOT, "--action", "kms:Decrypt"]
REFUSALS = [
    ([], "--principal"),
    (["--principal", ROOT], "--action"),
    (["--principal", NOBODY, "--action", "kms:Decrypt"], NOBODY),
    (["--principal", "mira", "--action", "kms:Decrypt"], "there is no mira"),
    (["--principal", "arn:aws:iam::999999999999:root", "--action", "kms:Decrypt"], "there is no arn"),
    (["--principal", ROOT, "--action", "kms:Fly"], "no action"),
    ([*DECRYPT, "--key", "alias/none"], "there is no key alias/none in us-east-1"),
    ([*DECRYPT, "--key", "arn:aws:s3:::b"], "Invalid arn"),
    ([*DECRYPT, "--key", "x"], "Invalid keyId"),
    ([*DECRYPT, "--key", "alias/a", "--resource", "*"], "either --key or --resource"),
    ([*DECRYPT, "--context", "x"], "KEY=VALUE"),
    ([*DECRYPT, "--encryption-context", "=x"], "KEY=VALUE"),
    (["--request-id", "%"], "no request id"),
    (["--request-id", "6d3a4a1e-8f8e-4c27-9d0b-0c5a3f9d2b11"], "has no request"),
    (["--request-id", "x", "--action", "kms:Decrypt"], "leave out"),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("explain") / "data"
    prepared(Settings(made))
    return made


def invoked(directory: Path, *arguments: str) -> Result:
    return CliRunner().invoke(explain, [*arguments, "--data-dir", str(directory)])


@pytest.mark.parametrize(("arguments", "words"), REFUSALS)
def test_what_cannot_be_told(directory: Path, arguments: list[str], words: str) -> None:
    result = invoked(directory, *arguments)
    assert isinstance(result.exception, OperatorError)
    assert words in str(result.exception)
    assert result.output == ""


def test_the_exit_code_tells_the_decision(directory: Path) -> None:
    allowed = invoked(directory, *DECRYPT)
    assert (allowed.exit_code, allowed.output.splitlines()[0]) == (
        0,
        "ALLOWED: the caller's identity allows it",
    )


def test_help() -> None:
    said = CliRunner().invoke(explain, ["--help"]).output
    for words in ("--request-id", "exit code", "alias/orders", "--encryption-context"):
        assert words in said
