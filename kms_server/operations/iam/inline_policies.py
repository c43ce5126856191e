"""Inline policies of users, roles and groups: Put…Policy, Get…Policy, List…Policies, Delete…Policy."""

from collections.abc import Sequence

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.connected import Handler
from kms_server.operations.iam import common
from kms_server.operations.iam.common import FAMILIES, Family
from kms_server.operations.paging import marked_page_of
from kms_server.schemas import iam as schemas
from kms_server.schemas.fields import ListOf
from kms_server.storage import inline_policies
from kms_server.storage.identities import Identity


def _put(family: Family) -> Handler:
    def run(call: Call, connection: Connection) -> Answer:
        owner, name = common.find(call, connection, family), call.parameters["PolicyName"]
        document = call.parameters["PolicyDocument"]
        _require_room(connection, family, owner, name, document)
        inline_policies.put(call.writing, owner, name, common.check_document(document))
        return None

    return run


def _require_room(connection: Connection, family: Family, owner: Identity, name: str, document: str) -> None:
    """All inline policies of an owner together have a quota."""
    together = inline_policies.of_owner(connection, owner) | {name: document}
    most = family.quota("{}PolicySizeQuota")
    if sum(map(common.size, together.values())) > most:
        raise e.LimitExceededException(
            f"Maximum policy size of {most} bytes exceeded for {family.kind} {owner.name}"
        )


def _get(family: Family) -> Handler:
    def run(call: Call, connection: Connection) -> Answer:
        owner, name = common.find(call, connection, family), call.parameters["PolicyName"]
        document = inline_policies.get(connection, owner, name)
        if document is None:
            raise _missing(family, name)
        return {family.member: owner.name, "PolicyName": name, "PolicyDocument": common.encoded(document)}

    return run


def _list(family: Family) -> Handler:
    def run(call: Call, connection: Connection) -> Answer:
        policies = inline_policies.of_owner(connection, common.find(call, connection, family))
        found, rest = marked_page_of(call, list(policies), str)
        return {"PolicyNames": found, **rest}

    return run


def _delete(family: Family) -> Handler:
    def run(call: Call, connection: Connection) -> Answer:
        owner, name = common.find(call, connection, family), call.parameters["PolicyName"]
        if not inline_policies.remove(call.writing, owner, name):
            raise _missing(family, name)
        return None

    return run


def _missing(family: Family, name: str) -> e.NoSuchEntityException:
    return e.NoSuchEntityException(f"The {family.kind} policy with name {name} cannot be found.")


def _operations(family: Family) -> Sequence[Operation]:
    owner = {family.member: family.older_name(required=True)}
    named = {**owner, "PolicyName": schemas.name(required=True)}
    whole = {**named, "PolicyDocument": schemas.document(required=True)}
    title, whose = family.title, f"an inline policy of a {family.kind}"
    return (
        common.operation(
            f"Put{title}Policy", _put(family), Plane.WRITE, f"Sets {whose}.", whole,
            errors=(e.NoSuchEntityException, e.LimitExceededException, e.MalformedPolicyDocumentException),
        ),
        common.operation(f"Get{title}Policy", _get(family), Plane.READ, f"Returns {whose}.", named, whole),
        common.operation(
            f"List{title}Policies", _list(family), Plane.READ, f"Lists the inline policies of a {family.kind}.",
            {**owner, **schemas.place()},
            {"PolicyNames": ListOf(schemas.name(), required=True), **schemas.rest()},
        ),
        common.operation(f"Delete{title}Policy", _delete(family), Plane.WRITE, f"Deletes {whose}.", named),
    )  # fmt: skip


OPERATIONS = tuple(one for family in FAMILIES for one in _operations(family))
