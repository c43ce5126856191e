"""ListPublicKeys."""

from kms_server import errors as e
from kms_server.operations import access
from kms_server.operations.call import Answer, Call


def list_public_keys(call: Call) -> Answer:
    """The keys whose private halves signed digests in a span of time, by default now (AWS ListPublicKeys)."""
    access.allow_without_key(call)
    if call.get("NextToken"):
        raise e.InvalidTokenException("The token is invalid.")
    start, end = call.get("StartTime", call.time), call.get("EndTime", call.time)
    if start > end:
        raise e.InvalidTimeRangeException("StartTime must not be after EndTime.")
    return {
        "PublicKeyList": [
            {
                "Value": key.der,
                "ValidityStartTime": key.starts_at,
                "ValidityEndTime": key.ends_at,
                "Fingerprint": key.fingerprint,
            }
            for key in call.services.signing_keys.between(start, end)
        ]
    }
