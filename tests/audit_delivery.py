"""A bucket in memory, and a trail that delivers to it: files as CloudTrail has them, rows as the server keeps them."""

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, update

from kms_server.audit.checkpoint_delivery import delivered
from kms_server.audit.trail.destination import Delivered, NoSuchFile
from kms_server.clock import iso_seconds
from kms_server.server.audit_proof import checkpoints_of
from kms_server.server.audit_trail import journals, signing_keys
from kms_server.server.state import State
from kms_server.storage import trails
from kms_server.storage.trail_tables import trail_digests, trail_files
from kms_server.storage.trails import Trail

ACCOUNT, REGION = "000000000000", "us-east-1"
HOUR = 3_600


@dataclass
class Bucket:
    """A destination."""

    files: dict[str, Delivered] = field(default_factory=dict)

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        self.files[key] = Delivered(body, dict(metadata))

    def get(self, key: str) -> Delivered:
        try:
            return self.files[key]
        except KeyError:
            raise NoSuchFile from None

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in self.files if key.startswith(prefix)))

    def named(self, kind: str) -> list[str]:
        """The files of a kind, oldest first."""
        return sorted(
            (key for key in self.files if f"/{kind}/" in key), key=lambda key: key.rpartition("/")[2]
        )


@dataclass
class Delivering:
    """A trail of a server, and what it has come to."""

    state: State
    bucket: Bucket
    trail: Trail
    start: int
    at: dict[str, int] = field(default_factory=dict)
    previous: dict[str, Any] | None = None
    ends_at: int = 0

    @classmethod
    def begin(cls, state: State, name: str = "proof", prefix: str = "logs") -> "Delivering":
        """A new trail."""
        now = int(state.clock.now())
        trail = Trail(
            f"trail-{name}",
            ACCOUNT,
            REGION,
            name,
            "the-bucket",
            now,
            prefix=prefix,
            validation=True,
            logging=True,
        )
        with state.database.write() as tx:
            trails.add(tx, trail)
        return cls(state, Bucket(), trail, now, ends_at=now)

    @classmethod
    def resume(cls, state: State) -> "Delivering":
        """The trail of a copy, which has delivered nothing."""
        with state.database.read() as connection:
            (trail,) = trails.every(connection)
        return cls(state, Bucket(), trail, int(trail.created_at), ends_at=int(trail.created_at))

    def hour(self, *, final: bool = False) -> None:
        """Deliver what is new in two files, and a digest over the next hour."""
        positions = {
            writer: (self.at.get(writer, 0), head.seq)
            for journal in journals(self.state) for writer, head in journal.heads().items()
        }  # fmt: skip
        halves = [dict(list(positions.items())[::2]), dict(list(positions.items())[1::2])]
        listed = [one for number, half in enumerate(halves) if (one := self._file(half, number))]
        self.digest(listed, final=final)

    def _file(self, positions: dict[str, tuple[int, int]], number: int) -> dict[str, Any] | None:
        ranges = {writer: [after + 1, head] for writer, (after, head) in positions.items() if head > after}
        if not ranges:
            return None
        records = [
            json.loads(entry.row.record)
            for writer, (first, last) in ranges.items()
            for journal in journals(self.state)
            for entry in journal.after(writer, first - 1, last)
        ]
        self.at |= {writer: last for writer, (_, last) in ranges.items()}
        content = json.dumps({"Records": records}).encode()
        moment = datetime.fromtimestamp(self.ends_at, UTC)
        key = (
            f"{self._above('CloudTrail')}/{moment:%Y/%m/%d}/"
            f"{ACCOUNT}_CloudTrail_{REGION}_{moment:%Y%m%dT%H%MZ}_{number:016}.json.gz"
        )
        self.bucket.put(key, gzip.compress(content, mtime=0), {})
        return self._note(key, ranges, hashlib.sha256(content).hexdigest())

    def _note(self, key: str, ranges: dict[str, list[int]], digest: str) -> dict[str, Any]:
        with self.state.database.write() as tx:
            tx.connection.execute(insert(trail_files).values(
                trail_id=self.trail.trail_id, region=REGION, bucket=self.trail.bucket, object_key=key,
                ranges=json.dumps(ranges), planned_at=self.ends_at, delivered_at=self.ends_at, hash=digest,
                digest_end=self.ends_at + HOUR,
            ))  # fmt: skip
        return {
            "s3Bucket": self.trail.bucket, "s3Object": key, "hashValue": digest, "hashAlgorithm": "SHA-256",
            "newestEventTime": iso_seconds(self.ends_at), "oldestEventTime": iso_seconds(self.ends_at),
        }  # fmt: skip

    def digest(self, listed: list[dict[str, Any]], *, final: bool = False, noted: bool = True) -> None:
        """Deliver the digest of the next hour."""
        start, self.ends_at = self.ends_at, self.ends_at + HOUR
        moment = datetime.fromtimestamp(self.ends_at, UTC)
        key = (
            f"{self._above('CloudTrail-Digest')}/{moment:%Y/%m/%d}/"
            f"{ACCOUNT}_CloudTrail-Digest_{REGION}_{self.trail.name}_{REGION}_{moment:%Y%m%dT%H%M%SZ}.json.gz"
        )
        before = self.previous or {}
        body = {
            "awsAccountId": ACCOUNT, "digestStartTime": iso_seconds(start), "digestEndTime": iso_seconds(self.ends_at),
            "digestS3Bucket": self.trail.bucket, "digestS3Object": key, "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": None, "oldestEventTime": None,
            "previousDigestS3Bucket": self.trail.bucket if before else None,
            "previousDigestS3Object": before.get("key"), "previousDigestHashValue": before.get("hash"),
            "previousDigestHashAlgorithm": "SHA-256" if before else None,
            "previousDigestSignature": before.get("signature"), "logFiles": listed,
        }  # fmt: skip
        made = self.signed(key, body)
        if noted:
            with self.state.database.write() as tx:
                tx.connection.execute(insert(trail_digests).values(
                    trail_id=self.trail.trail_id, region=REGION, starts_at=start, ends_at=self.ends_at,
                    bucket=self.trail.bucket, object_key=key, body=b"", hash=made["hash"],
                    signature=made["signature"], fingerprint=made["fingerprint"], final=final,
                    delivered_at=self.ends_at,
                ))  # fmt: skip
        self.previous = None if final else made

    def signed(self, key: str, body: dict[str, Any]) -> dict[str, Any]:
        """Store a digest of that body, signed by the server's key."""
        signing = signing_keys(self.state).current(self.state.clock.now())
        fingerprint = signing.public.fingerprint
        content = json.dumps(body | {"digestPublicKeyFingerprint": fingerprint}).encode()
        digest = hashlib.sha256(content).hexdigest()
        lines = [
            body["digestEndTime"],
            f"{body['digestS3Bucket']}/{key}",
            digest,
            body["previousDigestSignature"] or "null",
        ]
        signature = signing.sign("\n".join(lines).encode()).hex()
        metadata = {"signature": signature, "signature-algorithm": "SHA256withRSA"}
        self.bucket.put(key, gzip.compress(content, mtime=0), metadata)
        return {"key": key, "hash": digest, "signature": signature, "fingerprint": fingerprint}

    def forge(self, key: str, records: list[Any]) -> str:
        """Have a log file hold other records, and its digest and the database agree with it; its key."""
        content = json.dumps({"Records": records}).encode()
        self.bucket.put(key, gzip.compress(content, mtime=0), {})
        changed = hashlib.sha256(content).hexdigest()
        digest = self.bucket.named("CloudTrail-Digest")[-1]
        body = json.loads(gzip.decompress(self.bucket.files[digest].body))
        for one in body["logFiles"]:
            one["hashValue"] = changed if one["s3Object"] == key else one["hashValue"]
        made = self.signed(digest, body)
        with self.state.database.write() as tx:
            of_file, of_digest = trail_files.c.object_key == key, trail_digests.c.object_key == digest
            tx.connection.execute(update(trail_files).where(of_file).values(hash=changed))
            tx.connection.execute(
                update(trail_digests).where(of_digest).values(hash=made["hash"], signature=made["signature"])
            )
        return key

    def checkpoint(self) -> str:
        """Deliver the newest checkpoint, complete; its key."""
        checkpoints, now = checkpoints_of(self.state), self.state.clock.now()
        checkpoints.write(now)
        whole = checkpoints.whole(now)
        assert whole is not None
        made = delivered(whole, self.trail, REGION, now)
        self.bucket.put(made.key, made.body, {})
        return made.key

    def _above(self, kind: str) -> str:
        above = f"{self.trail.prefix}/" if self.trail.prefix else ""
        return f"{above}AWSLogs/{ACCOUNT}/{kind}/{REGION}"
