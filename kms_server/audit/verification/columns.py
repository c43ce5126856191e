"""The columns by which records are looked up, worked out from the record, which alone is authenticated."""

from collections.abc import Mapping
from typing import Any

import orjson

from kms_server.audit.record import Row
from kms_server.storage.audit_tables import MOST_DATA_RESOURCE, MOST_RESOURCE

_LONGEST_NAME = 64
_WITHOUT_USER = (None, "AWSService", "AWSAccount")


def differing(row: Row, *, is_data: bool) -> list[str]:
    """The columns of a row that say something else than its record."""
    try:
        record = orjson.loads(row.record)
        expected = _expected(record, most=MOST_DATA_RESOURCE if is_data else MOST_RESOURCE)
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return ["record"]
    return [name for name, value in expected.items() if getattr(row, name) != value]


def _expected(record: Mapping[str, Any], most: int) -> dict[str, Any]:
    arns = [
        one["ARN"].replace("\0", "\N{REPLACEMENT CHARACTER}")[:most]
        for one in record.get("resources", ())[:2]
    ]
    arns += [None, None]
    return {
        "event_id": record["eventID"], "account": record["recipientAccountId"], "region": record["awsRegion"],
        "event_name": record["eventName"], "event_source": record["eventSource"], "read_only": record["readOnly"],
        "resource_1": arns[0], "resource_2": arns[1], "error_code": record.get("errorCode"),
        "username": _username(record["userIdentity"]), "access_key_id": record["userIdentity"].get("accessKeyId"),
    }  # fmt: skip


def _username(identity: Mapping[str, Any]) -> str | None:
    """As `Principal.name` says; services, and callers of other accounts or of none, have no user here."""
    if identity.get("type") in _WITHOUT_USER:
        return None
    if "sessionIssuer" in identity.get("sessionContext", {}):
        return str(identity["arn"].rpartition("/")[2])
    return str(identity.get("userName") or "root")[:_LONGEST_NAME]
