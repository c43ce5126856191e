"""What a bucket may give back in place of what was delivered: it is damaged, and nothing worse."""

import gzip
import json
from pathlib import Path

import pytest

from kms_server.audit import checkpoint
from kms_server.audit.signing import PublicKey
from kms_server.audit.trail.destination import Delivered
from kms_server.audit.trail.directory import DirectoryDestination
from kms_server.audit.verification import delivered_files, digest
from kms_server.audit.verification.delivered_files import Damaged, Name, inflated
from tests.fuzz import operator_targets

NAME = Name("20261122T070000Z", "us-east-1", "bucket", "key")
METADATA = {"signature": "0" * 512, "signature-algorithm": "SHA256withRSA"}
(TOLD,) = [json.loads(one.partition(b"\0")[0]) for one in operator_targets.EXAMPLES["delivered"][:1]]
DEEP = b"[" * 100_000


def text_only(fingerprint: str) -> PublicKey | None:
    assert isinstance(fingerprint, str)
    return None


def read(content: bytes) -> None:
    digest.read(NAME, Delivered(gzip.compress(content), METADATA), text_only)


def test_the_example_is_refused_for_its_key_alone() -> None:
    with pytest.raises(Damaged, match="is not this server's"):
        read(json.dumps(TOLD).encode())


@pytest.mark.parametrize("fingerprint", [[], {}, 7, None, ["ab"]], ids=str)
def test_a_fingerprint_of_another_type(fingerprint: object) -> None:
    with pytest.raises(Damaged, match="not a digest"):
        read(json.dumps(TOLD | {"digestPublicKeyFingerprint": fingerprint}).encode())


def test_a_digest_that_is_too_deep() -> None:
    with pytest.raises(Damaged, match="not a digest"):
        read(DEEP)


def test_a_file_that_grows_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivered_files, "_MOST_BYTES", 1_000)
    assert len(inflated(gzip.compress(bytes(1_000)))) == 1_000
    with pytest.raises(Damaged, match="more than 1,000 bytes"):
        inflated(gzip.compress(bytes(1_001)))


@pytest.mark.parametrize("metadata", [b"[]", b"7", b"null", b'{"signature": 7}', DEEP, b"\xff"], ids=range(6))
def test_metadata_of_another_kind(tmp_path: Path, metadata: bytes) -> None:
    destination = DirectoryDestination(tmp_path)
    destination.put("file", gzip.compress(json.dumps(TOLD).encode()), METADATA)
    (tmp_path / "file.metadata").write_bytes(metadata)
    found = destination.get("file")
    assert found.metadata == {}
    with pytest.raises(Damaged):
        digest.read(NAME, found, text_only)


@pytest.mark.parametrize("seq", ["1e999", "NaN", "[]", DEEP.decode()], ids=["inf", "nan", "list", "deep"])
def test_a_checkpoint_that_is_none(seq: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        checkpoint.Checkpoint.decode(
            f'{{"number":1,"time":1,"previous":null,"base":true,"heads":{{"a":[{seq},"00"]}},"pruned":{{}},"since":0,"gone":[]}}'
        )
