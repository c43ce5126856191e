"""The rules of tags in CloudTrail (AWS AddTags)."""

import re
from collections.abc import Mapping, Sequence

from kms_server import errors as e

_MOST = 50
_TEXT = re.compile(r"[\w\s.:/=+\-@]*")


def checked(sent: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Tags by key; one without a value has an empty one.

    Raises:
        InvalidTagParameterException: one is there twice, belongs to AWS or has other characters.
        TagsLimitExceededException: they are more than 50.
    """
    tags = {one["Key"]: one.get("Value", "") for one in sent}
    if len(tags) != len(sent):
        raise e.InvalidTagParameterException("Duplicate tag keys are not allowed.")
    for key, value in tags.items():
        if key.lower().startswith("aws:"):
            raise e.InvalidTagParameterException("Tag keys beginning with aws: are reserved for system use.")
        if not _TEXT.fullmatch(key) or not _TEXT.fullmatch(value):
            raise e.InvalidTagParameterException(
                "Tag keys and values can only contain letters, numbers, spaces, and _ . : / = + - @"
            )
    require_room(tags)
    return tags


def require_room(tags: Mapping[str, str]) -> None:
    """Refuse more tags than a trail can have.

    Raises:
        TagsLimitExceededException
    """
    if len(tags) > _MOST:
        raise e.TagsLimitExceededException(f"A resource can have at most {_MOST} tags.")
