"""Each change of what a trail has delivered is found by `audit verify`, also what `aws cloudtrail validate-logs` passes."""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from sqlalchemy import delete, insert, select, update

from kms_server.audit.trail.destination import Delivered, DestinationError
from kms_server.audit.verification.findings import Severity
from kms_server.cli.audit_verify import Run
from kms_server.cli.operator import change
from kms_server.server.audit_trail import signing_keys
from kms_server.server.state import State
from kms_server.storage import trails
from kms_server.storage.trail_tables import signing_keys as kept_keys
from kms_server.storage.trail_tables import trail_digests, trail_files
from tests.audit_delivery import ACCOUNT, HOUR, REGION, Bucket, Delivering
from tests.audit_log_copies import errors, filled


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    """The state of a server with a log."""
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with filled(tmp_path_factory.mktemp("log"), postgres).opened() as opened:
        yield opened


def record(state: State) -> None:
    """Have something in the log."""
    with change(state, "SetLimit", ACCOUNT, rate=1.0):
        pass


@pytest.fixture(scope="module")
def four_hours(state: State) -> Delivering:
    """A trail that has delivered four hours, the third of them idle."""
    made = Delivering.begin(state)
    for idle in (False, False, True, False):
        if not idle:
            record(state)
        made.hour()
    return made


@dataclass
class Forger:
    """Changes a copy of what was delivered."""

    trail: Delivering
    bucket: Bucket

    def log(self, at: int = 0) -> str:
        return self.bucket.named("CloudTrail")[at]

    def digest(self, at: int = 0) -> str:
        return self.bucket.named("CloudTrail-Digest")[at]

    def change(self, key: str, how: Callable[[bytes], bytes]) -> None:
        self.bucket.files[key] = replace(self.bucket.files[key], body=how(self.bucket.files[key].body))

    def swap(self, one: str, other: str) -> None:
        files = self.bucket.files
        files[one], files[other] = files[other], files[one]

    def body(self, key: str) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(gzip.decompress(self.bucket.files[key].body))
        return body

    def sign_anew(self, key: str, **members: Any) -> dict[str, Any]:
        """Put another digest in place of one, rightly signed."""
        return replace(self.trail, bucket=self.bucket).signed(key, self.body(key) | members)

    def found(self) -> str:
        return told(self.trail.state, self.bucket)


@pytest.fixture
def forger(four_hours: Delivering) -> Forger:
    return Forger(four_hours, Bucket(dict(four_hours.bucket.files)))


def told(state: State, bucket: Bucket) -> str:
    """What is found, as text; the log itself was not touched."""
    return "\n".join(f"{one.where}: {one.what}" for one in errors(state, lambda _: bucket, log=False))


def test_what_was_delivered_is_clean(four_hours: Delivering) -> None:
    bucket = four_hours.bucket
    assert len(bucket.named("CloudTrail-Digest")) == 4
    assert len(bucket.named("CloudTrail")) >= 4
    assert told(four_hours.state, bucket) == ""


def _flip(body: bytes) -> bytes:
    return body[:-12] + bytes([body[-12] ^ 1]) + body[-11:]


def _edited(body: bytes) -> bytes:
    return gzip.compress(gzip.decompress(body).replace(b"us-east-1", b"us-east-2"))


_CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "changed byte": _flip, "edited": _edited, "cut off": lambda body: body[:-9], "half": lambda body: body[: len(body) // 2],
    "empty": lambda _: b"", "more behind": lambda body: body + gzip.compress(b"x"), "junk behind": lambda body: body + b"x",
    "not gzip": lambda _: b"{}",
}  # fmt: skip


@pytest.mark.parametrize("how", list(_CHANGES))
def test_a_changed_log_file(forger: Forger, how: str) -> None:
    forger.change(forger.log(1), _CHANGES[how])
    assert f"the-bucket/{forger.log(1)}: the log file was changed" in forger.found()


@pytest.mark.parametrize("at", [0, 1, -1])
@pytest.mark.parametrize("how", list(_CHANGES))
def test_a_changed_digest(forger: Forger, how: str, at: int) -> None:
    forger.change(forger.digest(at), _CHANGES[how])
    assert f"the-bucket/{forger.digest(at)}: it" in forger.found()


@pytest.mark.parametrize("at", [0, -1])
def test_a_deleted_log_file(forger: Forger, at: int) -> None:
    key = forger.log(at)
    del forger.bucket.files[key]
    assert forger.found() == f"the-bucket/{key}: the log file is missing"


