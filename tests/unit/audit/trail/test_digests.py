"""Digests: what is signed, what they chain to, which windows they have. AWS's own validator says whether they are right."""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

import pytest
from awscli.customizations.cloudtrail.validation import Sha256RSADigestValidator

from kms_server.clock import iso_seconds
from kms_server.storage import trail_files
from kms_server.storage.database import Database
from kms_server.storage.trails import Trail
from tests.unit.audit.audit_rows import ACCOUNT, REGION
from tests.unit.audit.trail.scene import NOON, Scene

HOUR = 3_600.0
PREVIOUS = ("S3Bucket", "S3Object", "HashValue", "HashAlgorithm", "Signature")


@pytest.fixture
def scene(database: Database, tmp_path: Path) -> Scene:
    return Scene(database, tmp_path)


def check(scene: Scene, trail: Trail, digest: Mapping[str, Any]) -> None:
    """A digest as AWS's validator sees it, and its log files."""
    place = scene.destination(trail, trail.bucket)
    found = place.get(digest["digestS3Object"])
    raw = gzip.decompress(found.body)
    assert json.loads(raw) == digest
    assert found.metadata["signature-algorithm"] == digest["digestSignatureAlgorithm"] == "SHA256withRSA"
    key = scene.keys.find(digest["digestPublicKeyFingerprint"])
    assert key is not None
    told = {**digest, "_signature": found.metadata["signature"]}
    Sha256RSADigestValidator().validate(
        trail.bucket, digest["digestS3Object"], base64.b64encode(key.der), told, raw
    )
    for listed in digest["logFiles"]:
        content = gzip.decompress(place.get(listed["s3Object"]).body)
        assert (listed["s3Bucket"], listed["hashAlgorithm"]) == (trail.bucket, "SHA-256")
        assert hashlib.sha256(content).hexdigest() == listed["hashValue"]
        times = [one["eventTime"] for one in json.loads(content)["Records"]]
        assert (listed["oldestEventTime"], listed["newestEventTime"]) == (min(times), max(times))


def check_chain(scene: Scene, trail: Trail, digests: list[Mapping[str, Any]]) -> None:
    """Digests that follow each other without a gap."""
    place = scene.destination(trail, trail.bucket)
    for digest in digests:
        check(scene, trail, digest)
    for before, digest in pairwise(digests):
        delivered = place.get(before["digestS3Object"])
        raw = gzip.decompress(delivered.body)
        assert [digest[f"previousDigest{name}"] for name in PREVIOUS] == [
            trail.bucket, before["digestS3Object"], hashlib.sha256(raw).hexdigest(), "SHA-256",
            delivered.metadata["signature"],
        ]  # fmt: skip
        assert digest["digestStartTime"] == before["digestEndTime"]


def begins(digest: Mapping[str, Any]) -> bool:
    return [digest[f"previousDigest{name}"] for name in PREVIOUS] == [None] * 5


def test_a_digest_an_hour(scene: Scene) -> None:
    trail = scene.begin()
    for _ in range(3):
        scene.read(2)
        scene.attend(trail)
        scene.now += HOUR
        scene.attend(trail)
    digests = scene.digests(trail)
    assert begins(digests[0])
    check_chain(scene, trail, digests)
    assert [iso_seconds(NOON + hour * HOUR) for hour in (1, 2, 3)] == [
        one["digestEndTime"] for one in digests
    ]
    assert [len(one["logFiles"]) for one in digests] == [1, 1, 1]
    assert all(one["awsAccountId"] == ACCOUNT for one in digests)
    name = f"{ACCOUNT}_CloudTrail-Digest_{REGION}_main_{REGION}_20261121T130000Z.json.gz"
    assert digests[0]["digestS3Object"] == f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/2026/11/21/{name}"
    found = scene.again(trail)
    assert (found.digest_delivered_at, found.digest_error) == (NOON + 3 * HOUR, None)


def test_an_idle_hour_and_a_long_gap_have_a_digest_each(scene: Scene) -> None:
    trail = scene.begin()
    scene.now += HOUR
    scene.attend(trail)
    scene.now += 400 * 86_400 + 0.7
    scene.attend(trail)
    scene.now += HOUR - 1
    assert scene.attend(trail) == []
    digests = scene.digests(trail)
    check_chain(scene, trail, digests)
    assert [one["logFiles"] for one in digests] == [[], []]
    assert [one["newestEventTime"] for one in digests] == [None, None]
    assert digests[1]["digestEndTime"] == iso_seconds(NOON + HOUR + 400 * 86_400)


