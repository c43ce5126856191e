"""What commands and the start of a server read: files that an operator may have from elsewhere, and what a store gives back."""

import gzip
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from kms_server.audit import checkpoint_delivery, record_files
from kms_server.audit.checkpoint import Checkpoint, Complete
from kms_server.audit.signing import PublicKey, SigningKeys
from kms_server.audit.trail.destination import Delivered
from kms_server.audit.trail.directory import DirectoryDestination
from kms_server.audit.verification import digest
from kms_server.audit.verification.delivered_files import Damaged, Name
from kms_server.cli import audit_filters, issuer
from kms_server.cli.serve import serve
from kms_server.crypto.stream import PartOpener, PartSealer, StreamError
from kms_server.errors import OperatorError, ServiceError
from kms_server.keys.seeds.seed import Home
from kms_server.operations import seeding
from kms_server.operations.counted import attempt_of
from kms_server.quotas import profiles
from kms_server.quotas.attempts import Attempts
from kms_server.quotas.replay import Replay
from kms_server.quotas.rules import Rules
from kms_server.quotas.table import QUOTAS
from kms_server.root_keys.file import FileRootKey
from kms_server.s3.encryption import envelope
from kms_server.s3.encryption.manifest_format import Manifest, ManifestError, PartDetails
from kms_server.s3.errors import InternalError
from kms_server.server import forward_secret

_HOME = Home("000000000000", "us-east-1")
_DELIVERED = Path(tempfile.mkdtemp(prefix="kms-fuzz-file-"))
_NAME = Name("20261122T070000Z", "us-east-1", "bucket", "key")
_OBJECT_KEY = bytes(range(32))
_SEALER = PartSealer(_OBJECT_KEY, None, b"part")
_SEALED = bytes(_SEALER.update(b"content")) + bytes(_SEALER.finish())


@click.command()
@audit_filters.filter_options
def _filtered(**_: Any) -> None:
    """A command that only reads its options."""


class _NoKeys(SigningKeys):
    """A server that has made no keys."""

    def __init__(self) -> None:
        pass

    def find(self, fingerprint: str) -> PublicKey | None:
        """None, of whatever could be a fingerprint."""
        assert type(fingerprint) is str
        return None


_KEYS = _NoKeys()


def _written(data: bytes, suffix: str = "") -> Path:
    path = _DELIVERED / f"operator{suffix}"
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def _refusing(step: Callable[[], Any]) -> None:
    with suppress(OperatorError, ServiceError, click.ClickException):
        step()


def seed(data: bytes) -> None:
    """Seed files."""
    _refusing(lambda: seeding.parse(data, _HOME))


def configuration(data: bytes) -> None:
    """Configuration files, with the options and tables that they set."""
    arguments = ["--config", str(_written(data))]
    _refusing(lambda: serve.make_context("serve", arguments))


def profile(data: bytes) -> None:
    """Quota profiles."""

    def read() -> None:
        made = profiles.find(str(_written(data, ".toml")))
        for quota in QUOTAS:
            for region in ("us-east-1", "eu-central-1"):
                made.value(quota, region, None)

    _refusing(read)


def secrets(data: bytes) -> None:
    """Files with a root key, a shared secret, or an issuer's keys."""
    path = _written(data)
    for step in (FileRootKey.load_all, forward_secret.load_key, issuer._public_keys):
        _refusing(lambda step=step: step(path))  # type: ignore[misc]  # the loop's own


def filters(data: bytes) -> None:
    """What the options of `audit query` say of records."""
    names = [
        "--since",
        "--until",
        "--source-ip",
        "--principal",
        "--object",
        "--context",
        "--account",
        "--region",
        "--category",
    ]
    texts = data.decode("utf-8", "surrogateescape").split("\0")
    arguments = [part for name, text in zip(names, texts, strict=False) for part in (name, text)]
    _refusing(lambda: _filtered.make_context("filtered", arguments))


def records(data: bytes) -> None:
    """Audit logs from elsewhere, and what they count as."""

    def read() -> None:
        with Attempts() as attempts:
            for attempt in record_files.read(_written(data), attempt_of, lambda _: None):
                if attempt is not None:
                    attempts.add(attempt)
            replay = Replay(Rules({}, profiles.find("aws")))
            for attempt in attempts:
                replay.add(attempt)

    _refusing(read)


def delivered(data: bytes) -> None:
    """Digests, their metadata and checkpoints as a bucket gives them back."""
    body, _, metadata = data.partition(b"\0")
    (_DELIVERED / "file").write_bytes(gzip.compress(body, 1, mtime=0))
    (_DELIVERED / "file.metadata").write_bytes(metadata)
    found = DirectoryDestination(_DELIVERED).get("file")
    rightly = replace(found, metadata={"signature": "0" * 512, "signature-algorithm": "SHA256withRSA"})
    for file in (found, rightly, Delivered(data, found.metadata)):
        with suppress(Damaged):
            digest.read(_NAME, file, _KEYS.find)
    with suppress(ValueError):
        checkpoint_delivery.opened(body, _KEYS)


