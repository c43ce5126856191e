"""Days of a trail, with new signing keys and a crash on the way, as `aws cloudtrail validate-logs` sees them."""

import os
from pathlib import Path

from kms_server.clock import iso_seconds
from kms_server.storage import trail_digests, trail_files, trails
from kms_server.storage.trails import Trail
from tests.functional import processes
from tests.functional.command_line import clean_environment
from tests.functional.s3_client import new_bucket, s3_client
from tests.functional.server_process import ServerProcess, StartServer
from tests.trail_setup import ACCOUNT, REGION, bucket_policy, opened

# Three days in `make soak`.
HOURS = int(os.environ.get("KMS_TEST_TRAIL_HOURS", "18"))
ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"


def test_all_that_is_delivered_is_valid(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(
        "--audit-delivery-interval", "3600", env={"KMS_SERVER_CLOCK_CONTROL": "1"}, workers=1
    )
    s3 = s3_client(server.access)
    bucket = new_bucket(s3)
    s3.put_bucket_policy(Bucket=bucket, Policy=bucket_policy(bucket, ARN))
    cloudtrail = server.client("cloudtrail")
    cloudtrail.create_trail(Name="main", S3BucketName=bucket, EnableLogFileValidation=True)
    cloudtrail.start_logging(Name="main")
    with opened(server) as state, state.database.read() as connection:
        [trail] = trails.every(connection)
    for hour in range(1, HOURS + 1):
        kms = server.client("kms", max_attempts=5)
        kms.create_key()
        kms.generate_random(NumberOfBytes=8)
        if hour == HOURS // 2:
            s3.delete_bucket_policy(Bucket=bucket)
        server.cli("clock", "advance", "1h")
        if hour == HOURS // 2:
            kill_in_a_delivery(server, trail)
            s3 = s3_client(server.access)
            s3.put_bucket_policy(Bucket=bucket, Policy=bucket_policy(bucket, ARN))
        if hour % (HOURS // 3) == 0:
            server.cli("audit", "rotate-key")
        # Beside the server, which does the same at the same time.
        server.cli("audit", "deliver", "--now")
    server.cli("audit", "deliver", "--now", "--digest")
    files, digests = delivered(server, trail)
    # One that the crash came between may cover two hours.
    assert digests in (HOURS, HOURS + 1)
    assert files >= HOURS
    status = cloudtrail.get_trail_status(Name="main")
    assert status["IsLogging"]
    assert not status.get("LatestDeliveryError")
    assert not status.get("LatestDigestDeliveryError")
    said = validate_logs(server, trail, tmp_path)
    assert f"{digests}/{digests} digest files valid" in said
    assert f"{files}/{files} log files valid" in said
    verified = server.cli("audit", "verify", check=False)
    assert (verified.returncode, "no errors" in verified.stdout) == (0, True), verified.stdout


def kill_in_a_delivery(server: ServerProcess, trail: Trail) -> None:
    """Kill the server when it has planned a file, which the bucket does not take."""
    with opened(server) as state:

        def pending() -> bool:
            with state.database.read() as connection:
                return bool(trail_files.pending(connection, trail.trail_id))

        server.wait_for(pending)
        server.kill9()
    server.restart()


def delivered(server: ServerProcess, trail: Trail) -> tuple[int, int]:
    """How many log files and digests a trail has delivered."""
    with opened(server) as state, state.database.read() as connection:
        assert trail_files.pending(connection, trail.trail_id) == []
        files = trail_files.of_trail(connection, trail.trail_id)
        digests = trail_digests.of_trail(connection, trail.trail_id)
    assert {one.digest_end for one in files} <= {one.ends_at for one in digests}
    return len(files), len(digests)


def validate_logs(server: ServerProcess, trail: Trail, directory: Path) -> str:
    """What the command says; it finds nothing wrong."""
    with opened(server) as state:
        now = state.clock.now()
    access = server.access
    environment = clean_environment() | {
        "AWS_ACCESS_KEY_ID": access.access_key_id, "AWS_SECRET_ACCESS_KEY": access.secret, "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": server.url, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }  # fmt: skip
    span = (
        "--start-time", iso_seconds(trail.created_at - 60), "--end-time", iso_seconds(now + 60),
    )  # fmt: skip
    code, said, errors = processes.aws(
        ["cloudtrail", "validate-logs", "--trail-arn", trail.arn, "--verbose", *span],
        environment, directory,
    )  # fmt: skip
    assert code == 0, said + errors
    assert "INVALID" not in said
    return said
