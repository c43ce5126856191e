"""Members and structures of IAM (2010-05-08); a request or a response is what its operation lists."""

from typing import cast

from kms_server.schemas.base import RequestSchema, ResponseSchema, Shape
from kms_server.schemas.fields import Boolean, Choice, Integer, ListOf, Member, Structure, Text, Timestamp

_NAME = r"[\w+=,.@-]+"
_ID = r"[\w]+"
_PATH = r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)"
_POLICY_PATH = r"((/[A-Za-z0-9\.,\+@=_-]+)*)/"
_DOCUMENT = r"[\u0009\u000A\u000D\u0020-\u00FF]+"
_DESCRIPTION = r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*"
_LARGEST = 2**31 - 1
ENTITIES = ("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")
USAGES = ("PermissionsPolicy", "PermissionsBoundary")


def request(operation: str, **members: Member) -> type[RequestSchema]:
    """The input of an operation."""
    made = type(f"{operation}Request", (RequestSchema,), {"__doc__": f"Input of {operation}.", **members})
    return cast("type[RequestSchema]", made)


def response(operation: str, **members: Member) -> type[ResponseSchema]:
    """The output of an operation."""
    made = type(f"{operation}Response", (ResponseSchema,), {"__doc__": f"Output of {operation}.", **members})
    return cast("type[ResponseSchema]", made)


def user_name(*, required: bool = False) -> Text:
    """The name of a user, as operations take it that are younger."""
    return Text(1, 64, _NAME, required=required)


def existing_user_name(*, required: bool = False) -> Text:
    """The name of a user, as operations take it that are older."""
    return Text(1, 128, _NAME, required=required)


def role_name(*, required: bool = False) -> Text:
    """The name of a role."""
    return Text(1, 64, _NAME, required=required)


def name(*, required: bool = False) -> Text:
    """The name of a group, a policy or an instance profile."""
    return Text(1, 128, _NAME, required=required)


def unique_id(*, required: bool = False) -> Text:
    """The unique id of whatever has one."""
    return Text(16, 128, _ID, required=required)


def arn(*, required: bool = False) -> Text:
    """An ARN."""
    return Text(20, 2048, required=required)


def path(*, required: bool = False) -> Text:
    """The path of a user, role or group."""
    return Text(1, 512, _PATH, required=required)


def path_prefix() -> Text:
    """How paths begin."""
    return Text(1, 512, r"\u002F[\u0021-\u007F]*")


def policy_path() -> Text:
    """The path of a managed policy."""
    return Text(1, 512, _POLICY_PATH)


def document(*, required: bool = False) -> Text:
    """A policy document; answers carry it URL-encoded (RFC 3986)."""
    return Text(1, 131_072, _DOCUMENT, required=required)


def description(*, required: bool = False) -> Text:
    """The description of a role."""
    return Text(0, 1000, _DESCRIPTION, required=required)


def session_seconds() -> Integer:
    """How long a role's sessions may last at most."""
    return Integer(3600, 43_200)


def version_id(*, required: bool = False) -> Text:
    """A version of a managed policy."""
    return Text(0, None, r"v[1-9][0-9]*(\.[A-Za-z0-9-]*)?", required=required)


def tag_key() -> Text:
    """The key of a tag."""
    return Text(1, 128, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", required=True)


def access_key_id(*, required: bool = False) -> Text:
    """The id of an access key."""
    return Text(16, 128, _ID, required=required)


def status(*, required: bool = False) -> Choice:
    """Whether a credential may be used."""
    return Choice("Active", "Inactive", "Expired", required=required)


def number() -> Integer:
    """How many there are."""
    return Integer(0, _LARGEST)


class Tag(Shape):
    """A tag."""

    Key = tag_key()
    Value = Text(0, 256, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", required=True)


def tags(*, required: bool = False) -> ListOf:
    """Tags."""
    return ListOf(Structure(Tag), 0, 50, required=required)


def place() -> dict[str, Member]:
    """Where a page of a list begins, and how many items it has at most."""
    return {"Marker": Text(1, 320, r"[\u0020-\u00FF]+"), "MaxItems": Integer(1, 1000)}


def rest() -> dict[str, Member]:
    """Whether a list goes on, and where."""
    return {"IsTruncated": Boolean(), "Marker": Text()}


class AttachedPermissionsBoundary(Shape):
    """A permissions boundary."""

    PermissionsBoundaryType = Choice("PermissionsBoundaryPolicy")
    PermissionsBoundaryArn = arn()


class User(Shape):
    """A user."""

    Path = path(required=True)
    UserName = user_name(required=True)
    UserId = unique_id(required=True)
    Arn = arn(required=True)
    CreateDate = Timestamp(required=True)
    PasswordLastUsed = Timestamp()
    PermissionsBoundary = Structure(AttachedPermissionsBoundary)
    Tags = tags()


class RoleLastUsed(Shape):
    """When and where a role was last used."""

    LastUsedDate = Timestamp()
    Region = Text()


class SourceRoleTemplate(Shape):
    """The template that a role was made from."""

    TemplateArn = arn(required=True)
    TemplateMinorVersion = Integer(0, _LARGEST, required=True)


class Role(Shape):
    """A role."""

    Path = path(required=True)
    RoleName = role_name(required=True)
    RoleId = unique_id(required=True)
    Arn = arn(required=True)
    CreateDate = Timestamp(required=True)
    AssumeRolePolicyDocument = document()
    Description = description()
    MaxSessionDuration = session_seconds()
    PermissionsBoundary = Structure(AttachedPermissionsBoundary)
    Tags = tags()
    RoleLastUsed = Structure(RoleLastUsed)
    SourceRoleTemplate = Structure(SourceRoleTemplate)


class Group(Shape):
    """A group."""

    Path = path(required=True)
    GroupName = name(required=True)
    GroupId = unique_id(required=True)
    Arn = arn(required=True)
    CreateDate = Timestamp(required=True)


class AttachedPolicy(Shape):
    """A managed policy that is attached."""

    PolicyName = name()
    PolicyArn = arn()
