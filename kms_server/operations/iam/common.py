"""What IAM's operations share: how they are declared, whom they concern, who may call them, policy documents, limits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.arn import iam_arn
from kms_server.iam.policy import compile_identity_policy
from kms_server.keyring import access_keys
from kms_server.operations import access
from kms_server.operations.call import Call, Operation, Plane
from kms_server.operations.connected import Handler, connected
from kms_server.schemas import iam as schemas
from kms_server.schemas.fields import Member, Text
from kms_server.storage import attachments, identities, identity_tags, inline_policies
from kms_server.storage.identities import Identity, Kind

Members = Mapping[str, Member]

# AWS "IAM and AWS STS quotas", the defaults; sizes are in characters, white space not counted.
QUOTAS = {
    "UsersQuota": 5000, "RolesQuota": 1000, "GroupsQuota": 300, "PoliciesQuota": 1500, "GroupsPerUserQuota": 10,
    "AccessKeysPerUserQuota": access_keys.MOST_OF_USER, "AttachedPoliciesPerUserQuota": 10, "AttachedPoliciesPerRoleQuota": 10,
    "AttachedPoliciesPerGroupQuota": 10, "VersionsPerPolicyQuota": 5, "PolicySizeQuota": 6144,
    "UserPolicySizeQuota": 2048, "RolePolicySizeQuota": 10_240, "GroupPolicySizeQuota": 5120,
    "AssumeRolePolicySizeQuota": 2048,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Family:
    """Users, roles or groups: `title` begins the names of members and operations, as in UserName and PutUserPolicy."""

    kind: Kind
    title: str
    older_name: Callable[..., Text]
    younger_name: Callable[..., Text]

    @property
    def member(self) -> str:
        """The request member that names one."""
        return f"{self.title}Name"

    def quota(self, what: str) -> int:
        """The family's quota of that name."""
        return QUOTAS[what.format(self.title)]


USERS = Family(Kind.USER, "User", schemas.existing_user_name, schemas.user_name)
ROLES = Family(Kind.ROLE, "Role", schemas.role_name, schemas.role_name)
GROUPS = Family(Kind.GROUP, "Group", schemas.name, schemas.name)
FAMILIES = (USERS, ROLES, GROUPS)


