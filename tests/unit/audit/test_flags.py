"""What is flagged."""

from typing import Any

import pytest

from kms_server.audit.flags import PENDING_DELETION_USED, flags
from kms_server.errors import ServiceError
from kms_server.keys import states
from kms_server.keys.states import KeyState


@pytest.mark.parametrize("state", [KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION])
def test_uses_of_a_key_that_is_about_to_be_deleted(state: KeyState) -> None:
    with pytest.raises(ServiceError) as refused:
        states.USE.require(state, "arn:key")
    record = {"errorCode": refused.value.code, "errorMessage": refused.value.message}
    assert flags(record) == (PENDING_DELETION_USED,)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"errorCode": "AccessDenied", "errorMessage": "arn:key is pending deletion."},
        {"errorCode": "KMSInvalidStateException", "errorMessage": "arn:key is not pending deletion."},
        {"errorCode": "KMSInvalidStateException", "errorMessage": "arn:key is pending import."},
        {"errorCode": "KMSInvalidStateException"},
    ],
    ids=["success", "denied", "not pending", "import", "no text"],
)
def test_nothing_else(record: dict[str, Any]) -> None:
    assert flags(record) == ()
