"""After `kill -9` in the middle of deliveries every record is in exactly one delivered file of every trail."""

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from kms_server.storage import trail_files
from kms_server.storage.trails import Trail
from tests.databases import new_url
from tests.functional.s3_client import new_bucket, read, s3_client
from tests.functional.server_process import ServerProcess, StartServer
from tests.trail_setup import ACCOUNT, REGION, begin_trail, directory_config, opened, records_of

ROUNDS = int(os.environ.get("KMS_TEST_DELIVERY_ROUNDS", "2"))
TRAILS = 6
CHANCE = random.Random(20261121)
OPEN = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": ["s3:GetBucketAcl", "s3:PutObject"], "Resource": ["arn:aws:s3:::BUCKET", "arn:aws:s3:::BUCKET/*"],
        }
    ],
}  # fmt: skip

# All log files of a trail, by their keys.
Delivered = Callable[[Trail], Mapping[str, bytes]]


def load(kms: Any, stop: threading.Event) -> None:
    """Calls of both kinds until the server dies."""
    while not stop.is_set():
        try:
            kms.create_key()
            for _ in range(8):
                kms.generate_random(NumberOfBytes=8)
        except (ClientError, BotoCoreError):
            time.sleep(0.02)


def folder(trail: Trail) -> str:
    return f"{trail.prefix}/AWSLogs/{ACCOUNT}/CloudTrail/"


def into_directory(server: ServerProcess, place: Path) -> tuple[str, Delivered]:
    def delivered(trail: Trail) -> Mapping[str, bytes]:
        return {str(path): path.read_bytes() for path in (place / folder(trail)).rglob("*.json.gz")}

    return "logs", delivered


def into_own_bucket(server: ServerProcess, _place: Path) -> tuple[str, Delivered]:
    s3 = s3_client(server.access)
    bucket = new_bucket(s3)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(OPEN).replace("BUCKET", bucket))

    def delivered(trail: Trail) -> Mapping[str, bytes]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder(trail))
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        return {key: read(s3, bucket, key) for key in keys}

    return bucket, delivered


def killed_in_a_delivery(server: ServerProcess, trails: list[Trail]) -> bool:
    """Have the server work until a delivery is under way, and kill it; whether it left the delivery half done."""
    kms = [server.client("kms") for _ in range(2)]
    stop = threading.Event()
    clients = [threading.Thread(target=load, args=(one, stop)) for one in kms]
    for client in clients:
        client.start()
    with opened(server) as state:

        def pending() -> bool:
            with state.database.read() as connection:
                return any(trail_files.pending(connection, one.trail_id) for one in trails)

        time.sleep(CHANCE.uniform(0.2, 1.5))
        server.wait_for(pending, pause=0.002)
        time.sleep(CHANCE.uniform(0.0, 0.02))
        server.kill9()
        stop.set()
        for client in clients:
            client.join()
        return pending()


@pytest.mark.soak(but=2, each="destination")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("destination", [into_directory, into_own_bucket], ids=["directory", "own"])
def test_each_record_is_delivered_once(
    start_server: StartServer, request: pytest.FixtureRequest, tmp_path: Path, kind: str,
    destination: Callable[[ServerProcess, Path], tuple[str, Delivered]],
) -> None:  # fmt: skip
    config = directory_config(tmp_path, logs=tmp_path / "logs")
    options = ["--config", str(config), "--audit-delivery-interval", "1"]
    if kind == "postgresql":
        options += ["--database-url", new_url(request.getfixturevalue("postgres"))]
    server = start_server(*options)
    bucket, delivered = destination(server, tmp_path / "logs")
    first = server.client("kms").create_key()["ResponseMetadata"]["RequestId"]
    before = {one["eventID"] for one in server.audit_records()}
    trails = [
        begin_trail(server, bucket, name=f"t-{number}", prefix=f"t-{number}") for number in range(TRAILS)
    ]
    interrupted = 0
    while interrupted < ROUNDS:
        interrupted += killed_in_a_delivery(server, trails)
        server.restart()
    recorded = server.audit_records("--category", "management", "--region", REGION, "--account", ACCOUNT)
    wanted = {one["eventID"] for one in recorded} - before
    server.cli("audit", "deliver", "--now", "--config", str(config))
    assert first in {one.get("requestID") for one in recorded}
    assert len(wanted) > ROUNDS
    for trail in trails:
        found: Counter[str] = records_of(delivered(trail))
        assert set(found.values()) == {1}
        assert wanted <= set(found)
        assert before.isdisjoint(found)