def test_a_chain_goes_on_over_a_new_key(scene: Scene) -> None:
    trail = scene.begin()
    for _ in range(2):
        scene.now += HOUR + 0.5
        scene.read()
        scene.attend(trail)
        scene.keys.rotate(scene.now)
    scene.now += 40 * 86_400
    scene.attend(trail)
    digests = scene.digests(trail)
    check_chain(scene, trail, digests)
    assert len({one["digestPublicKeyFingerprint"] for one in digests}) == 3
    for one, end in zip(digests, (NOON + HOUR, NOON + 2 * HOUR + 1, scene.now), strict=True):
        key = scene.keys.find(one["digestPublicKeyFingerprint"])
        assert key is not None
        assert key.starts_at <= end <= key.ends_at


def test_a_digest_continues_one_that_is_not_delivered_yet(scene: Scene) -> None:
    trail = scene.begin()
    (scene.directory / "bucket-main").write_text("in the way")
    for _ in range(3):
        scene.now += HOUR
        scene.fails(trail)
    assert scene.again(trail).digest_error == "NoSuchBucket"
    (scene.directory / "bucket-main").unlink()
    scene.attend(trail)
    digests = scene.digests(trail)
    assert len(digests) == 3
    check_chain(scene, trail, digests)


def test_digests_at_once_have_windows_too(scene: Scene) -> None:
    trail = scene.begin()
    for _ in range(3):
        scene.read()
        scene.attend(trail, digest_at_once=True)
    digests = scene.digests(trail)
    check_chain(scene, trail, digests)
    assert [iso_seconds(NOON + second) for second in (1, 2, 3)] == [one["digestEndTime"] for one in digests]


def test_a_trail_that_stops_and_starts_has_two_chains(scene: Scene) -> None:
    trail = scene.begin()
    scene.read()
    scene.now += HOUR
    scene.attend(trail)
    scene.read()
    scene.now += 60
    scene.change(trail, logging=False, stopped_at=scene.now)
    scene.attend(trail)
    scene.now += HOUR
    assert scene.attend(trail) == []
    scene.now += 60
    heads = {one: head.seq for one, head in scene.management.heads().items()}
    scene.change(trail, logging=True, started_at=scene.now, stopped_at=None)
    scene.resume(trail, heads)
    scene.read()
    scene.now += HOUR
    scene.attend(trail)
    digests = scene.digests(trail)
    check_chain(scene, trail, digests[:2])
    check(scene, trail, digests[2])
    assert [begins(one) for one in digests] == [True, False, True]
    assert [len(one["logFiles"]) for one in digests] == [1, 1, 1]
    assert digests[2]["digestStartTime"] == iso_seconds(NOON + 2 * HOUR + 120)


def test_without_validation_there_are_no_digests_and_what_came_before_is_in_none(scene: Scene) -> None:
    trail = scene.begin(validation=False)
    scene.read()
    scene.attend(trail, digest_at_once=True)
    scene.now += HOUR
    assert scene.attend(trail) == []
    scene.change(trail, validation=True)
    scene.now += 60
    scene.read()
    scene.attend(trail, digest_at_once=True)
    scene.read()
    scene.attend(trail)
    scene.change(trail, validation=False)
    scene.attend(trail)
    scene.now += HOUR
    assert scene.attend(trail) == []
    digests = scene.digests(trail)
    check_chain(scene, trail, digests)
    assert [len(one["logFiles"]) for one in digests] == [1, 1]
    with scene.database.read() as connection:
        files = trail_files.of_trail(connection, trail.trail_id)
    assert files[0].object_key not in [one["s3Object"] for digest in digests for one in digest["logFiles"]]


def test_a_trail_that_is_for_one_region_again_ends_the_other_chains(scene: Scene) -> None:
    trail = scene.begin(multi_region=True)
    for _ in range(2):
        scene.read()
        scene.read(region="eu-central-1")
        scene.attend(trail)
        scene.now += HOUR
        scene.attend(trail)
    scene.now += 60
    trail = scene.change(trail, multi_region=False)
    scene.attend(trail)
    here, there = scene.digests(trail), scene.digests(trail, "eu-central-1")
    assert (len(here), len(there)) == (2, 3)
    check_chain(scene, trail, here)
    check_chain(scene, trail, there)
    assert scene.delivery.closer.next_due(trail) == NOON + 3 * HOUR
    scene.now += HOUR
    scene.attend(trail)
    assert len(scene.digests(trail, "eu-central-1")) == 3
    trail = scene.change(trail, logging=False, stopped_at=scene.now)
    scene.attend(trail)
    assert scene.delivery.closer.next_due(trail) == inf


def test_a_signing_key_that_does_not_open_is_told(scene: Scene) -> None:
    trail = scene.begin()
    scene.keys.current(NOON)
    with scene.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE signing_keys SET wrapped = substr(wrapped, 1, 40)")
    scene.now += HOUR
    assert scene.fails(trail) == "SigningKeyUnusable"
    assert scene.again(trail).digest_error == "SigningKeyUnusable"
