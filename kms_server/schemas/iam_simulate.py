"""Members and structures of IAM's policy simulator."""

from kms_server.schemas.base import Shape
from kms_server.schemas.fields import Boolean, Choice, Integer, ListOf, MapOf, Member, Structure, Text
from kms_server.schemas.iam import arn, document, place

_LARGEST = 2**31 - 1
_ATTACHMENT = r"[\w+=,.@-]+"
DECISIONS = ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY = "allowed", "explicitDeny", "implicitDeny"
CONTEXT_TYPES = tuple(
    f"{name}{many}"
    for name in ("string", "numeric", "boolean", "ip", "binary", "date")
    for many in ("", "List")
)
SOURCES = ("user", "group", "role", "aws-managed", "user-managed", "resource", "none")


def documents(*, required: bool = False) -> ListOf:
    """Policy documents."""
    return ListOf(document(), required=required)


def resource() -> Text:
    """An ARN, or a pattern of one."""
    return Text(1, 2048)


def action(*, required: bool = False) -> Text:
    """The name of an action."""
    return Text(3, 128, required=required)


class InlinePolicyIdentifierType(Shape):
    """An inline policy, by its name and whose it is."""

    PolicyName = Text(1, 128, _ATTACHMENT, required=True)
    AttachmentType = Choice("user", "group", "role", required=True)
    AttachmentName = Text(1, 128, _ATTACHMENT, required=True)


class PolicyIdentifier(Shape):
    """Policies by their kind, their ARN or their name."""

    PolicyType = Choice("inline", "aws-managed", "user-managed", "permission-boundary", "scp", "rcp")
    PolicyArn = arn()
    InlinePolicyIdentifier = Structure(InlinePolicyIdentifierType)


class OrderedOrganizationPolicyType(Shape):
    """The service control policies of one level of an organization."""

    ServiceControlPolicyInputList = documents()


class ContextEntry(Shape):
    """A condition key and its values."""

    ContextKeyName = Text(5, 256)
    ContextKeyValues = ListOf(Text())
    ContextKeyType = Choice(*CONTEXT_TYPES)


def asked() -> dict[str, Member]:
    """What both simulations are asked."""
    return {
        "ActionNames": ListOf(action(), required=True),
        "ResourceArns": ListOf(resource()),
        "ResourcePolicy": document(),
        "ResourceOwner": resource(),
        "CallerArn": resource(),
        "ContextEntries": ListOf(Structure(ContextEntry)),
        "ResourceHandlingOption": Text(1, 64),
        **place(),
    }


class Position(Shape):
    """A place in a document, from 1 on."""

    Line = Integer(0, _LARGEST)
    Column = Integer(0, _LARGEST)


class Statement(Shape):
    """A statement that decides."""

    SourcePolicyId = Text()
    SourcePolicyType = Choice(*SOURCES)
    StartPosition = Structure(Position)
    EndPosition = Structure(Position)


class OrganizationsDecisionDetail(Shape):
    """What service control policies say."""

    AllowedByOrganizations = Boolean()


class PermissionsBoundaryDecisionDetail(Shape):
    """What the permissions boundary says."""

    AllowedByPermissionsBoundary = Boolean()


class ResourceSpecificResult(Shape):
    """What comes of one action on one resource."""

    EvalResourceName = Text(1, 2048, required=True)
    EvalResourceDecision = Choice(*DECISIONS, required=True)
    MatchedStatements = ListOf(Structure(Statement))
    MissingContextValues = ListOf(Text(5, 256))
    EvalDecisionDetails = MapOf()
    PermissionsBoundaryDecisionDetail = Structure(PermissionsBoundaryDecisionDetail)


class EvaluationResult(Shape):
    """What comes of one action on all resources."""

    EvalActionName = action(required=True)
    EvalResourceName = resource()
    EvalDecision = Choice(*DECISIONS, required=True)
    MatchedStatements = ListOf(Structure(Statement))
    MissingContextValues = ListOf(Text(5, 256))
    OrganizationsDecisionDetail = Structure(OrganizationsDecisionDetail)
    PermissionsBoundaryDecisionDetail = Structure(PermissionsBoundaryDecisionDetail)
    EvalDecisionDetails = MapOf()
    ResourceSpecificResults = ListOf(Structure(ResourceSpecificResult))
