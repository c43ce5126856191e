"""CreateUser, GetUser, ListUsers, UpdateUser, DeleteUser."""

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.arn import iam_arn, root_arn
from kms_server.keyring import access_keys as access_secrets
from kms_server.operations.call import Answer, Call, Plane
from kms_server.operations.iam import common, policies
from kms_server.operations.iam.common import USERS
from kms_server.operations.iam.tag_rules import owner_of_identity, tag
from kms_server.operations.paging import marked_page
from kms_server.schemas import iam as schemas
from kms_server.schemas.fields import ListOf, Structure
from kms_server.storage import access_keys, identities, memberships
from kms_server.storage.identities import Identity, Kind


def create_user(call: Call, connection: Connection) -> Answer:
    """Make a user, who may do nothing yet (AWS CreateUser)."""
    user = new_identity(call, Kind.USER, call.parameters["UserName"])
    common.allow(call, connection, user.arn)
    require_new(call, connection, user)
    common.require_room(
        "UsersPerAccount", identities.count(connection, call.account, Kind.USER), USERS.quota("UsersQuota")
    )
    policies.require_boundary(call, connection)
    identities.add_account(call.writing, call.account)
    identities.add(call.writing, user)
    tag(call, owner_of_identity(user))
    return {"User": entry(user) | details(connection, user)}


def get_user(call: Call, connection: Connection) -> Answer:
    """A user, or whoever calls (AWS GetUser)."""
    user = common.find_user_or_caller(call, connection)
    if user is None:
        keys = access_keys.of_owner(connection, call.account, None)
        created = {"CreateDate": keys[0].created_at} if keys else {}
        return {"User": {"UserId": call.account, "Arn": root_arn(call.account), **created}}
    return {"User": entry(user) | details(connection, user)}


def list_users(call: Call, connection: Connection) -> Answer:
    """The users below a path (AWS ListUsers)."""
    found, rest = list_identities(call, connection, Kind.USER)
    return {"Users": [entry(user) for user in found], **rest}


def update_user(call: Call, connection: Connection) -> Answer:
    """Give a user another name or path; the unique id stays, and with it all access (AWS UpdateUser)."""
    user = common.find(call, connection, USERS)
    name, path = moved(call, connection, user)
    if path != user.path:
        identities.change(call.writing, user, path=path)
    if name != user.name:
        access_secrets.rename_user(call.writing, call.services.root_key, user, name)
    return None


def delete_user(call: Call, connection: Connection) -> Answer:
    """Delete a user that has nothing left (AWS DeleteUser)."""
    user = common.find(call, connection, USERS)
    if access_keys.count(connection, user.account, user.unique_id):
        raise e.DeleteConflictException("Cannot delete entity, must delete access keys first.")
    if memberships.count_of_user(connection, user):
        raise e.DeleteConflictException("Cannot delete entity, must remove users from group first.")
    common.require_no_policies(connection, user)
    identities.remove(call.writing, user)
    return None


def entry(user: Identity) -> dict[str, object]:
    """AWS's User, as lists show it."""
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.unique_id,
        "Arn": user.arn,
        "CreateDate": user.created_at,
    }


def details(connection: Connection, identity: Identity) -> dict[str, object]:
    """What lists do not show of a user or a role: its permissions boundary and its tags."""
    return common.boundary_of(identity.boundary) | common.tags_of(connection, identity.unique_id)


def new_identity(call: Call, kind: Kind, name: str, **columns: str | int | None) -> Identity:
    """What the request asks to be made."""
    unique_id, path = identities.new_unique_id(kind), call.get("Path", "/")
    boundary = call.get("PermissionsBoundary")
    return Identity(unique_id, call.account, kind, name, path, call.time, boundary, **columns)  # type: ignore[arg-type]  # each column's own type


def require_new(call: Call, connection: Connection, identity: Identity) -> None:
    """Refuse a name that is taken, in whatever case.

    Raises:
        EntityAlreadyExistsException
    """
    if identities.name_is_taken(connection, call.account, identity.kind, identity.name):
        raise e.EntityAlreadyExistsException(
            f"{identity.kind.capitalize()} with name {identity.name} already exists."
        )


def list_identities(
    call: Call, connection: Connection, kind: Kind
) -> tuple[list[Identity], dict[str, object]]:
    """A page of the users, roles or groups below a path."""
    prefix = call.get("PathPrefix", "/")
    common.allow(call, connection, iam_arn(call.account, kind, prefix, ""))
    return marked_page(
        call,
        lambda after, count: identities.page(connection, call.account, kind, prefix, after, count),
        lambda identity: identity.name,
    )


def moved(call: Call, connection: Connection, identity: Identity) -> tuple[str, str]:
    """The name and path that an identity shall have, when the caller may have it there.

    Raises:
        AccessDeniedException, EntityAlreadyExistsException
    """
    title = identity.kind.capitalize()
    name, path = call.get(f"New{title}Name", identity.name), call.get("NewPath", identity.path)
    arn = iam_arn(identity.account, identity.kind, path, name)
    common.allow(call, connection, arn, owner=identity.unique_id, boundary=identity.boundary)
    taken = name.lower() != identity.name.lower() and identities.name_is_taken(
        connection, identity.account, identity.kind, name
    )
    if taken:
        raise e.EntityAlreadyExistsException(f"{title} with name {name} already exists.")
    return name, path


_USER = {"User": Structure(schemas.User, required=True)}

OPERATIONS = (
    common.operation(
        "CreateUser", create_user, Plane.WRITE, "Creates a user.",
        {"Path": schemas.path(), "UserName": schemas.user_name(required=True), "PermissionsBoundary": schemas.arn(),
         "Tags": schemas.tags()},
        {"User": Structure(schemas.User)}, answers=("User",),
        errors=(e.LimitExceededException, e.EntityAlreadyExistsException, e.NoSuchEntityException, e.InvalidInputException),
    ),
    common.operation(
        "GetUser", get_user, Plane.READ, "Describes a user, or the caller.",
        {"UserName": schemas.existing_user_name()}, _USER,
    ),
    common.operation(
        "ListUsers", list_users, Plane.READ, "Lists the users below a path.",
        {"PathPrefix": schemas.path_prefix(), **schemas.place()},
        {"Users": ListOf(Structure(schemas.User), required=True), **schemas.rest()}, errors=(),
    ),
    common.operation(
        "UpdateUser", update_user, Plane.WRITE, "Changes the name or the path of a user.",
        {"UserName": schemas.existing_user_name(required=True), "NewPath": schemas.path(),
         "NewUserName": schemas.user_name()},
        errors=(e.NoSuchEntityException, e.EntityAlreadyExistsException),
    ),
    common.operation(
        "DeleteUser", delete_user, Plane.WRITE, "Deletes a user.",
        {"UserName": schemas.existing_user_name(required=True)},
        errors=(e.NoSuchEntityException, e.DeleteConflictException),
    ),
)  # fmt: skip
