"""Managed policies at users, roles and groups: Attach…, Detach…, ListAttached…; permissions boundaries: Put…, Delete…."""

from collections.abc import Sequence

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.connected import Handler
from kms_server.operations.iam import common, policies
from kms_server.operations.iam.common import FAMILIES, ROLES, USERS, Family
from kms_server.operations.paging import marked_page_of
from kms_server.schemas import iam as schemas
from kms_server.schemas.fields import ListOf, Structure
from kms_server.storage import attachments, identities


def _attach(family: Family) -> Handler:
    def run(call: Call, connection: Connection) -> Answer:
        owner, arn = common.find(call, connection, family), call.parameters["PolicyArn"]
        policies.check_arn(arn)
        if policies.usable(call, connection, arn) is None:
            raise e.NoSuchEntityException(f"Policy {arn} does not exist or is not attachable.")
        others = [one for one in attachments.of_owner(connection, owner) if one.arn != arn]
        most = family.quota("AttachedPoliciesPer{}Quota")
        common.require_room(f"PoliciesPer{family.title}", len(others), most)
        attachments.add(call.writing, owner, arn)
        return None

    return run


def _detach(family: Family) -> Handler:
    def run(call: Call, connection: Connection) -> Answer:
        owner, arn = common.find(call, connection, family), call.parameters["PolicyArn"]
        policies.check_arn(arn)
        if not attachments.remove(call.writing, owner, arn):
            raise e.NoSuchEntityException(f"Policy {arn} was not found.")
        return None

    return run


def _list(family: Family) -> Handler:
    def run(call: Call, connection: Connection) -> Answer:
        owner, prefix = common.find(call, connection, family), call.get("PathPrefix", "/")
        found = [one for one in attachments.of_owner(connection, owner) if one.path.startswith(prefix)]
        # Names are unique but for AWS's and one's own, so the place is among those attached.
        page, rest = marked_page_of(call, list(enumerate(found)), lambda placed: f"{placed[0]:02}")
        attached = [{"PolicyName": one.name, "PolicyArn": one.arn} for _, one in page]
        return {"AttachedPolicies": attached, **rest}

    return run


def _put_boundary(family: Family) -> Handler:
    def run(call: Call, connection: Connection) -> Answer:
        owner = common.find(call, connection, family)
        policies.require_boundary(call, connection)
        identities.change(call.writing, owner, boundary=call.parameters["PermissionsBoundary"])
        return None

    return run


def _delete_boundary(family: Family) -> Handler:
    def run(call: Call, connection: Connection) -> Answer:
        identities.change(call.writing, common.find(call, connection, family), boundary=None)
        return None

    return run


def _operations(family: Family) -> Sequence[Operation]:
    owner = {family.member: family.younger_name(required=True)}
    named = {**owner, "PolicyArn": schemas.arn(required=True)}
    title, kind = family.title, family.kind
    errors = (e.NoSuchEntityException, e.InvalidInputException)
    return (
        common.operation(
            f"Attach{title}Policy", _attach(family), Plane.WRITE, f"Attaches a managed policy to a {kind}.", named,
            errors=(*errors, e.LimitExceededException),
        ),
        common.operation(
            f"Detach{title}Policy", _detach(family), Plane.WRITE, f"Detaches a managed policy from a {kind}.", named,
            errors=errors,
        ),
        common.operation(
            f"ListAttached{title}Policies", _list(family), Plane.READ, f"Lists the managed policies of a {kind}.",
            {**owner, "PathPrefix": schemas.policy_path(), **schemas.place()},
            {"AttachedPolicies": ListOf(Structure(schemas.AttachedPolicy)), **schemas.rest()}, errors=errors,
        ),
    )  # fmt: skip


def _boundaries(family: Family) -> Sequence[Operation]:
    owner = {family.member: family.younger_name(required=True)}
    return (
        common.operation(
            f"Put{family.title}PermissionsBoundary", _put_boundary(family), Plane.WRITE,
            f"Sets the permissions boundary of a {family.kind}.",
            {**owner, "PermissionsBoundary": schemas.arn(required=True)},
            errors=(e.NoSuchEntityException, e.InvalidInputException),
        ),
        common.operation(
            f"Delete{family.title}PermissionsBoundary", _delete_boundary(family), Plane.WRITE,
            f"Removes the permissions boundary of a {family.kind}.", owner,
        ),
    )  # fmt: skip


OPERATIONS = (
    *(one for family in FAMILIES for one in _operations(family)),
    *(one for family in (USERS, ROLES) for one in _boundaries(family)),
)
