"""Who calls in development mode."""

from kms_server.config import DEFAULT_ACCOUNT
from kms_server.server.signers import anyone
from kms_server.storage.audit_tables import audit_events


def test_anybodys_access_key_fits_its_column() -> None:
    """PostgreSQL refuses what does not, and with it the batch of other calls."""
    caller = anyone("x" * 4_096)
    assert caller.account == DEFAULT_ACCOUNT
    assert caller.access_key_id == "x" * audit_events.c.access_key_id.type.length  # type: ignore[attr-defined]  # a String
    assert caller.identity["accessKeyId"] == caller.access_key_id


def test_twelve_digits_name_an_account() -> None:
    assert anyone("111122223333").account == "111122223333"
