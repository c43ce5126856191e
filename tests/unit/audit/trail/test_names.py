"""Keys of log files and digests, as CloudTrail's manual has them."""

import re

from kms_server.audit.trail import names
from kms_server.storage.trails import Trail

TRAIL = Trail("t", "111122223333", "eu-central-1", "Audit.1", "logs", 0.0)
END = 1_795_262_405.0  # 2026-11-21T12:00:05Z


def test_a_log_file() -> None:
    key = names.log_key(TRAIL, "us-east-1", END)
    assert re.fullmatch(
        r"AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/21/"
        r"111122223333_CloudTrail_us-east-1_20261121T1200Z_[0-9A-Za-z]{16}\.json\.gz",
        key,
    )
    assert key != names.log_key(TRAIL, "us-east-1", END)


def test_a_digest() -> None:
    assert names.digest_key(TRAIL, "us-east-1", END) == (
        "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/11/21/"
        "111122223333_CloudTrail-Digest_us-east-1_Audit.1_eu-central-1_20261121T120005Z.json.gz"
    )


def test_a_prefix() -> None:
    trail = Trail("t", "111122223333", "eu-central-1", "Audit.1", "logs", 0.0, prefix="a/b")
    assert names.digest_key(trail, "us-east-1", END) == f"a/b/{names.digest_key(TRAIL, 'us-east-1', END)}"
    assert names.folder(trail, "CloudTrail", "us-east-1") == "a/b/AWSLogs/111122223333/CloudTrail/us-east-1"
