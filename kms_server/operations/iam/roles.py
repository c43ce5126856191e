"""CreateRole, GetRole, ListRoles, UpdateRole, UpdateRoleDescription, UpdateAssumeRolePolicy, DeleteRole."""

from dataclasses import replace

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.iam.policy import compile_trust_policy
from kms_server.operations import principals
from kms_server.operations.call import Answer, Call, Plane
from kms_server.operations.iam import common, policies, users
from kms_server.operations.iam.common import ROLES
from kms_server.operations.iam.tag_rules import owner_of_identity, tag
from kms_server.schemas import iam as schemas
from kms_server.schemas import iam_policies as policy_schemas
from kms_server.schemas.fields import ListOf, Structure
from kms_server.storage import identities
from kms_server.storage.identities import Identity, Kind

_USUAL_SECONDS = 3600


def create_role(call: Call, connection: Connection) -> Answer:
    """Make a role that its trust policy lets others assume (AWS CreateRole)."""
    role = users.new_identity(
        call, Kind.ROLE, call.parameters["RoleName"], description=call.get("Description"),
        max_session_seconds=call.get("MaxSessionDuration", _USUAL_SECONDS),
        trust_policy=call.parameters["AssumeRolePolicyDocument"],
    )  # fmt: skip
    common.allow(call, connection, role.arn)
    users.require_new(call, connection, role)
    have = identities.count(connection, call.account, Kind.ROLE)
    common.require_room("RolesPerAccount", have, ROLES.quota("RolesQuota"))
    policies.require_boundary(call, connection)
    identities.add_account(call.writing, call.account)
    role = replace(role, trust_policy=_trusted(connection, call.parameters["AssumeRolePolicyDocument"]))
    identities.add(call.writing, role)
    tag(call, owner_of_identity(role))
    return {"Role": entry(connection, role) | users.details(connection, role)}


def get_role(call: Call, connection: Connection) -> Answer:
    """A role (AWS GetRole)."""
    role = common.find(call, connection, ROLES)
    return {"Role": entry(connection, role) | users.details(connection, role)}


def list_roles(call: Call, connection: Connection) -> Answer:
    """The roles below a path (AWS ListRoles)."""
    found, rest = users.list_identities(call, connection, Kind.ROLE)
    return {"Roles": [entry(connection, role) for role in found], **rest}


def update_role(call: Call, connection: Connection) -> Answer:
    """Change the description or the longest session of a role; what is not sent stays (AWS UpdateRole)."""
    role = common.find(call, connection, ROLES)
    identities.change(
        call.writing, role, description=call.get("Description", role.description),
        max_session_seconds=call.get("MaxSessionDuration", role.max_session_seconds),
    )  # fmt: skip
    return {}


def update_role_description(call: Call, connection: Connection) -> Answer:
    """Change the description of a role (AWS UpdateRoleDescription)."""
    role = common.find(call, connection, ROLES)
    identities.change(call.writing, role, description=call.parameters["Description"])
    changed = identities.by_id(connection, role.unique_id) or role
    return {"Role": entry(connection, changed) | users.details(connection, changed)}


def update_assume_role_policy(call: Call, connection: Connection) -> Answer:
    """Replace the trust policy of a role (AWS UpdateAssumeRolePolicy)."""
    role = common.find(call, connection, ROLES)
    document = _trusted(connection, call.parameters["PolicyDocument"])
    identities.change(call.writing, role, trust_policy=document)
    return None


def delete_role(call: Call, connection: Connection) -> Answer:
    """Delete a role without policies; its sessions may do nothing from now on (AWS DeleteRole)."""
    role = common.find(call, connection, ROLES)
    common.require_no_policies(connection, role)
    identities.remove(call.writing, role)
    return None


def list_instance_profiles_for_role(call: Call, connection: Connection) -> Answer:
    """None: there are no instances here (AWS ListInstanceProfilesForRole)."""
    common.find(call, connection, ROLES)
    return {"InstanceProfiles": [], "IsTruncated": False}