@pytest.mark.parametrize("at", [0, 1, 2, 3], ids=["oldest", "second", "third", "newest"])
def test_a_deleted_digest(forger: Forger, at: int) -> None:
    key = forger.digest(at)
    del forger.bucket.files[key]
    assert f"the-bucket/{key}: the digest was delivered, and is missing" in forger.found()


def test_swapped_log_files(forger: Forger) -> None:
    forger.swap(forger.log(0), forger.log(1))
    assert forger.found().count("it has another hash than its digest says") == 2


def test_swapped_digests(forger: Forger) -> None:
    forger.swap(forger.digest(1), forger.digest(2))
    assert forger.found().count("it was moved from where it was delivered to") == 2


def test_an_added_log_file(forger: Forger) -> None:
    key = forger.log().replace(forger.log()[-24:-8], "A" * 16)
    forger.bucket.files[key] = forger.bucket.files[forger.log()]
    assert forger.found() == f"the-bucket/{key}: no digest lists it, and no trail has made it"


@pytest.mark.parametrize("kind", ["log files", "digests"])
def test_an_added_file_of_another_name(forger: Forger, kind: str) -> None:
    key = (forger.log() if kind == "log files" else forger.digest()) + ".bak"
    forger.bucket.files[key] = Delivered(b"x", {})
    assert f"the-bucket/{key}: it is among the {kind}" in forger.found()


def test_an_added_digest(forger: Forger) -> None:
    replace(forger.trail, bucket=forger.bucket).digest([], noted=False)
    assert (
        f"the-bucket/{forger.digest(-1)}: this server knows of no such digest: it was added" in forger.found()
    )


def test_a_middle_digest_that_was_signed_anew(forger: Forger) -> None:
    hidden = [one["s3Object"] for one in forger.body(forger.digest(1))["logFiles"]]
    forger.sign_anew(forger.digest(1), logFiles=[])
    for key in hidden:
        del forger.bucket.files[key]
    found = forger.found()
    assert (
        f"the-bucket/{forger.digest(1)}: it is another digest than the one that was made: it was signed anew"
        in found
    )
    assert f"it is another digest than the one that the-bucket/{forger.digest(2)} follows" in found


def test_the_newest_digest_signed_anew(forger: Forger) -> None:
    forger.sign_anew(forger.digest(-1), logFiles=[])
    assert "it is another digest than the one that was made" in forger.found()


@pytest.mark.parametrize(("members", "what"), [
    (dict.fromkeys(("previousDigestS3Bucket", "previousDigestS3Object", "previousDigestHashValue",
                    "previousDigestHashAlgorithm", "previousDigestSignature")), "a new chain begins with it"),
    ({"digestStartTime": "2026-01-01T00:00:00Z"}, "it does not begin where the one before it ends"),
    ({"previousDigestHashValue": "0" * 64}, "it was signed anew"),
    ({"previousDigestSignature": "0" * 512}, "it was signed anew"),
    ({"previousDigestS3Object": "elsewhere"}, "it follows the-bucket/elsewhere, and the digest before it is"),
    ({"previousDigestHashAlgorithm": "MD5"}, "it names another kind of hash"),
    ({"digestSignatureAlgorithm": "MD5withRSA"}, "it names another kind of signature"),
    ({"digestEndTime": "2026-01-01T00:00:00Z"}, "its name has another time"),
    ({"digestS3Bucket": "another"}, "it was moved"),
    ({"logFiles": None}, "it is not a digest"),
], ids=["new start", "gap", "hash", "signature", "follows", "hash kind", "signature kind", "end", "moved", "none"])  # fmt: skip
def test_a_digest_of_whoever_has_the_key_and_the_database(
    forger: Forger, members: dict[str, Any], what: str
) -> None:
    """The database is made to agree with the forged digest, so that the chain alone can tell."""
    key, state = forger.digest(2), forger.trail.state
    made = forger.sign_anew(key, **members)
    was = forger.trail.bucket.files[key].metadata["signature"]
    with state.database.write() as tx:
        former = tx.connection.execute(trail_digests.select().where(trail_digests.c.object_key == key)).one()
        assert former.signature == was
        ours = update(trail_digests).where(trail_digests.c.object_key == key)
        tx.connection.execute(ours.values(hash=made["hash"], signature=made["signature"]))
    found = forger.found()
    with state.database.write() as tx:
        tx.connection.execute(ours.values(hash=former.hash, signature=former.signature))
    assert f"the-bucket/{key}" in found
    assert what in found