def operation(
    name: str,
    handler: Handler,
    plane: Plane,
    summary: str,
    request: Members,
    response: Members | None = None,
    *,
    errors: Sequence[type[e.ServiceError]] = (e.NoSuchEntityException,),
    answers: tuple[str, ...] = (),
) -> Operation:
    """One row of the operation table; the record keeps the whole request, in which IAM has no secrets."""

    return Operation(
        name, connected(handler), schemas.request(name, **request), None if response is None else schemas.response(name, **response), plane,
        summary, logged=tuple(request), answers=answers, errors=tuple(errors), service="iam",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Conditions:
    """The condition keys of IAM's operations (AWS "Actions, resources, and condition keys for AWS IAM")."""

    call: Call
    connection: Connection
    owner: str | None
    boundary: str | None

    def values(self, key: str) -> Sequence[str]:
        """The values of a condition key, by its name in lower case."""
        sent = {tag["Key"]: tag["Value"] for tag in self.call.get("Tags", ())}
        name, _, tag_key = key.partition("/")
        if name == "aws:requesttag":
            return _of_tag(sent, tag_key)
        if name in ("aws:resourcetag", "iam:resourcetag") and self.owner is not None:
            return _of_tag(identity_tags.of_owner(self.connection, self.owner), tag_key)
        if key == "aws:tagkeys":
            return (*sent, *self.call.get("TagKeys", ()))
        if key == "iam:policyarn":
            return _one(self.call.get("PolicyArn"))
        if key == "iam:permissionsboundary":
            return _one(self.call.get("PermissionsBoundary", self.boundary))
        return ()


def _of_tag(tags: Mapping[str, str], wanted: str) -> Sequence[str]:
    return tuple(value for name, value in tags.items() if name.lower() == wanted)


def _one(value: str | None) -> Sequence[str]:
    return () if value is None else (value,)


def allow(
    call: Call, connection: Connection, arn: str, *, owner: str | None = None, boundary: str | None = None
) -> None:
    """Check that the caller may perform the operation on a resource, whose tags are those of `owner`.

    Raises:
        AccessDeniedException
    """
    call.conditions = _Conditions(call, connection, owner, boundary)
    access.allow_without_key(call, arn)


def set_conditions(call: Call, connection: Connection, arn: str) -> None:
    """Let a call have the condition keys of a request about a resource, without judging it."""
    found = identities.by_id(connection, identities.named(connection, arn) or "")
    owner, boundary = (found.unique_id, found.boundary) if found else (arn, None)
    call.conditions = _Conditions(call, connection, owner, boundary)


def allow_on(call: Call, connection: Connection, identity: Identity) -> None:
    """Check that the caller may perform the operation on a user, role or group.

    Raises:
        AccessDeniedException
    """
    allow(call, connection, identity.arn, owner=identity.unique_id, boundary=identity.boundary)


def find(call: Call, connection: Connection, family: Family) -> Identity:
    """The user, role or group that the request names, when the caller may perform the operation on it.

    Raises:
        AccessDeniedException: the caller may not; it does not tell whether there is one.
        NoSuchEntityException: there is none.
    """
    return named(call, connection, family, call.parameters[family.member])


def named(call: Call, connection: Connection, family: Family, name: str) -> Identity:
    """The user, role or group of that name; otherwise as `find`."""
    identity = identities.get(connection, call.account, family.kind, name)
    if identity is None:
        allow(call, connection, iam_arn(call.account, family.kind, "/", name))
        raise e.NoSuchEntityException(f"The {family.kind} with name {name} cannot be found.")
    allow_on(call, connection, identity)
    return identity


def find_user_or_caller(call: Call, connection: Connection) -> Identity | None:
    """The user that the request names, else the one who calls; None for the account's root.

    Raises:
        AccessDeniedException, NoSuchEntityException: as `find`.
        ValidationException: neither is a user.
    """
    caller = call.principal
    name: str | None = call.get(USERS.member, caller.user_name if caller.kind == "IAMUser" else None)
    if name is not None:
        return named(call, connection, USERS, name)
    if caller.is_root:
        return None
    raise e.ValidationException("Must specify userName when calling with non-User credentials")


def require_room(what: str, have: int, most: int) -> None:
    """Refuse one more of what there are enough of.

    Raises:
        LimitExceededException
    """
    if have >= most:
        raise e.LimitExceededException(f"Cannot exceed quota for {what}: {most}")


def require_no_policies(connection: Connection, identity: Identity) -> None:
    """Refuse to delete what still has policies.

    Raises:
        DeleteConflictException
    """
    if inline_policies.count(connection, identity):
        raise e.DeleteConflictException("Cannot delete entity, must delete policies first.")
    if attachments.count(connection, identity):
        raise e.DeleteConflictException("Cannot delete entity, must detach all policies first.")


def size(document: str) -> int:
    """The characters of a policy that count against its quota."""
    return len("".join(document.split()))


def check_document(document: str) -> str:
    """The policy of an identity as it was sent, when it is one.

    Raises:
        MalformedPolicyDocumentException
    """
    compile_identity_policy(document)
    return document


def encoded(document: str) -> str:
    """A policy document as answers carry it (RFC 3986)."""
    return quote(document, safe="")


def boundary_of(arn: str | None) -> dict[str, object]:
    """The member PermissionsBoundary, where there is one."""
    if arn is None:
        return {}
    attached = {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": arn}
    return {"PermissionsBoundary": attached}


def tags_of(connection: Connection, owner: str) -> dict[str, object]:
    """The member Tags, where there are any."""
    tags = identity_tags.of_owner(connection, owner)
    return {"Tags": [{"Key": name, "Value": value} for name, value in tags.items()]} if tags else {}
