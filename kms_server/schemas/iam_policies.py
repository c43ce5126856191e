"""Structures of managed policies, access keys, OpenID Connect providers and instance profiles in IAM."""

from kms_server.schemas.base import Shape
from kms_server.schemas.fields import Boolean, ListOf, Structure, Text, Timestamp
from kms_server.schemas.iam import (
    Role,
    access_key_id,
    arn,
    name,
    number,
    path,
    policy_path,
    role_name,
    status,
    tags,
    unique_id,
    user_name,
    version_id,
)
from kms_server.schemas.iam import document as policy_document


class Policy(Shape):
    """A managed policy."""

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
    Tags = tags()


class PolicyVersion(Shape):
    """A version of a managed policy."""

    Document = policy_document()
    VersionId = version_id()
    IsDefaultVersion = Boolean()
    CreateDate = Timestamp()


class PolicyGroup(Shape):
    """A group that a policy is attached to."""

    GroupName = name()
    GroupId = unique_id()


class PolicyUser(Shape):
    """A user that a policy is attached to."""

    UserName = user_name()
    UserId = unique_id()


class PolicyRole(Shape):
    """A role that a policy is attached to."""

    RoleName = role_name()
    RoleId = unique_id()


class AccessKey(Shape):
    """A new access key."""

    UserName = user_name(required=True)
    AccessKeyId = access_key_id(required=True)
    Status = status(required=True)
    SecretAccessKey = Text(required=True, sensitive=True)
    CreateDate = Timestamp()


class AccessKeyMetadata(Shape):
    """An access key without its secret."""

    UserName = user_name()
    AccessKeyId = access_key_id()
    Status = status()
    CreateDate = Timestamp()


class AccessKeyLastUsed(Shape):
    """When, where and for what an access key was last used."""

    LastUsedDate = Timestamp()
    ServiceName = Text(required=True)
    Region = Text(required=True)


class OpenIDConnectProviderListEntry(Shape):
    """An OpenID Connect provider in a list."""

    Arn = arn()


class InstanceProfile(Shape):
    """An instance profile, of which there are none here."""

    Path = path(required=True)
    InstanceProfileName = name(required=True)
    InstanceProfileId = unique_id(required=True)
    Arn = arn(required=True)
    CreateDate = Timestamp(required=True)
    Roles = ListOf(Structure(Role), required=True)
    Tags = tags()


def client_id(*, required: bool = False) -> Text:
    """An audience of an OpenID Connect provider."""
    return Text(1, 255, required=required)


def thumbprint() -> Text:
    """The thumbprint of a certificate."""
    return Text(40, 40)


def provider_url(*, required: bool = False) -> Text:
    """The URL of an issuer."""
    return Text(1, 255, required=required)