@pytest.mark.parametrize("kind", [hashes.SHA1, hashes.MD5], ids=["SHA-1", "MD5"])
def test_a_weak_signature_by_the_right_key(forger: Forger, kind: type[hashes.HashAlgorithm]) -> None:
    key, state = forger.digest(-1), forger.trail.state
    body, file = forger.body(key), forger.bucket.files[key]
    private = signing_keys(state).current(state.clock.now())._private
    digest = hashes.Hash(hashes.SHA256())
    digest.update(gzip.decompress(file.body))
    lines = [
        body["digestEndTime"],
        f"the-bucket/{key}",
        digest.finalize().hex(),
        body["previousDigestSignature"],
    ]
    signature = private.sign("\n".join(lines).encode(), PKCS1v15(), kind()).hex()
    forger.bucket.files[key] = replace(file, metadata={**file.metadata, "signature": signature})
    assert f"the-bucket/{key}: its signature is not right" in forger.found()


@pytest.mark.parametrize(("metadata", "what"), [
    ({}, "unknown kind"), ({"signature-algorithm": "SHA256withRSA"}, "512 hexadecimal digits"),
    ({"signature-algorithm": "MD5withRSA", "signature": "0" * 512}, "unknown kind"),
    ({"signature-algorithm": "SHA256withRSA", "signature": "0" * 512}, "its signature is not right"),
], ids=["none", "no signature", "another kind", "zeros"])  # fmt: skip
def test_other_metadata(forger: Forger, metadata: dict[str, str], what: str) -> None:
    key = forger.digest(1)
    forger.bucket.files[key] = replace(forger.bucket.files[key], metadata=metadata)
    assert f"the-bucket/{key}: " in forger.found()
    assert what in forger.found()


@pytest.fixture
def other(state: State) -> Iterator[Delivering]:
    """A trail of a test's own."""
    made = Delivering.begin(state, "other", prefix="")
    made.hour()
    yield made
    with state.database.write() as tx:
        trails.remove(tx, made.trail.trail_id)


def found_of(trail: Delivering, four_hours: Delivering) -> str:
    """What is found where both trails have buckets of their own."""
    buckets = {trail.trail.trail_id: trail.bucket, four_hours.trail.trail_id: four_hours.bucket}
    run = errors(trail.state, lambda one: buckets[one.trail_id], log=False)
    return "\n".join(f"{one.where}: {one.what}" for one in run)


def test_logging_that_was_stopped_and_started(other: Delivering, four_hours: Delivering) -> None:
    other.hour(final=True)
    other.ends_at += 3 * HOUR
    other.hour()
    other.hour()
    assert found_of(other, four_hours) == ""


def test_a_gap_between_digests(other: Delivering, four_hours: Delivering) -> None:
    other.ends_at += HOUR
    other.hour()
    assert "it does not begin where the one before it ends" in found_of(other, four_hours)


def test_an_event_in_two_files(other: Delivering, four_hours: Delivering) -> None:
    other.at = {}
    other.hour()
    assert "trail other has delivered it more than once" in found_of(other, four_hours)


def test_a_file_that_says_otherwise_than_the_log(other: Delivering, four_hours: Delivering) -> None:
    key = other.bucket.named("CloudTrail")[0]
    content = gzip.decompress(other.bucket.files[key].body).replace(b"kms-server", b"kms-sorver")
    records = json.loads(content)["Records"]
    assert any("kms-sorver" in json.dumps(one) for one in records)
    other.forge(key, records)
    found = found_of(other, four_hours)
    assert f"the-bucket/{key}: event" in found
    assert "is another than the log has" in found


def test_a_file_with_more_than_the_log(other: Delivering, four_hours: Delivering) -> None:
    key = other.bucket.named("CloudTrail")[0]
    records = json.loads(gzip.decompress(other.bucket.files[key].body))["Records"]
    other.forge(key, [*records, records[0] | {"eventID": "018f0000-0000-7000-8000-000000000000"}])
    assert "1 records are not in the log" in found_of(other, four_hours)


def test_what_is_not_delivered_yet(other: Delivering, four_hours: Delivering) -> None:
    other.hour()
    waiting = other.bucket.named("CloudTrail-Digest")[-1]
    held = other.bucket.files.pop(waiting)
    where = trail_digests.c.object_key == waiting
    with other.state.database.write() as tx:
        tx.connection.execute(update(trail_digests).where(where).values(delivered_at=None, body=b"x"))
    other.hour()
    assert found_of(other, four_hours) == ""
    other.bucket.files[waiting] = held
    assert found_of(other, four_hours) == ""


def test_trails_that_share_a_bucket_and_one_that_is_gone(four_hours: Delivering, state: State) -> None:
    shared = Bucket(dict(four_hours.bucket.files))
    second = Delivering.begin(state, "second")
    second.bucket, second.ends_at = shared, second.ends_at + HOUR * 30
    second.hour()
    assert told(state, shared) == ""
    with state.database.write() as tx:
        trails.remove(tx, second.trail.trail_id)
    assert told(state, shared) == ""
    with state.database.read() as connection:
        assert not connection.execute(
            trail_files.select().where(trail_files.c.trail_id == "trail-second")
        ).all()


