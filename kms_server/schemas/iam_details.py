"""Structures of IAM's GetAccountAuthorizationDetails."""

from kms_server.schemas.base import Shape
from kms_server.schemas.fields import Boolean, ListOf, Structure, Text, Timestamp
from kms_server.schemas.iam import (
    AttachedPermissionsBoundary,
    AttachedPolicy,
    RoleLastUsed,
    arn,
    document,
    name,
    number,
    path,
    policy_path,
    role_name,
    tags,
    unique_id,
    user_name,
    version_id,
)
from kms_server.schemas.iam_policies import InstanceProfile, PolicyVersion


class PolicyDetail(Shape):
    """An inline policy."""

    PolicyName = name()
    PolicyDocument = document()


class UserDetail(Shape):
    """A user with its policies."""

    Path = path()
    UserName = user_name()
    UserId = unique_id()
    Arn = arn()
    CreateDate = Timestamp()
    UserPolicyList = ListOf(Structure(PolicyDetail))
    GroupList = ListOf(name())
    AttachedManagedPolicies = ListOf(Structure(AttachedPolicy))
    PermissionsBoundary = Structure(AttachedPermissionsBoundary)
    Tags = tags()


class GroupDetail(Shape):
    """A group with its policies."""

    Path = path()
    GroupName = name()
    GroupId = unique_id()
    Arn = arn()
    CreateDate = Timestamp()
    GroupPolicyList = ListOf(Structure(PolicyDetail))
    AttachedManagedPolicies = ListOf(Structure(AttachedPolicy))


class RoleDetail(Shape):
    """A role with its policies."""

    Path = path()
    RoleName = role_name()
    RoleId = unique_id()
    Arn = arn()
    CreateDate = Timestamp()
    AssumeRolePolicyDocument = document()
    InstanceProfileList = ListOf(Structure(InstanceProfile))
    RolePolicyList = ListOf(Structure(PolicyDetail))
    AttachedManagedPolicies = ListOf(Structure(AttachedPolicy))
    PermissionsBoundary = Structure(AttachedPermissionsBoundary)
    Tags = tags()
    RoleLastUsed = Structure(RoleLastUsed)


class ManagedPolicyDetail(Shape):
    """A managed policy with its versions."""

    PolicyName = name()
    PolicyId = unique_id()
    Arn = arn()
    Path = policy_path()
    DefaultVersionId = version_id()
    AttachmentCount = number()
    PermissionsBoundaryUsageCount = number()
    IsAttachable = Boolean()
    Description = Text(0, 1000)
    CreateDate = Timestamp()
    UpdateDate = Timestamp()
    PolicyVersionList = ListOf(Structure(PolicyVersion))
