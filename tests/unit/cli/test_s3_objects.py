"""`kms-server s3 verify`, `rewrap` and `sweep` beside a running server."""

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kms_server.cli.main import cli
from kms_server.cli.operator import opened
from kms_server.errors import OperatorError
from kms_server.s3.blobs.local import LocalBlobs
from kms_server.s3.blobs.store import StoreUnavailable
from kms_server.storage import keys
from tests.s3_in_process import KINDS, S3InProcess, advance

LONG = b"x" * 100_000


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3InProcess]:
    made = S3InProcess(tmp_path / "data")
    for bucket in ("photos", "papers"):
        made.ok("PUT", f"/{bucket}")
        for name, headers in KINDS.items():
            made.ok("PUT", f"/{bucket}/{name.replace(' ', '-')}-{bucket}", LONG, headers)
    yield made
    made.close()


def run(s3: S3InProcess, *arguments: str, code: int = 0) -> Result:
    told = CliRunner().invoke(cli, ["s3", *arguments, "--data-dir", str(s3.state.settings.data_dir)])
    assert told.exit_code == code, (told.output, told.exception)
    return told


def damage(s3: S3InProcess, key: str) -> None:
    [part] = s3.parts(s3.version(key)["number"])
    path = s3.blob(part["blob_id"])
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def position(s3: S3InProcess) -> Path:
    return s3.state.settings.state_dir / "s3-verify.json"


def test_what_is_whole_is_whole(s3: S3InProcess) -> None:
    s3.ok("PUT", "/photos/empty")
    s3.ok(
        "PUT",
        "/papers?versioning",
        b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    )
    s3.ok("DELETE", "/papers/SSE-S3-papers")
    assert run(s3, "verify").stdout == (
        "11 versions with 1000000 bytes verified, 2 of them by their structure alone: 0 damaged, "
        "0 blobs that belong to nothing\n"
    )
    assert not position(s3).exists()
    audit = ["audit", "query", "--data-dir", str(s3.state.settings.data_dir), "--format", "jsonl", "--event"]
    [record] = CliRunner().invoke(cli, [*audit, "VerifyObjects"]).stdout.splitlines()
    assert json.loads(record)["userIdentity"]["type"] == "Operator"


def test_the_damaged_are_named(s3: S3InProcess) -> None:
    damage(s3, "DSSE-photos")
    damage(s3, "SSE-KMS-papers")
    lines = run(s3, "verify", code=1).stdout.splitlines()
    assert [line.split("  ")[:3] for line in lines[:-1]] == [
        ["photos", "'DSSE-photos'", "null"],
        ["papers", "'SSE-KMS-papers'", "null"],
    ]
    assert ": 2 damaged," in lines[-1]
    assert "'DSSE-photos'" in run(s3, "verify", "--bucket", "photos", code=1).stdout
    assert "1 versions" in run(s3, "verify", "--bucket", "photos", "--prefix", "SSE-K").stdout


def test_an_interrupted_run_is_resumed(s3: S3InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    damage(s3, "SSE-S3-photos")
    away = s3.parts(s3.version("SSE-S3-papers")["number"])[0]["blob_id"]
    read = LocalBlobs.read

    def failing(self: LocalBlobs, blob_id: str, first: int, count: int) -> bytes:
        if blob_id == away:
            raise StoreUnavailable("away")
        return read(self, blob_id, first, count)

    with monkeypatch.context() as patched:
        patched.setattr(LocalBlobs, "read", failing)
        interrupted = run(s3, "verify", code=1)
    assert "'SSE-S3-photos'" in interrupted.stdout
    assert stat.S_IMODE(position(s3).stat().st_mode) == 0o600
    assert isinstance(run(s3, "verify", "--resume", "--bucket", "photos", code=1).exception, OperatorError)
    rest = run(s3, "verify", "--resume", code=1).stdout
    assert "'SSE-S3-photos'" not in rest
    assert rest.startswith("10 versions with 1000000 bytes verified, 2 of them")
    assert ": 1 damaged," in rest
    assert isinstance(run(s3, "verify", "--resume", code=1).exception, OperatorError)


def test_a_kms_key_that_is_not_here_leaves_the_structure(s3: S3InProcess) -> None:
    key_id = s3.version("SSE-KMS-photos")["key_arn"].rpartition("/")[2]
    with s3.database.write() as tx:
        key = keys.get(tx.connection, key_id, "us-east-1")
        assert key is not None
        keys.remove(tx, key, s3.state.clock.now())
    assert "8 of them by their structure alone: 0 damaged" in run(s3, "verify").stdout
    path = s3.blob(s3.parts(s3.version("DSSE-photos")["number"])[0]["blob_id"])
    path.write_bytes(path.read_bytes()[:-1])
    assert run(s3, "verify", code=1).stdout.startswith(
        "photos  'DSSE-photos'  null  some of its sealed bytes"
    )


def test_strangers_are_counted_and_swept(s3: S3InProcess) -> None:
    s3.ok("PUT", "/photos/SSE-S3-photos", LONG)
    s3.close()  # it would sweep by itself
    objects = s3.state.settings.data_dir / "objects"
    for place in ("incoming", "00/00"):
        (objects / place).mkdir(parents=True, exist_ok=True)
        stranger = objects / place / f"0000{place[:2].encode().hex():0>28}"
        stranger.write_bytes(b"x")
        os.utime(stranger, (1.0, 1.0))
    assert run(s3, "verify").stdout.endswith("2 blobs that belong to nothing\n")
    assert run(s3, "sweep").stdout == "1 deleted, 0 settled\n"
    assert run(s3, "sweep", "--older-than", "0").stdout == "1 deleted, 0 settled\n"
    assert ": 0 damaged, 1 blobs" in run(s3, "verify").stdout


def test_all_is_rewrapped(s3: S3InProcess) -> None:
    s3.close()
    with opened(replace(s3.state.settings)) as state:
        advance(state, 31)
    assert run(s3, "rewrap").stdout == "4 rewrapped, 0 failed\n"
    assert run(s3, "rewrap").stdout == "0 rewrapped, 0 failed\n"
    assert ": 0 damaged" in run(s3, "verify").stdout


@pytest.mark.parametrize(
    "arguments", [["--bucket", "nowhere"], ["--prefix", "a"], ["--s3-store", "memory://"], ["--resume"]]
)
def test_what_cannot_be_is_said(s3: S3InProcess, arguments: list[str]) -> None:
    assert isinstance(run(s3, "verify", *arguments, code=1).exception, OperatorError)