def test_a_delivered_checkpoint(four_hours: Delivering, state: State) -> None:
    bucket = Bucket(dict(four_hours.bucket.files))
    key = replace(four_hours, bucket=bucket).checkpoint()
    assert f"/CloudTrail-Checkpoint/{REGION}/" in key
    assert told(state, bucket) == ""
    assert errors(state, lambda _: bucket) == []
    document = json.loads(gzip.decompress(bucket.files[key].body))
    document["body"] = document["body"].replace('"since"', ' "since"')
    bucket.put(key, gzip.compress(json.dumps(document).encode()), {})
    assert (
        told(state, bucket)
        == f"the-bucket/{key}: its signature is not right: it was changed, or signed by another key"
    )


def test_only_files_of_a_time_are_read(forger: Forger) -> None:
    changed, hour = forger.log(0), forger.trail.start + HOUR
    forger.change(changed, _edited)
    run = Run(forger.trail.state, [forger.trail.trail], lambda _: forger.bucket)
    for since, until, expected in (
        (None, None, 1),
        (hour, hour, 1),
        (hour + 1, None, 0),
        (None, hour - 1, 0),
    ):
        found = [one.where for one in run.findings(since, until, log=False)]
        assert found == [f"the-bucket/{changed}"] * expected


def test_a_bucket_that_does_not_answer(four_hours: Delivering, state: State) -> None:
    def refuse(_: object) -> Bucket:
        raise DestinationError("AccessDenied")

    (found,) = Run(state, [four_hours.trail], refuse).findings(None, None, log=False)
    assert found.severity is Severity.UNCHECKED
    assert found.where == "trail proof"


def test_signing_keys_that_are_gone(forger: Forger) -> None:
    state = forger.trail.state
    with state.database.write() as tx:
        columns = [column for column in kept_keys.c if column.computed is None]
        kept = [row._asdict() for row in tx.connection.execute(select(*columns))]
        tx.connection.execute(delete(kept_keys))
    found = forger.found()
    with state.database.write() as tx:
        tx.connection.execute(kept_keys.insert(), kept)
    assert found.count("is not this server's") == 4


def test_what_is_no_log_file(forger: Forger) -> None:
    key, junk = forger.log(0), b'["x"]'
    forger.bucket.files[key] = Delivered(gzip.compress(junk), {})
    listed = forger.body(forger.digest(0))["logFiles"]
    for one in listed:
        if one["s3Object"] == key:
            one["hashValue"] = hashlib.sha256(junk).hexdigest()
    forger.sign_anew(forger.digest(0), logFiles=listed)
    assert f"the-bucket/{key}: it is not a log file" in forger.found()


@pytest.mark.parametrize("end", [0, 7, None], ids=["of a digest", "of no digest", "without a digest"])
def test_a_log_file_that_is_added_to_the_database_too(forger: Forger, end: int | None) -> None:
    state, key = forger.trail.state, forger.log(0).replace("_0000000000000000", "_0000000000000009")
    content = b'{"Records":[{"eventID":"00000000-0000-4000-8000-000000000000"}]}'
    forger.bucket.files[key] = Delivered(gzip.compress(content), {})
    at = forger.trail.start + HOUR
    with state.database.write() as tx:
        tx.connection.execute(insert(trail_files).values(
            trail_id=forger.trail.trail.trail_id, region=REGION, bucket="the-bucket", object_key=key, ranges="{}",
            planned_at=at, delivered_at=at - 1, hash=hashlib.sha256(content).hexdigest(),
            digest_end=at - 1 if end is None else at + end,
        ))  # fmt: skip
    try:
        found = forger.found()
    finally:
        with state.database.write() as tx:
            tx.connection.execute(delete(trail_files).where(trail_files.c.object_key == key))
    assert f"the-bucket/{key}: " in found


def test_beside_a_damaged_segment(tmp_path: Path) -> None:
    log = filled(tmp_path, None)
    with log.opened() as state:
        made = Delivering.begin(state)
        made.hour()
        segment = log.segment(max(log.writers().keys() - {"main"}))
        assert segment is not None
        segment.write_bytes(b"no database" * 1_000)
        found = list(Run(state, [made.trail], lambda _: made.bucket).findings(None, None, log=True))
    assert {one.severity for one in found} == {Severity.ERROR, Severity.UNCHECKED}
    assert all(str(segment) in one.what or segment.stem in one.where for one in found)
