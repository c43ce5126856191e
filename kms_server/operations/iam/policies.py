"""Managed policies: CreatePolicy, GetPolicy, ListPolicies, DeletePolicy, ListEntitiesForPolicy."""

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.arn import Arn, iam_arn
from kms_server.operations.call import Answer, Call, Plane
from kms_server.operations.iam import common
from kms_server.operations.iam.common import QUOTAS
from kms_server.operations.iam.tag_rules import tag
from kms_server.operations.paging import marked_page_of
from kms_server.schemas import iam as schemas
from kms_server.schemas import iam_policies as policy_schemas
from kms_server.schemas.fields import Boolean, Choice, ListOf, Structure, Text
from kms_server.storage import attachments, identities, managed_policies
from kms_server.storage.identities import Identity, Kind, random_id
from kms_server.storage.identity_tags import Owner
from kms_server.storage.managed_policies import ManagedPolicy

_KINDS = {"User": Kind.USER, "Role": Kind.ROLE, "Group": Kind.GROUP}


def create_policy(call: Call, connection: Connection) -> Answer:
    """Make a managed policy with its first version (AWS CreatePolicy)."""
    name, path, account = call.parameters["PolicyName"], call.get("Path", "/"), call.account
    arn = iam_arn(account, "policy", path, name)
    common.allow(call, connection, arn)
    if managed_policies.name_is_taken(connection, account, name):
        raise e.EntityAlreadyExistsException(
            f"A policy called {name} already exists. Duplicate names are not allowed."
        )
    common.require_room(
        "PoliciesPerAccount", managed_policies.count(connection, account), QUOTAS["PoliciesQuota"]
    )
    document = checked(call.parameters["PolicyDocument"])
    policy = ManagedPolicy(
        arn, account, name, path, random_id("ANPA", 17), call.get("Description"), call.time, call.time
    )
    identities.add_account(call.writing, account)
    managed_policies.add(call.writing, policy, document)
    tag(call, owner(policy))
    return {"Policy": entry(call, connection, policy) | common.tags_of(connection, arn)}


def get_policy(call: Call, connection: Connection) -> Answer:
    """A managed policy, AWS's or one's own (AWS GetPolicy)."""
    policy = find(call, connection)
    described = {} if policy.description is None else {"Description": policy.description}
    return {"Policy": entry(call, connection, policy) | described | common.tags_of(connection, policy.arn)}


def list_policies(call: Call, connection: Connection) -> Answer:
    """The managed policies below a path (AWS ListPolicies)."""
    common.allow(call, connection, "*")
    scope = call.get("Scope", "All")
    found = managed_policies.of_account(
        connection, call.account, call.get("PathPrefix", "/"), own=scope != "AWS", of_aws=scope != "Local"
    )
    used = managed_policies.uses(connection, call.account)
    wanted = [policy for policy in found if _is_used(call, *used.get(policy.arn, (0, 0)))]
    page, rest = marked_page_of(call, wanted, lambda policy: f"{policy.name} {policy.policy_id}")
    return {"Policies": [_entry(policy, *used.get(policy.arn, (0, 0))) for policy in page], **rest}


def delete_policy(call: Call, connection: Connection) -> Answer:
    """Delete a managed policy that nobody has and that has one version (AWS DeletePolicy)."""
    policy = find_own(call, connection)
    if any(managed_policies.uses(connection, call.account, policy.arn).values()):
        raise e.DeleteConflictException("Cannot delete a policy attached to entities.")
    if len(managed_policies.versions(connection, policy)) > 1:
        raise e.DeleteConflictException(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )
    managed_policies.remove(call.writing, policy)
    return None


def list_entities_for_policy(call: Call, connection: Connection) -> Answer:
    """The users, roles and groups that have a policy, or have it as their boundary (AWS ListEntitiesForPolicy)."""
    policy, usage = find(call, connection), call.get("PolicyUsageFilter")
    wanted, prefix = _KINDS.get(call.get("EntityFilter")), call.get("PathPrefix", "/")
    holders: list[Identity] = []
    if usage != "PermissionsBoundary":
        holders += attachments.holders(connection, call.account, policy.arn)
    if usage != "PermissionsPolicy":
        holders += attachments.bounded(connection, call.account, policy.arn)
    distinct = {
        one.unique_id: one for one in holders if wanted in (None, one.kind) and one.path.startswith(prefix)
    }
    page, rest = marked_page_of(call, list(distinct.values()), lambda one: f"{one.kind} {one.name}")
    answer: dict[str, object] = {
        f"Policy{title}s": [
            {f"{title}Name": one.name, f"{title}Id": one.unique_id} for one in page if one.kind is kind
        ]
        for title, kind in _KINDS.items()
    }
    return answer | rest


def find(call: Call, connection: Connection) -> ManagedPolicy:
    """The policy that the request names, AWS's or the account's own, when the caller may perform the operation on it.

    Raises:
        AccessDeniedException, InvalidInputException
        NoSuchEntityException: there is none that the account can use.
    """
    arn = call.parameters["PolicyArn"]
    check_arn(arn)
    policy = usable(call, connection, arn)
    common.allow(call, connection, arn, owner=None if policy is None else arn)
    if policy is None:
        raise e.NoSuchEntityException(f"Policy {arn} was not found.")
    return policy


