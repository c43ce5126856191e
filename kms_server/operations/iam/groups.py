"""CreateGroup, GetGroup, ListGroups, UpdateGroup, DeleteGroup, and who is in which group."""

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.operations.call import Answer, Call, Plane
from kms_server.operations.iam import common, users
from kms_server.operations.iam.common import GROUPS, QUOTAS, USERS
from kms_server.operations.paging import marked_page
from kms_server.schemas import iam as schemas
from kms_server.schemas.fields import ListOf, Structure
from kms_server.storage import identities, memberships
from kms_server.storage.identities import Identity, Kind


def create_group(call: Call, connection: Connection) -> Answer:
    """Make a group (AWS CreateGroup)."""
    group = users.new_identity(call, Kind.GROUP, call.parameters["GroupName"])
    common.allow(call, connection, group.arn)
    users.require_new(call, connection, group)
    have = identities.count(connection, call.account, Kind.GROUP)
    common.require_room("GroupsPerAccount", have, GROUPS.quota("GroupsQuota"))
    identities.add_account(call.writing, call.account)
    identities.add(call.writing, group)
    return {"Group": entry(group)}


def get_group(call: Call, connection: Connection) -> Answer:
    """A group and its users (AWS GetGroup)."""
    group = common.find(call, connection, GROUPS)
    found, rest = marked_page(
        call, lambda after, count: memberships.members_of(connection, group, after, count), _key
    )
    return {"Group": entry(group), "Users": [users.entry(user) for user in found], **rest}


def list_groups(call: Call, connection: Connection) -> Answer:
    """The groups below a path (AWS ListGroups)."""
    found, rest = users.list_identities(call, connection, Kind.GROUP)
    return {"Groups": [entry(group) for group in found], **rest}


def update_group(call: Call, connection: Connection) -> Answer:
    """Give a group another name or path (AWS UpdateGroup)."""
    group = common.find(call, connection, GROUPS)
    name, path = users.moved(call, connection, group)
    identities.change(call.writing, group, name=name, path=path)
    return None


def delete_group(call: Call, connection: Connection) -> Answer:
    """Delete a group without users and policies (AWS DeleteGroup)."""
    group = common.find(call, connection, GROUPS)
    if memberships.members_of(connection, group, limit=1):
        raise e.DeleteConflictException("Cannot delete entity, must remove users from group first.")
    common.require_no_policies(connection, group)
    identities.remove(call.writing, group)
    return None


def add_user_to_group(call: Call, connection: Connection) -> Answer:
    """Put a user into a group; one that is there already stays (AWS AddUserToGroup)."""
    group = common.find(call, connection, GROUPS)
    user = _user(call, connection)
    others = [one for one in memberships.groups_of(connection, user) if one != group]
    common.require_room("GroupsPerUser", len(others), QUOTAS["GroupsPerUserQuota"])
    memberships.add(call.writing, user, group)
    return None


def remove_user_from_group(call: Call, connection: Connection) -> Answer:
    """Take a user out of a group (AWS RemoveUserFromGroup)."""
    group = common.find(call, connection, GROUPS)
    user = _user(call, connection)
    if not memberships.remove(call.writing, user, group):
        raise e.NoSuchEntityException(f"User {user.name} not in group {group.name}")
    return None


def list_groups_for_user(call: Call, connection: Connection) -> Answer:
    """The groups of a user (AWS ListGroupsForUser)."""
    user = common.find(call, connection, USERS)
    found, rest = marked_page(
        call, lambda after, count: memberships.groups_of(connection, user, after, count), _key
    )
    return {"Groups": [entry(group) for group in found], **rest}


def entry(group: Identity) -> dict[str, object]:
    """AWS's Group."""
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.unique_id,
        "Arn": group.arn,
        "CreateDate": group.created_at,
    }


def _user(call: Call, connection: Connection) -> Identity:
    """The user of a request about a group, on which alone the permission is."""
    user = identities.get(connection, call.account, Kind.USER, call.parameters["UserName"])
    if user is None:
        raise e.NoSuchEntityException(f"The user with name {call.parameters['UserName']} cannot be found.")
    return user


def _key(identity: Identity) -> str:
    return identity.name


_GROUP = {"Group": Structure(schemas.Group, required=True)}
_GROUPS = {"Groups": ListOf(Structure(schemas.Group), required=True), **schemas.rest()}

OPERATIONS = (
    common.operation(
        "CreateGroup", create_group, Plane.WRITE, "Creates a group.",
        {"Path": schemas.path(), "GroupName": schemas.name(required=True)}, _GROUP, answers=("Group",),
        errors=(e.LimitExceededException, e.EntityAlreadyExistsException),
    ),
    common.operation(
        "GetGroup", get_group, Plane.READ, "Describes a group and its users.",
        {"GroupName": schemas.name(required=True), **schemas.place()},
        {**_GROUP, "Users": ListOf(Structure(schemas.User), required=True), **schemas.rest()},
    ),
    common.operation(
        "ListGroups", list_groups, Plane.READ, "Lists the groups below a path.",
        {"PathPrefix": schemas.path_prefix(), **schemas.place()}, _GROUPS, errors=(),
    ),
    common.operation(
        "UpdateGroup", update_group, Plane.WRITE, "Changes the name or the path of a group.",
        {"GroupName": schemas.name(required=True), "NewPath": schemas.path(), "NewGroupName": schemas.name()},
        errors=(e.NoSuchEntityException, e.EntityAlreadyExistsException),
    ),
    common.operation(
        "DeleteGroup", delete_group, Plane.WRITE, "Deletes a group.", {"GroupName": schemas.name(required=True)},
        errors=(e.NoSuchEntityException, e.DeleteConflictException),
    ),
    common.operation(
        "AddUserToGroup", add_user_to_group, Plane.WRITE, "Adds a user to a group.",
        {"GroupName": schemas.name(required=True), "UserName": schemas.existing_user_name(required=True)},
        errors=(e.NoSuchEntityException, e.LimitExceededException),
    ),
    common.operation(
        "RemoveUserFromGroup", remove_user_from_group, Plane.WRITE, "Removes a user from a group.",
        {"GroupName": schemas.name(required=True), "UserName": schemas.existing_user_name(required=True)},
    ),
    common.operation(
        "ListGroupsForUser", list_groups_for_user, Plane.READ, "Lists the groups of a user.",
        {"UserName": schemas.existing_user_name(required=True), **schemas.place()}, _GROUPS,
    ),
)  # fmt: skip
