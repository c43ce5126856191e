"""What comes of a request for a quota increase."""

from kms_server.quotas import subjects
from kms_server.quotas.profiles import Allowed, Profile
from kms_server.quotas.table import default_burst
from kms_server.storage import limits
from kms_server.storage.database import Transaction
from kms_server.storage.limits import SetLimit
from kms_server.storage.quota_requests import QuotaRequest


def grant(tx: Transaction, request: QuotaRequest, profile: Profile) -> None:
    """Set the limit that a request asks for; one that was set higher by now stays, and so does a higher burst.

    `profile` has the limits that hold where none is set.
    """
    subject = subjects.of_quota(request.account, request.region, request.quota_id)
    current = limits.get(tx.connection, subject)
    if current is not None and current.rate >= request.desired:
        return
    held = Allowed(current.rate, current.burst) if current else profile.of(request.quota_id, request.region)
    burst = held.burst if held else None
    if burst is not None and burst <= default_burst(request.desired):
        burst = None
    limits.put(tx, SetLimit(subject, request.desired, burst))
