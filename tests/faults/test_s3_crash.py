"""What was acknowledged of S3 survives `kill -9`, a full disk and clients that vanish; nothing partial is ever seen."""

import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from kms_server.s3.blobs.local import LocalBlobs
from kms_server.s3.leftovers import Leftovers
from kms_server.storage.database import Database, open_database
from kms_server.storage.object_tables import doomed_blobs, parts
from tests.databases import new_url
from tests.faults.s3_load import Model, check, run
from tests.functional.s3_client import MIB, connected, new_bucket, read, refusal, s3_client, signed
from tests.functional.server_process import ServerProcess, StartServer
from tests.postgres_server import Postgres

ROUNDS = int(os.environ.get("KMS_TEST_S3_ROUNDS", "2"))
CLIENTS = 4


@pytest.mark.timeout(120 + 30 * ROUNDS)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_acknowledged_is_lost(start_server: StartServer, request: Any, kind: str) -> None:
    url = None
    if kind == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        url = new_url(postgres)
    server = start_server(*(() if url is None else ("--database-url", url)))
    bucket = new_bucket(s3_client(server.access))
    chance = random.Random(20261121)
    models = [Model(str(number)) for number in range(CLIENTS)]
    for _ in range(ROUNDS):
        load_until_killed(server, bucket, models, chance)
        server.restart()
        check(s3_client(server.access), bucket, models)
    server.kill9()
    state = server.data_dir / "state"
    database = open_database(url, server.data_dir, state)
    try:
        require_no_orphans(database, server.data_dir / "objects")
    finally:
        database.engine.dispose()
    server.restart()
    check(s3_client(server.access), bucket, models)
    server.cli("s3", "verify")


def load_until_killed(server: ServerProcess, bucket: str, models: list[Model], chance: random.Random) -> None:
    stop = threading.Event()
    failed: list[BaseException] = []
    enough = acknowledged(models) + 10

    def client(model: Model, seed: int) -> None:
        try:
            run(s3_client(server.access), bucket, model, random.Random(seed), stop)
        except BaseException as error:  # noqa: BLE001 - the test's own thread raises it
            failed.append(error)

    clients = [threading.Thread(target=client, args=(model, chance.getrandbits(32))) for model in models]
    for one in clients:
        one.start()
    server.wait_for(lambda: acknowledged(models) > enough or bool(failed))
    time.sleep(chance.uniform(0.0, 1.0))
    server.kill9()
    stop.set()
    for one in clients:
        one.join()
    assert not failed, failed


def acknowledged(models: list[Model]) -> int:
    return sum(model.acknowledged for model in models)


def require_no_orphans(database: Database, directory: Path) -> None:
    """After a sweep each blob has its row, and each row its blob, in its final place."""
    assert list(Leftovers(database, LocalBlobs(directory)).sweep(0))
    with database.read() as connection:
        rows = set(connection.execute(select(parts.c.blob_id).where(parts.c.inline.is_(None))).scalars())
        assert not connection.execute(select(doomed_blobs.c.blob_id)).all()
    assert rows
    assert {path.name for path in directory.rglob("*") if path.is_file()} == rows
    assert not list((directory / "incoming").iterdir())


def test_who_vanishes_leaves_nothing(start_server: StartServer) -> None:
    server = start_server(workers=1)
    s3 = s3_client(server.access)
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="kept", Body=b"old" * 30_000)
    connections = []
    for key, sent in (("kept", 3 * MIB), ("new", 100), ("new", 0), ("new", 20_000)):
        request = signed(server.access, "PUT", f"/{bucket}/{key}", payload="UNSIGNED-PAYLOAD")
        connection = connected(server.access)
        headers = dict(request.headers) | {"Content-Length": str(4 * MIB)}
        connection.request("PUT", f"/{bucket}/{key}", headers=headers)
        connection.send(b"n" * sent)
        connections.append(connection)
    incoming = server.data_dir / "objects" / "incoming"
    server.wait_for(lambda: bool(list(incoming.iterdir())))
    connections.pop().close()
    # Those that are still there when the server dies are clients that vanish, too.
    server.kill9()
    for connection in connections:
        connection.close()
    server.restart()
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept"]
    assert read(s3, bucket, "kept") == b"old" * 30_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The data directory of the first server, on a disk of its own."""
    place = tmp_path / "server-0" / "data"
    place.mkdir(parents=True, mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=160m,mode=700", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a disk cannot be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "server-0", workers=1)
    try:
        fill_and_go_on(server, small_disk)
    finally:
        server.stop()
    assert "Traceback" not in server.log.read_text()


def fill_and_go_on(server: ServerProcess, disk: Path) -> None:
    s3 = s3_client(server.access)
    bucket = new_bucket(s3)
    reserve, stored = disk / "reserve", {}
    reserve.write_bytes(bytes(24 * MIB))
    for number in range(100):
        content = random.Random(number).randbytes(2 * MIB)
        try:
            s3.put_object(Bucket=bucket, Key=str(number), Body=content)
        except s3.exceptions.ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503
            break
        stored[str(number)] = content
    assert 3 < len(stored) < 60
    # With room for records again, nothing of it is seen, all else is read, and what fits is taken.
    reserve.unlink()
    s3.put_object(Bucket=bucket, Key="small", Body=b"fits")
    stored["small"] = b"fits"
    require(s3, bucket, stored)
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4_096)):
                pass
        except OSError:
            pass
    for key in ("large", "0"):
        assert refusal(s3.put_object, Bucket=bucket, Key=key, Body=b"x" * MIB).status in (500, 503)
    for number in range(200):
        try:
            s3.put_object(Bucket=bucket, Key="inline", Body=bytes([number]) * 10_000)
        except s3.exceptions.ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (500, 503)
            break
        stored["inline"] = bytes([number]) * 10_000
    filler.unlink()
    s3.put_object(Bucket=bucket, Key="large", Body=b"y" * MIB)
    require(s3, bucket, stored | {"large": b"y" * MIB})


def require(s3: Any, bucket: str, stored: dict[str, bytes]) -> None:
    assert {one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]} == set(stored)
    for key, content in stored.items():
        assert read(s3, bucket, key) == content
