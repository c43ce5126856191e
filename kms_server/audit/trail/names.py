"""The keys of what trails deliver (CloudTrail "Finding your CloudTrail log files")."""

import secrets
import string
from datetime import UTC, datetime

from kms_server.storage.trails import Trail

_ALPHABET = string.ascii_letters + string.digits
_RANDOM = 16


def log_key(trail: Trail, region: str, when: float) -> str:
    """A key for a new log file, planned at `when` (epoch seconds); no other file has it."""
    moment = datetime.fromtimestamp(when, UTC)
    token = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    name = f"{trail.account}_CloudTrail_{region}_{moment:%Y%m%dT%H%MZ}_{token}.json.gz"
    return f"{folder(trail, 'CloudTrail', region)}/{moment:%Y/%m/%d}/{name}"


def digest_key(trail: Trail, region: str, end: float) -> str:
    """The key of the digest that ends at `end` (epoch seconds)."""
    moment = datetime.fromtimestamp(end, UTC)
    name = f"{trail.account}_CloudTrail-Digest_{region}_{trail.name}_{trail.region}_{moment:%Y%m%dT%H%M%SZ}.json.gz"
    return f"{folder(trail, 'CloudTrail-Digest', region)}/{moment:%Y/%m/%d}/{name}"


def account_folder(trail: Trail) -> str:
    """What the keys of all that a trail delivers begin with, without a slash at the end."""
    prefix = f"{trail.prefix}/" if trail.prefix else ""
    return f"{prefix}AWSLogs/{trail.account}"


def folder(trail: Trail, kind: str, region: str) -> str:
    """What the keys of one kind and Region begin with, without a slash at the end."""
    return f"{account_folder(trail)}/{kind}/{region}"