def find_own(call: Call, connection: Connection) -> ManagedPolicy:
    """The account's own policy that the request names; otherwise as `find`.

    Raises:
        AccessDeniedException: also where it is AWS's.
    """
    policy = find(call, connection)
    if policy.account is None:
        raise e.AccessDeniedException("Policy is outside your own account.")
    return policy


def usable(call: Call, connection: Connection, arn: str) -> ManagedPolicy | None:
    """The policy of an ARN, when it is AWS's or the account's own."""
    policy = managed_policies.get(connection, arn)
    return policy if policy and policy.account in (None, call.account) else None


def check_arn(arn: str) -> None:
    """Check that an ARN can be a policy's.

    Raises:
        InvalidInputException
    """
    parsed = Arn.parse(arn)
    if parsed is None or parsed.service != "iam" or not parsed.resource.startswith("policy/"):
        raise e.InvalidInputException(f"ARN {arn} is not valid.")


def require_boundary(call: Call, connection: Connection) -> None:
    """Check that the permissions boundary of a request, if any, is a policy that there is.

    Raises:
        InvalidInputException, NoSuchEntityException
    """
    arn = call.get("PermissionsBoundary")
    if arn is None:
        return
    check_arn(arn)
    if usable(call, connection, arn) is None:
        raise e.NoSuchEntityException(f"Scope ARN: {arn} does not exist or is not attachable.")


def checked(document: str) -> str:
    """The document of a managed policy, when it is one and not too long.

    Raises:
        MalformedPolicyDocumentException, LimitExceededException
    """
    most = QUOTAS["PolicySizeQuota"]
    if common.size(document) > most:
        raise e.LimitExceededException(f"Cannot exceed quota for PolicySize: {most}")
    return common.check_document(document)


def owner(policy: ManagedPolicy) -> Owner:
    """A policy of an account as the owner of tags."""
    assert policy.account is not None  # noqa: S101 - AWS's own are never tagged
    return Owner(policy.account, policy.arn, ignores_case=False)


def entry(call: Call, connection: Connection, policy: ManagedPolicy) -> dict[str, object]:
    """AWS's Policy, but for description and tags."""
    uses = managed_policies.uses(connection, call.account, policy.arn)
    return _entry(policy, *uses.get(policy.arn, (0, 0)))


def _entry(policy: ManagedPolicy, attached: int, bounding: int) -> dict[str, object]:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.policy_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": f"v{policy.default_version}",
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": bounding,
        "IsAttachable": True,
        "CreateDate": policy.created_at,
        "UpdateDate": policy.updated_at,
    }


def _is_used(call: Call, attached: int, bounding: int) -> bool:
    counted = {"PermissionsPolicy": attached, "PermissionsBoundary": bounding}
    usage = call.get("PolicyUsageFilter")
    if usage is not None:
        return counted[usage] > 0
    return attached + bounding > 0 if call.get("OnlyAttached") else True


_POLICY = {"Policy": Structure(policy_schemas.Policy)}
_NAMED = {"PolicyArn": schemas.arn(required=True)}
_FIND_ERRORS = (e.NoSuchEntityException, e.InvalidInputException)

OPERATIONS = (
    common.operation(
        "CreatePolicy", create_policy, Plane.WRITE, "Creates a managed policy.",
        {"PolicyName": schemas.name(required=True), "Path": schemas.policy_path(),
         "PolicyDocument": schemas.document(required=True), "Description": Text(0, 1000), "Tags": schemas.tags()},
        _POLICY, answers=("Policy",),
        errors=(e.InvalidInputException, e.LimitExceededException, e.EntityAlreadyExistsException,
                e.MalformedPolicyDocumentException),
    ),
    common.operation(
        "GetPolicy", get_policy, Plane.READ, "Describes a managed policy.", _NAMED, _POLICY, errors=_FIND_ERRORS,
    ),
    common.operation(
        "ListPolicies", list_policies, Plane.READ, "Lists the managed policies below a path.",
        {"Scope": Choice("All", "AWS", "Local"), "OnlyAttached": Boolean(), "PathPrefix": schemas.policy_path(),
         "PolicyUsageFilter": Choice(*schemas.USAGES), **schemas.place()},
        {"Policies": ListOf(Structure(policy_schemas.Policy)), **schemas.rest()}, errors=(),
    ),
    common.operation(
        "DeletePolicy", delete_policy, Plane.WRITE, "Deletes a managed policy.", _NAMED,
        errors=(*_FIND_ERRORS, e.DeleteConflictException),
    ),
    common.operation(
        "ListEntitiesForPolicy", list_entities_for_policy, Plane.READ, "Lists who has a managed policy.",
        {**_NAMED, "EntityFilter": Choice(*schemas.ENTITIES), "PathPrefix": schemas.path(),
         "PolicyUsageFilter": Choice(*schemas.USAGES), **schemas.place()},
        {"PolicyGroups": ListOf(Structure(policy_schemas.PolicyGroup)),
         "PolicyUsers": ListOf(Structure(policy_schemas.PolicyUser)),
         "PolicyRoles": ListOf(Structure(policy_schemas.PolicyRole)), **schemas.rest()},
        errors=_FIND_ERRORS,
    ),
)  # fmt: skip
