"""The rules of tags in IAM (AWS "Tagging IAM resources")."""

from collections.abc import Sequence

from kms_server import errors as e
from kms_server.operations.call import Call
from kms_server.storage import identity_tags
from kms_server.storage.identities import Identity
from kms_server.storage.identity_tags import Owner

_MOST = 50


def owner_of_identity(identity: Identity) -> Owner:
    """A user or a role as the owner of tags."""
    return Owner(identity.account, identity.unique_id, ignores_case=True)


def tag(call: Call, owner: Owner) -> None:
    """Set the tags that the request has, if any.

    Raises:
        InvalidInputException: one is there twice, or belongs to AWS.
        LimitExceededException: there would be more than 50.
    """
    sent: Sequence[dict[str, str]] = call.get("Tags", ())
    if not sent:
        return
    keys = {owner.key(one["Key"]) for one in sent}
    if len(keys) != len(sent):
        raise e.InvalidInputException(
            "Duplicate tag keys found. Please note that Tag keys are case insensitive."
            if owner.ignores_case
            else "Duplicate tag keys found."
        )
    if any(key.lower().startswith("aws:") for key in keys):
        raise e.InvalidInputException("Tag keys beginning with aws: are reserved for system use.")
    present = {owner.key(name) for name in identity_tags.of_owner(call.connection, owner.name)}
    if len(present | keys) > _MOST:
        raise e.LimitExceededException(f"The number of tags has reached the maximum limit of {_MOST}.")
    identity_tags.put(call.writing, owner, {one["Key"]: one["Value"] for one in sent})
