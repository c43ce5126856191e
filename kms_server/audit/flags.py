"""What stands out in a record, for those who watch the log."""

import re
from collections.abc import Mapping
from typing import Any

PENDING_DELETION_USED = "KeyPendingDeletionUsed"
_REFUSED_AS_DOOMED = re.compile(r"\S+ is pending (replica )?deletion\.")


def flags(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The flags of a record: so far, that somebody still wants to use a key which is about to be deleted.

    AWS advises an alarm on the same error: https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys-creating-cloudwatch-alarm.html
    """
    if record.get("errorCode") != "KMSInvalidStateException":
        return ()
    return (PENDING_DELETION_USED,) if _REFUSED_AS_DOOMED.fullmatch(record.get("errorMessage", "")) else ()
