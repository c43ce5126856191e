"""Complete checkpoints as they are delivered beside the digests of a trail."""

import gzip
import json
from datetime import UTC, datetime
from typing import NamedTuple

from kms_server.audit.checkpoint import Complete, signed_bytes_of_complete
from kms_server.audit.signing import SigningKeys
from kms_server.storage.trails import Trail

FOLDER = "CloudTrail-Checkpoint"


class Delivery(NamedTuple):
    """A file to be delivered."""

    key: str
    body: bytes


def folder(prefix: str, account: str, kind: str, region: str = "") -> str:
    """Where files of a kind are, of one Region or of all: `[PREFIX/]AWSLogs/ACCOUNT/KIND/[REGION/]`."""
    above = f"{prefix}/" if prefix else ""
    return f"{above}AWSLogs/{account}/{kind}/{region}{'/' if region else ''}"


def delivered(whole: bytes, trail: Trail, region: str, time: float) -> Delivery:
    """The file of a complete checkpoint (`Checkpoints.whole`) made at `time`, in epoch seconds."""
    moment = datetime.fromtimestamp(int(time), UTC)
    name = f"{trail.account}_{FOLDER}_{region}_{trail.name}_{moment:%Y%m%dT%H%M%SZ}.json.gz"
    place = folder(trail.prefix, trail.account, FOLDER, region)
    return Delivery(f"{place}{moment:%Y/%m/%d}/{name}", gzip.compress(whole, mtime=0))


def opened(document: bytes, keys: SigningKeys) -> Complete:
    """The complete checkpoint of a document.

    Raises:
        ValueError: it is none, or no key of this server has signed it.
    """
    try:
        told = json.loads(document)
        body, signature = str(told["body"]), bytes.fromhex(told["signature"])
        key = keys.find(str(told["fingerprint"]))
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError("it is not a complete checkpoint") from None
    if key is None:
        raise ValueError("the key that has signed it is not this server's")
    if not key.verifies(signature, signed_bytes_of_complete(body)):
        raise ValueError("its signature is not right: it was changed, or signed by another key")
    return Complete.decode(body)
