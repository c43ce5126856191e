"""Which KMS the S3 layer asks, and what `serve` says of options that do not fit."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from kms_server.cli.main import cli
from kms_server.config import Settings
from kms_server.connections import Endpoint
from kms_server.errors import OperatorError
from kms_server.server.forward_secret import create
from kms_server.server.kms_client import check_kms, kms_endpoint

HERE = "http://127.0.0.1:4599"


@pytest.mark.parametrize(
    ("url", "endpoint", "authority"),
    [
        ("https://kms.example", Endpoint(True, "kms.example", 443), "kms.example"),
        ("https://kms.example:443/", Endpoint(True, "kms.example", 443), "kms.example"),
        ("http://KMS.example:4599/", Endpoint(False, "kms.example", 4599), "kms.example:4599"),
        ("http://[::1]:80", Endpoint(False, "::1", 80), "[::1]"),
    ],
)
def test_endpoints(url: str, endpoint: Endpoint, authority: str) -> None:
    assert kms_endpoint(url) == endpoint
    assert endpoint.authority == authority


@pytest.mark.parametrize(
    "url",
    ["", "kms.example", "ftp://kms.example", "http://", "http://a/b", "http://a?b", "http://u:p@a", "http://a:b", "http://[a"],
)  # fmt: skip
def test_what_is_no_endpoint(url: str) -> None:
    with pytest.raises(OperatorError, match="--kms-endpoint is not a URL"):
        kms_endpoint(url)


def test_any_kms_needs_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings(tmp_path, kms_endpoint="https://kms.example")
    with pytest.raises(OperatorError, match="--forward-secret"):
        check_kms(settings)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    check_kms(settings)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none"))
    with pytest.raises(OperatorError, match="AWS_CA_BUNDLE"):
        check_kms(settings)


REFUSED = [
    (["--services", "kms,ec2"], "'ec2' is no service: they are kms, cloudtrail"),
    (["--services", ""], "'' is no service"),
    (["--services", "s3"], "the s3 service needs a KMS"),
    (["--services", "kms", "--kms-endpoint", HERE], "--kms-endpoint is for the s3 service"),
    (["--services", "sts", "--forward-secret", "SECRET"], "--forward-secret is for the kms service"),
    (["--kms-endpoint", "nonsense"], "--kms-endpoint is not a URL"),
    (["--kms-endpoint", "http://kms.example", "--forward-secret", "SECRET"], "could be read by others: use https"),
    (["--dev", "--kms-endpoint", HERE, "--forward-secret", "SECRET"], "--dev takes everybody's word"),
    (["--forward-secret", "/none"], "cannot read the secret /none"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "text"), REFUSED, ids=range(len(REFUSED)))
def test_options_that_do_not_fit(tmp_path: Path, options: list[str], text: str) -> None:
    create(tmp_path / "secret")
    given = [str(tmp_path / "secret") if one == "SECRET" else one for one in options]
    told = CliRunner().invoke(cli, ["serve", "--data-dir", str(tmp_path / "data"), *given])
    assert isinstance(told.exception, OperatorError), told.output
    assert text in str(told.exception)
    assert not (tmp_path / "data").exists()
