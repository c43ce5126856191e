"""GetAccountAuthorizationDetails: everybody and every policy of an account at once."""

from sqlalchemy import Connection

from kms_server.operations.call import Answer, Call, Plane
from kms_server.operations.iam import common, groups, policies, policy_versions, roles, users
from kms_server.operations.paging import marked_page_of
from kms_server.schemas import iam as schemas
from kms_server.schemas import iam_details as details
from kms_server.schemas.fields import Choice, ListOf, Structure
from kms_server.storage import attachments, identities, inline_policies, managed_policies, memberships
from kms_server.storage.identities import Identity, Kind
from kms_server.storage.managed_policies import ManagedPolicy

_KINDS = {"User": Kind.USER, "Role": Kind.ROLE, "Group": Kind.GROUP}


def get_account_authorization_details(call: Call, connection: Connection) -> Answer:
    """Users, roles, groups and managed policies with all that they allow (AWS GetAccountAuthorizationDetails)."""
    common.allow(call, connection, "*")
    wanted = call.get("Filter", schemas.ENTITIES)
    everybody: list[Identity | ManagedPolicy] = [
        one
        for title, kind in _KINDS.items()
        if title in wanted
        for one in identities.of_account(connection, call.account, kind)
    ]
    everybody += managed_policies.of_account(
        connection, call.account, "/", own="LocalManagedPolicy" in wanted, of_aws="AWSManagedPolicy" in wanted
    )
    page, rest = marked_page_of(call, everybody, _place)
    answer: dict[str, object] = {
        f"{title}DetailList": [
            _identity(connection, one) for one in page if isinstance(one, Identity) and one.kind is kind
        ]
        for title, kind in _KINDS.items()
    }
    answer["Policies"] = [_policy(call, connection, one) for one in page if isinstance(one, ManagedPolicy)]
    return answer | rest


def _place(one: Identity | ManagedPolicy) -> str:
    return f"{one.kind} {one.name}" if isinstance(one, Identity) else f"{one.name} {one.policy_id}"


def _identity(connection: Connection, one: Identity) -> dict[str, object]:
    inline = inline_policies.of_owner(connection, one)
    attached = attachments.of_owner(connection, one)
    shown = {
        f"{one.kind.capitalize()}PolicyList": [
            {"PolicyName": name, "PolicyDocument": common.encoded(text)} for name, text in inline.items()
        ],
        "AttachedManagedPolicies": [
            {"PolicyName": policy.name, "PolicyArn": policy.arn} for policy in attached
        ],
    }
    return shown | _BY_KIND[one.kind](connection, one)


def _user(connection: Connection, user: Identity) -> dict[str, object]:
    groups = [group.name for group in memberships.groups_of(connection, user)]
    return users.entry(user) | {"GroupList": groups} | users.details(connection, user)


def _group(_connection: Connection, group: Identity) -> dict[str, object]:
    return groups.entry(group)


def _role(connection: Connection, role: Identity) -> dict[str, object]:
    told = roles.entry(connection, role)
    kept = {name: told[name] for name in told.keys() & details.RoleDetail().fields.keys()}
    return kept | {"InstanceProfileList": []} | users.details(connection, role)


_BY_KIND = {Kind.USER: _user, Kind.GROUP: _group, Kind.ROLE: _role}


def _policy(call: Call, connection: Connection, policy: ManagedPolicy) -> dict[str, object]:
    versions = [
        {"Document": common.encoded(version.document), **policy_versions.entry(version)}
        for version in managed_policies.versions(connection, policy)
    ]
    described = {} if policy.description is None else {"Description": policy.description}
    return policies.entry(call, connection, policy) | described | {"PolicyVersionList": versions}


OPERATIONS = (
    common.operation(
        "GetAccountAuthorizationDetails", get_account_authorization_details, Plane.READ,
        "Describes all users, roles, groups and managed policies.",
        {"Filter": ListOf(Choice(*schemas.ENTITIES)), **schemas.place()},
        {"UserDetailList": ListOf(Structure(details.UserDetail)),
         "GroupDetailList": ListOf(Structure(details.GroupDetail)),
         "RoleDetailList": ListOf(Structure(details.RoleDetail)),
         "Policies": ListOf(Structure(details.ManagedPolicyDetail)), **schemas.rest()},
        errors=(),
    ),
)  # fmt: skip
