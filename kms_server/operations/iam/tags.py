"""Tags of users, roles, managed policies and OpenID Connect providers: Tag…, Untag…, List…Tags."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.connected import Handler
from kms_server.operations.iam import common, oidc, policies
from kms_server.operations.iam.common import Family
from kms_server.operations.iam.tag_rules import owner_of_identity, tag
from kms_server.operations.paging import marked_page_of
from kms_server.schemas import iam as schemas
from kms_server.schemas.fields import ListOf, Text
from kms_server.storage import identity_tags
from kms_server.storage.identity_tags import Owner


@dataclass(frozen=True, slots=True)
class Taggable:
    """What has tags: how its operations are called, which member names it, and how it is found for a caller."""

    title: str
    member: str
    field: Callable[..., Text]
    find: Callable[[Call, Connection], Owner]
    more_errors: tuple[type[e.ServiceError], ...] = ()


def _identity(family: Family) -> Taggable:
    def find(call: Call, connection: Connection) -> Owner:
        return owner_of_identity(common.find(call, connection, family))

    return Taggable(family.title, family.member, family.older_name, find)


def _policy(call: Call, connection: Connection) -> Owner:
    return policies.owner(policies.find_own(call, connection))


def _provider(call: Call, connection: Connection) -> Owner:
    return oidc.owner(oidc.find(call, connection))


_TAGGABLE = (
    _identity(common.USERS),
    _identity(common.ROLES),
    Taggable("Policy", "PolicyArn", schemas.arn, _policy, (e.InvalidInputException,)),
    Taggable(
        "OpenIDConnectProvider", oidc.MEMBER, schemas.arn, _provider, (e.InvalidInputException,)
    ),
)  # fmt: skip


def _tag(kind: Taggable) -> Handler:
    def run(call: Call, connection: Connection) -> Answer:
        owner = kind.find(call, connection)
        tag(call, owner)
        return None

    return run


def _untag(kind: Taggable) -> Handler:
    def run(call: Call, connection: Connection) -> Answer:
        identity_tags.remove(call.writing, kind.find(call, connection), call.parameters["TagKeys"])
        return None

    return run


def _list(kind: Taggable) -> Handler:
    def run(call: Call, connection: Connection) -> Answer:
        tags = identity_tags.of_owner(connection, kind.find(call, connection).name)
        found, rest = marked_page_of(call, list(enumerate(tags.items())), _place)
        return {"Tags": [{"Key": name, "Value": value} for _, (name, value) in found], **rest}

    return run


def _place(tag: tuple[int, tuple[str, str]]) -> str:
    return f"{tag[0]:03}"


def _operations(kind: Taggable) -> Sequence[Operation]:
    what: Mapping[str, Text] = {kind.member: kind.field(required=True)}
    keys = ListOf(schemas.tag_key(), 0, 50, required=True)
    title = kind.title
    errors: Sequence[type[e.ServiceError]] = (e.NoSuchEntityException, *kind.more_errors)
    return (
        common.operation(
            f"Tag{title}", _tag(kind), Plane.WRITE, f"Adds or replaces tags of a {title}.",
            {**what, "Tags": schemas.tags(required=True)},
            errors=(e.NoSuchEntityException, e.InvalidInputException, e.LimitExceededException),
        ),
        common.operation(
            f"Untag{title}", _untag(kind), Plane.WRITE, f"Removes tags of a {title}.", {**what, "TagKeys": keys},
            errors=errors,
        ),
        common.operation(
            f"List{title}Tags", _list(kind), Plane.READ, f"Lists the tags of a {title}.",
            {**what, **schemas.place()}, {"Tags": schemas.tags(required=True), **schemas.rest()}, errors=errors,
        ),
    )  # fmt: skip


OPERATIONS = tuple(one for kind in _TAGGABLE for one in _operations(kind))
