"""A root key under a key of another KMS: asked once, refused in one line, bound to its file."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_server.errors import OperatorError
from kms_server.root_keys.kms import KmsPlace
from tests.root_kms import RootKms, running

ARN = "arn:aws:kms:eu-west-1:000000000000:key/00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RootKms]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running(tmp_path_factory.mktemp("kms") / "data", patch) as found,
    ):
        yield found


def source(kms: RootKms, directory: Path, arn: str | None = None) -> KmsPlace:
    return KmsPlace(arn or kms.arn, kms.url, directory / "root.kms")


def test_it_is_asked_once(kms: RootKms, tmp_path: Path) -> None:
    made = source(kms, tmp_path).create()
    later = source(kms, tmp_path)
    later.check()
    kms.client.disable_key(KeyId=kms.arn)
    try:
        assert later.load().fingerprint == made.fingerprint
        with pytest.raises(OperatorError, match="refuses Decrypt: DisabledException"):
            source(kms, tmp_path).check()
    finally:
        kms.client.enable_key(KeyId=kms.arn)


@pytest.mark.parametrize("change", [(b" 1 kms 1 ", b" 1 kms 2 "), (b"\n", b"00\n")])
def test_whatever_is_altered_in_the_file_opens_nothing(
    kms: RootKms, tmp_path: Path, change: tuple[bytes, bytes]
) -> None:
    source(kms, tmp_path).create()
    path = tmp_path / "root.kms"
    path.write_bytes(path.read_bytes().replace(*change))
    with pytest.raises(OperatorError, match="refuses Decrypt: InvalidCiphertextException"):
        source(kms, tmp_path).load()


def test_the_key_is_the_one_that_is_named(kms: RootKms, tmp_path: Path) -> None:
    source(kms, tmp_path).create()
    with pytest.raises(OperatorError, match=f"give --root-key kms:{kms.arn}"):
        source(kms, tmp_path, ARN).load()
    with pytest.raises(OperatorError, match="refuses Encrypt: NotFoundException"):
        source(kms, tmp_path / "elsewhere", ARN).create()


def test_credentials_come_from_a_file_too(
    kms: RootKms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    file.touch(mode=0o600)
    file.write_text(
        f"[root]\naws_access_key_id = {os.environ['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {os.environ['AWS_SECRET_ACCESS_KEY']}\n"
    )
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(OperatorError, match="AWS_SHARED_CREDENTIALS_FILE"):
        source(kms, tmp_path).check()
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    with pytest.raises(OperatorError, match="profile default"):
        source(kms, tmp_path).check()
    monkeypatch.setenv("AWS_PROFILE", "root")
    source(kms, tmp_path).create()


def test_a_kms_that_does_not_decrypt_again_seals_nothing(kms: RootKms, tmp_path: Path) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"},
                      {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}],
    }  # fmt: skip
    arn = kms.client.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
    with pytest.raises(OperatorError, match="refuses Decrypt: AccessDeniedException"):
        source(kms, tmp_path, arn).create()
    assert not (tmp_path / "root.kms").exists()


def test_nobody_at_the_endpoint(kms: RootKms, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="does not answer"):
        KmsPlace(ARN, "http://127.0.0.1:1", tmp_path / "root.kms").create()
    assert not (tmp_path / "root.kms").exists()


@pytest.mark.parametrize(
    ("arn", "endpoint", "said"),
    [
        ("alias/x", None, "ARN of a key"), (ARN.replace(":key/", ":alias/"), None, "ARN of a key"),
        (ARN + " ", None, "ARN of a key"), (ARN, "http://10.0.0.1", "needs https"), (ARN, "ftp://x", "not a URL"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(arn: str, endpoint: str | None, said: str) -> None:
    with pytest.raises(OperatorError, match=said):
        KmsPlace(arn, endpoint, Path("root.kms"))
