"""The headers with which trails deliver to S3 (CloudTrail "Amazon S3 bucket policy for CloudTrail")."""

import json
from base64 import b64encode
from collections.abc import Mapping

from kms_server.s3.access_lists import CANNED
from kms_server.s3.metadata import USER
from kms_server.storage.trails import Trail

_SSE = "x-amz-server-side-encryption"


def put_headers(trail: Trail, metadata: Mapping[str, str]) -> dict[str, str]:
    """The headers of a PutObject; without a key of the trail's the bucket's own encryption holds."""
    headers = {CANNED: "bucket-owner-full-control"}
    headers |= {f"{USER}{name}": value for name, value in metadata.items()}
    if trail.kms_key is not None:
        context = json.dumps({"aws:cloudtrail:arn": trail.arn}).encode()
        headers |= {
            _SSE: "aws:kms",
            f"{_SSE}-aws-kms-key-id": trail.kms_key,
            f"{_SSE}-context": b64encode(context).decode(),
        }
    return headers


def user_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """The metadata that headers by lower-case names tell of."""
    return {name.removeprefix(USER): value for name, value in headers.items() if name.startswith(USER)}
