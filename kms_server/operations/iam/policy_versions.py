"""Versions of managed policies: CreatePolicyVersion, GetPolicyVersion, ListPolicyVersions, SetDefault…, Delete…."""

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.operations.call import Answer, Call, Plane
from kms_server.operations.iam import common, policies
from kms_server.operations.iam.common import QUOTAS
from kms_server.operations.paging import marked_page_of
from kms_server.schemas import iam as schemas
from kms_server.schemas import iam_policies as policy_schemas
from kms_server.schemas.fields import Boolean, ListOf, Structure
from kms_server.storage import managed_policies
from kms_server.storage.managed_policies import ManagedPolicy, PolicyVersion


def create_policy_version(call: Call, connection: Connection) -> Answer:
    """Add a version to a managed policy, and let it count if that is wanted (AWS CreatePolicyVersion)."""
    policy = policies.find_own(call, connection)
    most = QUOTAS["VersionsPerPolicyQuota"]
    if len(managed_policies.versions(connection, policy)) >= most:
        raise e.LimitExceededException(
            f"A managed policy can have up to {most} versions. Before you create a new version, you must delete an "
            "existing version."
        )
    version = managed_policies.add_version(
        call.writing, policy, policies.checked(call.parameters["PolicyDocument"]), call.time,
        is_default=call.get("SetAsDefault", False),
    )  # fmt: skip
    return {"PolicyVersion": entry(version)}


def get_policy_version(call: Call, connection: Connection) -> Answer:
    """A version with its document (AWS GetPolicyVersion)."""
    version = _named(call, connection, policies.find(call, connection))
    return {"PolicyVersion": {"Document": common.encoded(version.document), **entry(version)}}


def list_policy_versions(call: Call, connection: Connection) -> Answer:
    """The versions of a managed policy, the newest first (AWS ListPolicyVersions)."""
    versions = list(enumerate(managed_policies.versions(connection, policies.find(call, connection))))
    page, rest = marked_page_of(call, versions, lambda placed: str(placed[0]))
    return {"Versions": [entry(version) for _, version in page], **rest}


def set_default_policy_version(call: Call, connection: Connection) -> Answer:
    """Let another version count (AWS SetDefaultPolicyVersion)."""
    policy = policies.find_own(call, connection)
    managed_policies.set_default(call.writing, policy, _named(call, connection, policy).number, call.time)
    return None


def delete_policy_version(call: Call, connection: Connection) -> Answer:
    """Delete a version that is not the default (AWS DeletePolicyVersion)."""
    policy = policies.find_own(call, connection)
    version = _named(call, connection, policy)
    if version.is_default:
        raise e.DeleteConflictException("Cannot delete the default version of a policy.")
    managed_policies.remove_version(call.writing, policy, version.number, call.time)
    return None


def entry(version: PolicyVersion) -> dict[str, object]:
    """AWS's PolicyVersion without the document."""
    return {
        "VersionId": f"v{version.number}",
        "IsDefaultVersion": version.is_default,
        "CreateDate": version.created_at,
    }


def _named(call: Call, connection: Connection, policy: ManagedPolicy) -> PolicyVersion:
    wanted = call.parameters["VersionId"]
    for version in managed_policies.versions(connection, policy):
        if f"v{version.number}" == wanted:
            return version
    raise e.NoSuchEntityException(
        f"Policy {policy.arn} version {wanted} does not exist or is not attachable."
    )


_NAMED = {"PolicyArn": schemas.arn(required=True)}
_VERSION = {**_NAMED, "VersionId": schemas.version_id(required=True)}
_ANSWER = {"PolicyVersion": Structure(policy_schemas.PolicyVersion)}
_ERRORS = (e.NoSuchEntityException, e.InvalidInputException)

OPERATIONS = (
    common.operation(
        "CreatePolicyVersion", create_policy_version, Plane.WRITE, "Adds a version to a managed policy.",
        {**_NAMED, "PolicyDocument": schemas.document(required=True), "SetAsDefault": Boolean()}, _ANSWER,
        answers=("PolicyVersion",),
        errors=(*_ERRORS, e.MalformedPolicyDocumentException, e.LimitExceededException),
    ),
    common.operation(
        "GetPolicyVersion", get_policy_version, Plane.READ, "Returns a version of a managed policy.", _VERSION, _ANSWER,
        errors=_ERRORS,
    ),
    common.operation(
        "ListPolicyVersions", list_policy_versions, Plane.READ, "Lists the versions of a managed policy.",
        {**_NAMED, **schemas.place()},
        {"Versions": ListOf(Structure(policy_schemas.PolicyVersion)), **schemas.rest()}, errors=_ERRORS,
    ),
    common.operation(
        "SetDefaultPolicyVersion", set_default_policy_version, Plane.WRITE,
        "Lets a version of a managed policy be the one that counts.", _VERSION, errors=_ERRORS,
    ),
    common.operation(
        "DeletePolicyVersion", delete_policy_version, Plane.WRITE, "Deletes a version of a managed policy.", _VERSION,
        errors=(*_ERRORS, e.DeleteConflictException),
    ),
)  # fmt: skip
