"""Cells: what calls change, one value each, and how a server is asked for it.

A cell's name is its kind and what tells it from others of the kind. Clients read cells while they work, and the checker reads
all of them at the end.
"""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

# A call by operation and parameters, and the service it is of; raises ClientError.
Ask = Callable[..., Any]

ENABLED, DISABLED, PENDING = "Enabled", "Disabled", "PendingDeletion"
LIVE, GONE, NONE = "live", "gone", "none"
GIVEN, TAKEN = "given", "taken"
ACTIVE, INACTIVE = "Active", "Inactive"


def read(ask: Ask, cell: str) -> str:
    """The value of a cell.

    Raises:
        ClientError: the server does not tell.
    """
    kind, *names = cell.split(" ")
    return _READERS[kind](ask, *names)


def _state(ask: Ask, key: str) -> str:
    return str(ask("DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"])


def _policy(ask: Ask, key: str) -> str:
    return GIVEN if ":user/" in ask("GetKeyPolicy", KeyId=key)["Policy"] else TAKEN


def _grant(ask: Ask, key: str, name: str) -> str:
    answer = ask("ListGrants", KeyId=key, Limit=100)
    assert not answer["Truncated"], "a client makes no more grants than a page has"
    return LIVE if any(grant["Name"] == name for grant in answer["Grants"]) else GONE


def _alias(ask: Ask, name: str) -> str:
    try:
        return str(ask("DescribeKey", KeyId=name)["KeyMetadata"]["KeyId"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
        return NONE


def _tag(ask: Ask, key: str) -> str:
    tags = {tag["TagKey"]: tag["TagValue"] for tag in ask("ListResourceTags", KeyId=key)["Tags"]}
    return str(tags.get("round", NONE))


def _rotations(ask: Ask, key: str) -> str:
    return str(len(ask("ListKeyRotations", KeyId=key, Limit=100)["Rotations"]))


def _access(ask: Ask, user: str, access_key_id: str) -> str:
    found = ask("ListAccessKeys", service="iam", UserName=user)["AccessKeyMetadata"]
    (status,) = {key["Status"] for key in found if key["AccessKeyId"] == access_key_id}
    return str(status)


_READERS: dict[str, Callable[..., str]] = {
    "state": _state,
    "policy": _policy,
    "grant": _grant,
    "alias": _alias,
    "tag": _tag,
    "rotations": _rotations,
    "access": _access,
}