def entry(connection: Connection, role: Identity) -> dict[str, object]:
    """AWS's Role, as lists show it."""
    assert role.trust_policy is not None  # noqa: S101 - a constraint of the table holds it
    described = {} if role.description is None else {"Description": role.description}
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.unique_id,
        "Arn": role.arn,
        "CreateDate": role.created_at,
        "AssumeRolePolicyDocument": common.encoded(principals.shown(connection, role.trust_policy)),
        **described,
        "MaxSessionDuration": role.max_session_seconds,
    }


def _trusted(connection: Connection, document: str) -> str:
    """A trust policy as it is kept.

    Raises:
        MalformedPolicyDocumentException: it is none, or names somebody who does not exist.
        LimitExceededException: it is too long.
    """
    compile_trust_policy(document)
    most = ROLES.quota("AssumeRolePolicySizeQuota")
    if common.size(document) > most:
        raise e.LimitExceededException(f"Cannot exceed quota for ACLSizePerRole: {most}")
    return principals.stored(connection, document, principals.invalid_in_trust_policy)


_ROLE = {"Role": Structure(schemas.Role, required=True)}

OPERATIONS = (
    common.operation(
        "CreateRole", create_role, Plane.WRITE, "Creates a role.",
        {"Path": schemas.path(), "RoleName": schemas.role_name(required=True),
         "AssumeRolePolicyDocument": schemas.document(required=True), "Description": schemas.description(),
         "MaxSessionDuration": schemas.session_seconds(), "PermissionsBoundary": schemas.arn(), "Tags": schemas.tags()},
        _ROLE, answers=("Role",),
        errors=(e.LimitExceededException, e.InvalidInputException, e.EntityAlreadyExistsException,
                e.MalformedPolicyDocumentException),
    ),
    common.operation(
        "GetRole", get_role, Plane.READ, "Describes a role.", {"RoleName": schemas.role_name(required=True)}, _ROLE,
    ),
    common.operation(
        "ListRoles", list_roles, Plane.READ, "Lists the roles below a path.",
        {"PathPrefix": schemas.path_prefix(), **schemas.place()},
        {"Roles": ListOf(Structure(schemas.Role), required=True), **schemas.rest()}, errors=(),
    ),
    common.operation(
        "UpdateRole", update_role, Plane.WRITE, "Changes the description or the longest session of a role.",
        {"RoleName": schemas.role_name(required=True), "Description": schemas.description(),
         "MaxSessionDuration": schemas.session_seconds()},
        {},
    ),
    common.operation(
        "UpdateRoleDescription", update_role_description, Plane.WRITE, "Changes the description of a role.",
        {"RoleName": schemas.role_name(required=True), "Description": schemas.description(required=True)},
        {"Role": Structure(schemas.Role)}, answers=("Role",),
    ),
    common.operation(
        "UpdateAssumeRolePolicy", update_assume_role_policy, Plane.WRITE, "Replaces the trust policy of a role.",
        {"RoleName": schemas.role_name(required=True), "PolicyDocument": schemas.document(required=True)},
        errors=(e.NoSuchEntityException, e.MalformedPolicyDocumentException, e.LimitExceededException),
    ),
    common.operation(
        "DeleteRole", delete_role, Plane.WRITE, "Deletes a role.", {"RoleName": schemas.role_name(required=True)},
        errors=(e.NoSuchEntityException, e.DeleteConflictException),
    ),
    common.operation(
        "ListInstanceProfilesForRole", list_instance_profiles_for_role, Plane.READ,
        "Lists the instance profiles of a role: there are none.",
        {"RoleName": schemas.role_name(required=True), **schemas.place()},
        {"InstanceProfiles": ListOf(Structure(policy_schemas.InstanceProfile), required=True), **schemas.rest()},
    ),
)  # fmt: skip
