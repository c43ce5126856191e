"""Trails of a test's own, straight in a server's database, and what reaches their buckets."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from kms_server.config import Settings
from kms_server.server.audit_trail import journals
from kms_server.server.state import State, open_state
from kms_server.storage import audit_positions, trails
from kms_server.storage.trails import Trail
from tests.functional.server_process import ServerProcess

ACCOUNT, REGION = "000000000000", "us-east-1"


@contextmanager
def opened(server: ServerProcess, **more: Any) -> Iterator[State]:
    """The state of a server that may be running."""
    state = open_state(Settings(server.data_dir, database_url=server.database_url, **more))
    yield state
    state.database.close()


def begin_trail(server: ServerProcess, bucket: str, **changes: Any) -> Trail:
    """A trail that records from now on and has digests."""
    with opened(server) as state:
        now = state.clock.now()
        trail = Trail(
            uuid4().hex, ACCOUNT, REGION, "main", bucket, now, validation=True, logging=True, started_at=now
        )
        trail = replace(trail, **changes)
        with state.database.write() as tx:
            heads = {one: head.seq for journal in journals(state) for one, head in journal.heads().items()}
            trails.add(tx, trail)
            audit_positions.put(tx.connection, trail.trail_id, heads)
    return trail


def bucket_policy(bucket: str, trail_arn: str, *, account: str = ACCOUNT, prefix: str = "") -> str:
    """The bucket policy that AWS's manual gives for CloudTrail."""
    cloudtrail = {"Service": "cloudtrail.amazonaws.com"}
    source = {"aws:SourceArn": trail_arn}
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "AWSCloudTrailAclCheck", "Effect": "Allow", "Principal": cloudtrail, "Action": "s3:GetBucketAcl",
                    "Resource": f"arn:aws:s3:::{bucket}", "Condition": {"StringEquals": source},
                },
                {
                    "Sid": "AWSCloudTrailWrite", "Effect": "Allow", "Principal": cloudtrail, "Action": "s3:PutObject",
                    "Resource": f"arn:aws:s3:::{bucket}/{prefix}AWSLogs/{account}/*",
                    "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", **source}},
                },
            ],
        }
    )  # fmt: skip


def directory_config(server_directory: Path, **buckets: Path) -> Path:
    """A file for --config in which buckets are directories."""
    path = server_directory / "trails.toml"
    path.write_text(
        "".join(f"[audit.buckets.{name}]\ndirectory = {str(place)!r}\n" for name, place in buckets.items())
    )
    return path


def records_of(bodies: Mapping[str, bytes]) -> Counter[str]:
    """How often each event id is in log files, by their bodies."""
    found = (json.loads(gzip.decompress(body))["Records"] for body in bodies.values())
    return Counter(one["eventID"] for records in found for one in records)
