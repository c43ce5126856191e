"""What every destination of a trail does, wherever it keeps the files."""

import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kms_server.audit.trail.destination import Destination, DestinationError, NoSuchFile
from kms_server.audit.trail.directory import DirectoryDestination
from kms_server.config import EndpointBucket
from kms_server.errors import InsufficientS3BucketPolicyException, S3BucketDoesNotExistException
from kms_server.server.endpoint_bucket import EndpointDestination
from kms_server.server.s3_pipeline import S3Pipeline
from kms_server.server.trail_buckets import TrailBuckets
from kms_server.storage.trails import Trail
from tests.functional.s3_client import new_bucket, s3_client
from tests.functional.server_process import ServerProcess
from tests.s3_in_process import S3InProcess
from tests.trail_setup import ACCOUNT, REGION, bucket_policy

TRAIL = Trail("t", ACCOUNT, REGION, "main", "logs", 0.0)
FOLDER = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3InProcess]:
    made = S3InProcess(tmp_path_factory.mktemp("own"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A second server."""
    process = ServerProcess(tmp_path_factory.mktemp("elsewhere"), workers=1)
    yield process
    assert process.stop() == 0


def in_own(
    own: S3InProcess, name: str = "logs", policy: str | None = None, trail: Trail = TRAIL
) -> Destination:
    """A fresh bucket of our own S3 layer."""
    own.ok("PUT", f"/{name}")
    if policy is not None:
        own.ok("PUT", f"/{name}?policy", policy.encode())
    return buckets_of(own)(trail, name)


def buckets_of(own: S3InProcess) -> TrailBuckets:
    assert isinstance(own.worker.streams, S3Pipeline)
    return TrailBuckets(own.state, own.worker.streams)


def at_endpoint(server: ServerProcess, directory: Path, **changes: str) -> EndpointDestination:
    """A fresh bucket of another server."""
    access = server.access
    for name, value in (("id", access.access_key_id), ("secret", access.secret)):
        (directory / name).touch(mode=0o600)
        (directory / name).write_text(f"{value}\n")
    settings = EndpointBucket(
        access.url, access_key_file=directory / "id", secret_key_file=directory / "secret"
    )
    bucket = changes.pop("bucket", None) or new_bucket(s3_client(access))
    return EndpointDestination(replace(settings, **changes), bucket, TRAIL)  # type: ignore[arg-type]


@pytest.fixture(params=["directory", "endpoint", "own"])
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Destination:
    def of_own() -> Destination:
        name = f"logs-{tmp_path.name.lower().replace('_', '-')}"[:60].strip("-")
        return in_own(request.getfixturevalue("own"), name, bucket_policy(name, TRAIL.arn))

    made: dict[str, Callable[[], Destination]] = {
        "directory": lambda: DirectoryDestination(tmp_path / "logs"),
        "endpoint": lambda: at_endpoint(request.getfixturevalue("elsewhere"), tmp_path),
        "own": of_own,
    }
    return made[request.param]()


def test_a_file_and_its_metadata(destination: Destination) -> None:
    for body in (b"first", b"second, which takes the place of the first", b""):
        metadata = {"signature": body.hex(), "signature-algorithm": "SHA256withRSA"}
        destination.put(f"{FOLDER}/a.json.gz", body, metadata)
        found = destination.get(f"{FOLDER}/a.json.gz")
        assert (found.body, dict(found.metadata)) == (body, metadata)
    assert list(destination.keys("")) == [f"{FOLDER}/a.json.gz"]


def test_keys_stand_in_the_order_of_their_bytes(destination: Destination) -> None:
    names = ["a-b", "a/c", "a.d", "a0/z", "B", "a/b/c"]
    for name in names:
        destination.put(f"{FOLDER}/{name}", b"x", {})
    for prefix in ("", FOLDER, f"{FOLDER}/a", f"{FOLDER}/a/", f"{FOLDER}/none"):
        wanted = sorted(f"{FOLDER}/{name}" for name in names if f"{FOLDER}/{name}".startswith(prefix))
        assert list(destination.keys(prefix)) == wanted


def test_what_is_not_there(destination: Destination) -> None:
    destination.put(f"{FOLDER}/a", b"x", {})
    for name in ("b", "a/b"):
        with pytest.raises(NoSuchFile):
            destination.get(f"{FOLDER}/{name}")


def test_files_are_private_and_none_is_outside(tmp_path: Path) -> None:
    place = DirectoryDestination(tmp_path / "logs")
    place.put("a/b/c", b"x", {"k": "v"})
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "logs").rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert {
        stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "logs").rglob("*") if path.is_dir()
    } == {0o700}
    for key in ("../b", "a/../../b", "/etc/x", "a//b", "", ".", "a\0b", "a.metadata"):
        with pytest.raises(DestinationError):
            place.put(key, b"x", {})
    assert list(place.keys("")) == ["a/b/c"]
    (tmp_path / "logs" / ".unfinished-1").write_bytes(b"left by a crash")
    (tmp_path / "logs" / "a" / "b" / ".unfinished-2").write_bytes(b"left by another")
    assert list(place.keys("")) == ["a/b/c"]


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"bucket": "there-is-none"}, "NoSuchBucket"),
        ({"access_key_variable": "KMS_TEST_NONE", "access_key_file": None, "secret_key_file": None}, "CredentialsMissing"),
        ({"endpoint": "http://127.0.0.1:9"}, "ServiceUnavailable"),
    ],
    ids=["bucket", "credentials", "address"],
)  # fmt: skip
def test_what_an_endpoint_says_of_a_failure(
    elsewhere: ServerProcess, tmp_path: Path, how: dict[str, str], code: str
) -> None:
    place = at_endpoint(elsewhere, tmp_path, **how)
    with pytest.raises(DestinationError) as refused:
        place.put("a", b"x", {})
    assert refused.value.code == code


def test_credentials_that_others_can_read_are_not_used(elsewhere: ServerProcess, tmp_path: Path) -> None:
    place = at_endpoint(elsewhere, tmp_path)
    (tmp_path / "secret").chmod(0o604)
    with pytest.raises(DestinationError, match="chmod 600") as refused:
        place.put("a", b"x", {})
    assert refused.value.code == "CredentialsMissing"
    (tmp_path / "secret").chmod(0o600)
    place.put("a", b"x", {})


def test_the_policy_of_our_own_bucket_decides(own: S3InProcess) -> None:
    policy = bucket_policy("open", TRAIL.arn)
    closed = in_own(own, "closed")
    opened = in_own(own, "open", policy)
    other = buckets_of(own)(replace(TRAIL, name="other"), "open")
    opened.put(f"{FOLDER}/a", b"x", {})
    for place, key in ((closed, f"{FOLDER}/a"), (other, f"{FOLDER}/a"), (opened, "elsewhere/a")):
        with pytest.raises(DestinationError) as refused:
            place.put(key, b"x", {})
        assert refused.value.code == "AccessDenied"
    with pytest.raises(DestinationError) as missing:
        buckets_of(own)(TRAIL, "no-such-bucket").put("a", b"x", {})
    assert missing.value.code == "NoSuchBucket"


@pytest.mark.parametrize(
    ("name", "allowed_if", "passes"),
    [
        ("tls", {"Bool": {"aws:SecureTransport": "true"}}, True),
        ("is-service", {"Bool": {"aws:PrincipalIsAWSService": "true"}}, True),
        ("its-name", {"StringEquals": {"aws:PrincipalServiceName": "cloudtrail.amazonaws.com"}}, True),
        ("source", {"StringEquals": {"aws:SourceAccount": ACCOUNT}}, True),
        ("other-source", {"StringEquals": {"aws:SourceAccount": "999999999999"}}, False),
        ("account", {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}, False),
    ],
    ids=["tls", "is-service", "its-name", "source", "other-source", "account"],
)
def test_what_a_policy_learns_of_the_service(
    own: S3InProcess, name: str, allowed_if: dict[str, dict[str, str]], *, passes: bool
) -> None:
    bucket = f"learns-{name}"
    policy = json.loads(bucket_policy(bucket, TRAIL.arn))
    policy["Statement"][1]["Condition"] = allowed_if
    place = in_own(own, bucket, json.dumps(policy))
    if passes:
        place.put(f"{FOLDER}/a", b"x", {})
        return
    with pytest.raises(DestinationError) as refused:
        place.put(f"{FOLDER}/a", b"x", {})
    assert refused.value.code == "AccessDenied"


def test_a_bucket_is_checked_before_a_trail_has_it(own: S3InProcess) -> None:
    check = buckets_of(own).check
    in_own(own, "good", bucket_policy("good", TRAIL.arn, prefix="p/"))
    in_own(own, "bare")
    check(replace(TRAIL, bucket="good", prefix="p"))
    for changes in (
        {"bucket": "bare"},
        {"bucket": "good"},
        {"bucket": "good", "prefix": "p", "name": "other"},
    ):
        with pytest.raises(InsufficientS3BucketPolicyException):
            check(replace(TRAIL, **changes))  # type: ignore[arg-type]
    with pytest.raises(S3BucketDoesNotExistException):
        check(replace(TRAIL, bucket="none"))
