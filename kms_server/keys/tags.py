"""Rules for tags (AWS TagResource)."""

from collections.abc import Collection, Mapping, Sequence

from kms_server.errors import TagException

_MOST = 50


def checked(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The requested tags by key.

    Raises:
        TagException: doubled, reserved or too many.
    """
    wanted = {tag["TagKey"]: tag["TagValue"] for tag in tags}
    if len(wanted) != len(tags):
        raise TagException("Duplicate tag keys")
    checked_names(wanted)
    require_room(wanted)
    return wanted


def checked_names(names: Collection[str]) -> None:
    """Refuse tag keys that belong to AWS.

    Raises:
        TagException: a key begins with `aws:` in any case.
    """
    if any(name.lower().startswith("aws:") for name in names):
        raise TagException("Tags beginning with aws: are reserved")


def require_room(tags: Collection[str]) -> None:
    """Refuse more tags than a key can have.

    Raises:
        TagException: more than 50.
    """
    if len(tags) > _MOST:
        raise TagException("Too many tags")