def checkpoints(data: bytes) -> None:
    """Checkpoints that a database has."""
    text = data.decode("latin-1")
    for kind in (Checkpoint, Complete):
        with suppress(ValueError):
            kind.decode(text)


def sealed(data: bytes) -> None:
    """What the store of objects, or the database, has of an object."""
    for step in (lambda: Manifest.decode(data), lambda: PartDetails.decode(data)):
        with suppress(ManifestError):
            step()
    with suppress(InternalError):
        envelope.decode(data)
    header, chunks = data[:70], data[70:]
    with suppress(StreamError):
        opener = PartOpener(bytes(32), None, b"part", header, len(chunks))
        opener.open(chunks, 0, len(chunks))
    with suppress(StreamError):
        opener = PartOpener(_OBJECT_KEY, None, b"part", _SEALER.header, max(0, len(data) - 16))
        opener.open(data, 0, opener.size)


TARGETS = (seed, configuration, profile, secrets, filters, records, delivered, checkpoints, sealed)
EXAMPLES = {
    "seed": [
        b"Keys:\n  - KeyId: 1234abcd-12ab-34cd-56ef-1234567890ab\n    Aliases: [alias/orders]\n    Tags: {a: b}\n    Material: {Hex: " + b"00" * 32 + b"}\n",
        b"Keys:\n  Symmetric:\n    Aes:\n      - Metadata:\n          KeyId: bc436485-5092-42b8-92a3-0aa8b93536dc\n        BackingKeys:\n          - " + b"5c" * 32
        + b"\nAliases:\n  - AliasName: alias/testing\n    TargetKeyId: bc436485-5092-42b8-92a3-0aa8b93536dc\n",
    ],
    "configuration": [
        b'port = 1\nworkers = 2\nservices = "kms,s3"\n[audit.buckets.a]\ndirectory = "/tmp/a"\n[audit.buckets.b]\nendpoint = "https://s3.test"\n',
        b'trusted-proxies = "10.0.0.0/8"\nmetrics_from = "::1"\naudit-retention-size = "20GiB"\nquota-profile = "aws-eu-west-1"\n',
    ],
    "profile": [b'base = "aws"\n[quotas]\nEncrypt = 5\n[regions.eu-central-1]\nEncrypt = { rate = 1.5, burst = 3 }\n'],
    "secrets": [
        b"kms-server-root-key 1 1 " + b"00" * 32 + b"\n", b"A" * 43 + b"=\n",
        b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}]}',
    ],
    "filters": [b"2026-11-20T09:14:07Z\x003d\x0010.0.0.0/8\0arn:aws:iam::000000000000:user/a\0s3://b/k\0a=b\x00000000000000\0us-east-1\0data"],
    "records": [
        (b'{"Records":[{"eventType":"AwsApiCall","eventTime":"2026-11-20T09:14:07Z","eventSource":"kms.amazonaws.com","eventName":"Encrypt",'
        b'"awsRegion":"us-east-1","recipientAccountId":"000000000000","eventID":"1234abcd-12ab-34cd-56ef-1234567890ab","userIdentity":{}}]}'),
        (b'{"eventType":"AwsApiCall","eventTime":"2026-11-20T09:14:07.5Z","eventSource":"kms.amazonaws.com","eventName":"Decrypt",'
        b'"awsRegion":"us-east-1","eventID":"1234abcd-12ab-34cd-56ef-1234567890ab","userIdentity":{"accountId":"000000000000"},'
        b'"requestParameters":{"encryptionAlgorithm":"RSAES_OAEP_SHA_256"},"resources":[{}]}\n'),
    ],
    "delivered": [
        (b'{"digestS3Bucket":"bucket","digestS3Object":"key","digestSignatureAlgorithm":"SHA256withRSA","digestPublicKeyFingerprint":"ab",'
        b'"digestStartTime":"2026-11-22T06:00:00Z","digestEndTime":"2026-11-22T07:00:00Z","previousDigestS3Bucket":null,'
        b'"previousDigestS3Object":null,"previousDigestHashValue":null,"previousDigestHashAlgorithm":null,"previousDigestSignature":null,'
        b'"logFiles":[{"s3Bucket":"bucket","s3Object":"log","hashValue":"00","hashAlgorithm":"SHA-256"}]}\0{"signature":"00"}'),
        b'{"body":"{}","signature":"00","fingerprint":"ab"}\0{}',
    ],
    "checkpoints": [
        b'{"number":1,"time":1.0,"previous":null,"base":true,"heads":{"a":[1,"00"]},"pruned":{},"since":0,"gone":[],"hash":"00"}',
    ],
    "sealed": [_SEALER.header + _SEALED, _SEALED, b"\x01" + bytes(60)],
}  # fmt: skip
