"""No byte of an object in clear, and no key of one, is found at rest: not in files, the database or its log."""

import hashlib
import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kms_server.crypto import wrap
from kms_server.s3.encryption import envelope as envelopes
from kms_server.s3.encryption.envelope import binding
from kms_server.s3.encryption.types import DSSE_KMS, SSE_C, SSE_KMS, Target
from kms_server.storage import buckets, objects
from kms_server.storage.database import open_database
from tests.databases import new_url
from tests.faults.planted import forms
from tests.faults.test_secrets_at_rest import materials, places
from tests.functional.s3_client import MIB, connected, new_bucket, s3_client, signed, upload
from tests.functional.s3_kinds import customer, customer_headers
from tests.functional.server_process import ServerProcess, StartServer
from tests.postgres_server import Postgres

# A multiple of three bytes, so that base64 of the middle of an object shows it, too.
PLANTED = b"planted-in-an-object-1f6cbb0e-7a92-4"
VISIBLE = "metadata-stays-readable-93f0"
CUSTOMER_KEY = b"k" * 16 + b"planted-customer"
INLINE, LARGE = 900, 90_000


def planted(size: int) -> bytes:
    return (PLANTED * (size // len(PLANTED) + 1))[:size]


def kinds(key: str) -> dict[str, dict[str, Any]]:
    kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    return {
        "default": {},
        "kms": kms,
        "bucket-key": kms | {"BucketKeyEnabled": True},
        "dsse": {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": key},
        "customer": customer() | {"SSECustomerKey": CUSTOMER_KEY.decode()},
    }


def store(s3: Any, bucket: str, key: str) -> Iterator[bytes]:
    """Objects of every shape under every kind; what nobody may learn of them."""
    parts = [planted(5 * MIB), planted(INLINE)]
    for kind, asked in kinds(key).items():
        for size in (INLINE, LARGE):
            place = {"Bucket": bucket, "Key": f"{kind}/{size}", "Metadata": {"note": VISIBLE}}
            s3.put_object(**place, Body=planted(size), ChecksumAlgorithm="SHA256", **asked)
            copy = {f"CopySource{name}": told for name, told in asked.items() if kind == "customer"}
            s3.copy_object(
                Bucket=bucket, Key=f"{kind}/copy", CopySource=f"{bucket}/{kind}/{size}", **asked, **copy
            )
        with_parts = asked if kind == "customer" else {}
        upload(s3, bucket, f"{kind}/parts", parts, with_parts, **({} if kind == "customer" else asked))
        begun = s3.create_multipart_upload(Bucket=bucket, Key=f"{kind}/open", **asked)["UploadId"]
        place = {"Bucket": bucket, "Key": f"{kind}/open", "UploadId": begun, **with_parts}
        for number, part in enumerate((planted(INLINE), planted(LARGE)), 1):
            s3.upload_part(**place, PartNumber=number, Body=part)
    for content in (*parts, planted(LARGE)):
        yield hashlib.sha256(content).digest()
        yield hashlib.md5(content).digest()
    joined = b"".join(hashlib.md5(part).digest() for part in parts)
    yield hashlib.md5(joined).digest()
    yield CUSTOMER_KEY
    yield hashlib.md5(CUSTOMER_KEY).digest()


def begin(server: ServerProcess, bucket: str, headers: dict[str, str]) -> http.client.HTTPConnection:
    """An upload that stands still in its middle."""
    request = signed(server.access, "PUT", f"/{bucket}/unfinished", headers, payload="UNSIGNED-PAYLOAD")
    connection = connected(server.access)
    length = {"Content-Length": str(4 * MIB)}
    connection.request("PUT", f"/{bucket}/unfinished", headers=dict(request.headers) | length)
    connection.send(planted(3 * MIB))
    return connection


def opened(server: ServerProcess, url: str | None, bucket: str) -> Iterator[bytes]:
    """Data keys and object keys, as only the KMS and the customer can give them."""
    kms = server.client("kms")
    database = open_database(url, server.data_dir, server.data_dir / "state")
    with database.read() as connection:
        held = buckets.get(connection, bucket)
        assert held is not None
        for kind in ("kms", "bucket-key", "dsse", "customer"):
            version = objects.current(connection, held.bucket_id, f"{kind}/{LARGE}")
            assert version is not None
            envelope = envelopes.decode(version.envelope)
            target = Target(held.name, held.bucket_id, held.region, version.key, version.object_id)
            root = CUSTOMER_KEY
            if envelope.kind != SSE_C:
                context = {"aws:s3:arn": target.bucket_arn if envelope.bucket_key else target.arn}
                root = kms.decrypt(CiphertextBlob=envelope.data_key, EncryptionContext=context)["Plaintext"]
                yield root
            assert envelope.kind in (SSE_KMS, DSSE_KMS, SSE_C)
            yield wrap.unwrap(
                root, envelope.wrapped, binding(envelope.kind, 0, target, envelope.key_arn or "")
            )
    database.engine.dispose()


def everywhere(
    server: ServerProcess, postgres: Postgres | None, url: str | None
) -> Iterator[tuple[str, bytes]]:
    """All files of the server, and of PostgreSQL; and its rows, which it keeps compressed."""
    yield from places(server)
    if postgres is None or url is None:
        return
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        ((own,),) = connection.execute(
            "SELECT oid::text FROM pg_database WHERE datname = current_database()"
        ).fetchall()
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            with connection.cursor().copy(f'COPY "{table}" TO STDOUT (FORMAT binary)') as rows:
                yield f"table {table}", b"".join(bytes(row) for row in rows)
    databases = postgres.directory / "data" / "base"
    for path in (postgres.directory / "data").rglob("*"):
        of_another = path.is_relative_to(databases) and not path.is_relative_to(databases / own)
        if path.is_file() and not of_another:
            yield str(path), path.read_bytes()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)])
def test_nothing_is_found(start_server: StartServer, request: pytest.FixtureRequest, kind: str) -> None:
    postgres: Postgres | None = None
    url = None
    if kind == "postgresql":
        postgres = request.getfixturevalue("postgres")
        assert postgres is not None
        url = new_url(postgres)
    server = start_server("--tls-auto", *(() if url is None else ("--database-url", url)))
    s3 = s3_client(server.access)
    bucket, key = new_bucket(s3), server.client("kms").create_key()["KeyMetadata"]["Arn"]
    secrets = [PLANTED, *store(s3, bucket, key)]
    connections = [begin(server, bucket, headers) for headers in ({}, customer_headers())]
    incoming: Path = server.data_dir / "objects" / "incoming"
    server.wait_for(lambda: sum(path.stat().st_size for path in incoming.iterdir()) > 4 * MIB)
    secrets += opened(server, url, bucket)
    secrets += materials(server)
    seen = set()
    wanted = {form: secret for secret in secrets for form in forms(secret)}
    for name, content in everywhere(server, postgres, url):
        found = [wanted[form] for form in wanted if form in content]
        assert not found, name
        if VISIBLE.encode() in content:
            seen.add(name)
    assert seen, "the scan sees nothing at all"
    assert postgres is None or "table object_versions" in seen
    for connection in connections:
        connection.close()
