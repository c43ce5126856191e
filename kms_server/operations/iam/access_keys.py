"""CreateAccessKey, ListAccessKeys, UpdateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed."""

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.arn import root_arn
from kms_server.audit import event_id
from kms_server.audit.pages import Query
from kms_server.config import DEFAULT_REGION
from kms_server.keyring import access_keys as access_secrets
from kms_server.operations.call import Answer, Call, Plane
from kms_server.operations.iam import common
from kms_server.operations.iam.common import QUOTAS
from kms_server.operations.paging import marked_page_of
from kms_server.operations.usage import newest
from kms_server.schemas import iam as schemas
from kms_server.schemas import iam_policies as policy_schemas
from kms_server.schemas.fields import ListOf, Structure
from kms_server.storage import access_keys, identities, keys, last_uses
from kms_server.storage.access_keys import AccessKey
from kms_server.storage.identities import Identity
from kms_server.storage.last_uses import Use


def create_access_key(call: Call, connection: Connection) -> Answer:
    """Make an access key of a user, or of whoever calls; its secret is told this once (AWS CreateAccessKey)."""
    owner = _owner(call, connection)
    have = access_keys.count(connection, call.account, owner.unique_id if owner else None)
    common.require_room("AccessKeysPerUser", have, QUOTAS["AccessKeysPerUserQuota"])
    key, secret = access_secrets.create(call.writing, call.services.root_key, call.account, owner, call.time)
    told = entry(key)
    call.answered_extra = {"AccessKey": told}
    return {"AccessKey": told | {"SecretAccessKey": secret}}


def list_access_keys(call: Call, connection: Connection) -> Answer:
    """The access keys of a user, or of whoever calls, without secrets (AWS ListAccessKeys)."""
    owner = _owner(call, connection)
    found = access_keys.of_owner(connection, call.account, owner.unique_id if owner else None)
    page, rest = marked_page_of(call, found, lambda key: key.access_key_id)
    return {"AccessKeyMetadata": [entry(key) for key in page], **rest}


def update_access_key(call: Call, connection: Connection) -> Answer:
    """Let an access key be used, or no longer (AWS UpdateAccessKey)."""
    key, status = _key(call, connection), call.parameters["Status"]
    if status not in (access_keys.ACTIVE, access_keys.INACTIVE):
        raise e.InvalidInputException(f"The status of an access key cannot be set to {status}.")
    access_keys.set_status(call.writing, key, status)
    return None


def delete_access_key(call: Call, connection: Connection) -> Answer:
    """Delete an access key (AWS DeleteAccessKey)."""
    access_keys.remove(call.writing, _key(call, connection))
    return None


def get_access_key_last_used(call: Call, connection: Connection) -> Answer:
    """When, where and for what an access key was last used, from the log (AWS GetAccessKeyLastUsed)."""
    key = access_keys.get(connection, call.parameters["AccessKeyId"])
    if key is None or key.account != call.account:
        common.allow(call, connection, root_arn(call.account))
        raise e.AccessDeniedException(
            f"User: {call.principal.arn} is not authorized to perform: {call.operation.action} on resource: access key "
            f"{call.parameters['AccessKeyId']}"
        )
    owner = identities.by_id(connection, key.user_id) if key.user_id else None
    _allow(call, connection, owner)
    use = _last_use(call, connection, key)
    used: dict[str, object] = {"ServiceName": "N/A", "Region": "N/A"}
    if use is not None:
        service = use.service.partition(".")[0]
        used = {"LastUsedDate": event_id.time_of(use.event_id), "ServiceName": service, "Region": use.region}
    return _named(key) | {"AccessKeyLastUsed": used}


def entry(key: AccessKey) -> dict[str, object]:
    """AWS's AccessKeyMetadata; keys of the root have no user name."""
    return {
        **_named(key),
        "AccessKeyId": key.access_key_id,
        "Status": key.status,
        "CreateDate": key.created_at,
    }


def _named(key: AccessKey) -> dict[str, object]:
    return {} if key.user_name is None else {"UserName": key.user_name}


def _owner(call: Call, connection: Connection) -> Identity | None:
    owner = common.find_user_or_caller(call, connection)
    if owner is None:
        _allow(call, connection, None)
    return owner


def _allow(call: Call, connection: Connection, owner: Identity | None) -> None:
    if owner is None:
        common.allow(call, connection, root_arn(call.account))
    else:
        common.allow_on(call, connection, owner)


def _key(call: Call, connection: Connection) -> AccessKey:
    """The access key that the request names, when it is that user's."""
    owner, access_key_id = _owner(call, connection), call.parameters["AccessKeyId"]
    key = access_keys.get(connection, access_key_id)
    user_id = owner.unique_id if owner else None
    if key is None or (key.account, key.user_id) != (call.account, user_id):
        raise e.NoSuchEntityException(f"The Access Key with id {access_key_id} cannot be found.")
    return key


def _last_use(call: Call, connection: Connection, key: AccessKey) -> Use | None:
    """The newest call that was signed with a key, in the Regions where the account has any business."""
    places = {call.region, DEFAULT_REGION, *keys.regions_of_account(connection, key.account)}
    queries = [
        Query(
            account=key.account, region=region, attribute=("access_key_id", key.access_key_id), start=None,
            end=None, after=None, limit=1,
        )
        for region in places
    ]  # fmt: skip
    return newest(call, queries, lambda fresh: last_uses.of_access_key(fresh, key.access_key_id))


_KEY = {"UserName": schemas.existing_user_name(), "AccessKeyId": schemas.access_key_id(required=True)}

OPERATIONS = (
    common.operation(
        "CreateAccessKey", create_access_key, Plane.WRITE, "Creates an access key of a user, or of the caller.",
        {"UserName": schemas.existing_user_name()},
        {"AccessKey": Structure(policy_schemas.AccessKey, required=True)},
        errors=(e.NoSuchEntityException, e.LimitExceededException),
    ),
    common.operation(
        "ListAccessKeys", list_access_keys, Plane.READ, "Lists the access keys of a user, or of the caller.",
        {"UserName": schemas.existing_user_name(), **schemas.place()},
        {"AccessKeyMetadata": ListOf(Structure(policy_schemas.AccessKeyMetadata), required=True), **schemas.rest()},
    ),
    common.operation(
        "UpdateAccessKey", update_access_key, Plane.WRITE, "Lets an access key be used, or no longer.",
        {**_KEY, "Status": schemas.status(required=True)},
        errors=(e.NoSuchEntityException, e.InvalidInputException),
    ),
    common.operation("DeleteAccessKey", delete_access_key, Plane.WRITE, "Deletes an access key.", _KEY),
    common.operation(
        "GetAccessKeyLastUsed", get_access_key_last_used, Plane.READ, "Tells when an access key was last used.",
        {"AccessKeyId": schemas.access_key_id(required=True)},
        {"UserName": schemas.existing_user_name(),
         "AccessKeyLastUsed": Structure(policy_schemas.AccessKeyLastUsed)},
        errors=(),
    ),
)  # fmt: skip
