"""Which blob store an operator gets."""

from pathlib import Path

import pytest

from kms_server.errors import OperatorError
from kms_server.s3.blobs.local import LocalBlobs
from kms_server.s3.blobs.opening import open_store
from kms_server.s3.blobs.remote import RemoteBlobs


def test_the_local_disk_is_the_default(tmp_path: Path) -> None:
    assert isinstance(open_store(None, tmp_path), LocalBlobs)
    assert (tmp_path / "objects" / "incoming").is_dir()


def test_a_data_directory_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "objects").touch()
    with pytest.raises(OperatorError, match=r"cannot use .*/objects: "):
        open_store(None, tmp_path)


@pytest.mark.parametrize(
    "url", ["s3://bucket", "s3://bucket/a/b", "gs://bucket/a", "az://container/a", "memory://"]
)
def test_a_url_names_an_upstream_store(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert isinstance(open_store(url, tmp_path), RemoteBlobs)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bucket",
        "s3:",
        "s3://",
        "file:///tmp",
        "http://host/x",
        "ftp://host",
        "s3:///prefix",
        "s3://[bad",
        "s3://user:secret@bucket",
    ],
)
def test_another_url_is_refused_in_one_line(url: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as told:
        open_store(url, tmp_path)
    assert "\n" not in str(told.value)


def test_what_the_store_itself_lacks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(OperatorError, match=r"--s3-store az://container cannot be used: .*Account") as told:
        open_store("az://container", tmp_path)
    assert "\n" not in str(told.value)
