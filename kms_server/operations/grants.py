"""CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant."""

import secrets

from kms_server import errors as e
from kms_server.arn import Arn
from kms_server.iam.authority import Authority
from kms_server.iam.denial import denied, not_visible
from kms_server.iam.evaluate import authorize
from kms_server.iam.key_policies import default_key_policy
from kms_server.iam.policy import compile_key_policy
from kms_server.keyring import grant_token
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys import grants as rules
from kms_server.keys import states
from kms_server.keys.grants import Grant
from kms_server.operations import access, grant_parties, limits
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.context import CallContext
from kms_server.operations.grant_conditions import CREATED_GRANT, LISTED_GRANT, RETIRED_GRANT
from kms_server.operations.guards import customer_managed, stop_dry_run
from kms_server.operations.paging import page
from kms_server.quotas.table import GRANTS
from kms_server.schemas import grants as schemas
from kms_server.storage import grants, keys

_UNSPECIFIED = "Specify either GrantToken, or KeyId and GrantId."


def create_grant(call: Call) -> Answer:
    """Let a principal or a service use a key (AWS CreateGrant)."""
    usable = access.use_key(call, call.parameters["KeyId"])
    grant = _requested(call, usable)
    stored = (
        None if grant.request is None else grants.requested_before(call.connection, usable.key, grant.request)
    )
    if stored is None:
        key = usable.key
        limit = limits.most(call, key.account, key.region, GRANTS)
        if grants.count(call.connection, key) >= limit:
            raise e.LimitExceededException(f"A KMS key can have at most {limit} grants.")
    stop_dry_run(call)
    if stored is None:
        grants.add(call.writing, grant)
    issued = stored or grant
    call.answered_extra = {"keyId": usable.key.arn}
    return {
        "GrantToken": grant_token.issue(issued.grant_id, call.services.token_key),
        "GrantId": issued.grant_id,
    }


def list_grants(call: Call) -> Answer:
    """The grants on a key (AWS ListGrants)."""
    key = access.use_key(call, call.parameters["KeyId"]).key
    grant_id = call.get("GrantId")
    if grant_id is not None:
        rules.check_id(grant_id)
    grantee = rules.party(call.get("GranteePrincipal"), call.get("GranteeServicePrincipal"), "Grantee")
    with call.services.database.read() as connection:
        grantees = grant_parties.keys(connection, grantee) if grantee else None
        found, rest = page(
            call,
            lambda after, count: grants.page_of_key(
                connection, key, after, count, grant_id=grant_id, grantees=grantees
            ),
            lambda grant: grant.grant_id, default=50, maximum=100,
        )  # fmt: skip
        shown = grant_parties.shown(connection, found)
    return {"Grants": [grant.entry(key.arn) for grant in shown], **rest}


def list_retirable_grants(call: Call) -> Answer:
    """The grants that a principal of the caller's account may retire (AWS ListRetirableGrants)."""
    retiring = rules.party(call.get("RetiringPrincipal"), call.get("RetiringServicePrincipal"), "Retiring")
    if retiring is None:
        raise e.ValidationException("RetiringPrincipal must not be null")
    access.allow_without_key(call, retiring.name)
    arn = Arn.parse(retiring.name)
    if arn is None or arn.account != call.account:
        raise e.InvalidArnException(f"ARN does not refer to a valid principal: {retiring.name}")
    with call.services.database.read() as connection:
        own = grant_parties.keys(connection, retiring)
        found, rest = page(
            call,
            lambda after, count: grants.page_retirable(connection, own, call.region, after, count),
            lambda grant: grant.grant_id, default=50, maximum=100,
        )  # fmt: skip
        shown = grant_parties.shown(connection, found)
        granted = {one: keys.get(connection, one, call.region) for one in {grant.key_id for grant in shown}}
    arns = {key_id: key.arn for key_id, key in granted.items() if key is not None}
    return {"Grants": [one.entry(arns[one.key_id]) for one in shown if one.key_id in arns], **rest}


def retire_grant(call: Call) -> Answer:
    """Delete a grant that is no longer needed (AWS RetireGrant)."""
    grant = _retired(call)
    usable = _key_of(call, grant)
    _require_may_retire(call, grant, usable)
    call.touches(access.KEY, usable.key.arn)
    call.additional = {"grantId": grant.grant_id}
    access.require_fit(call, usable)
    stop_dry_run(call)
    grants.remove(call.writing, grant)
    return None


def revoke_grant(call: Call) -> Answer:
    """Delete a grant so that its grantee can no longer use the key (AWS RevokeGrant)."""
    usable = access.use_key(call, call.parameters["KeyId"])
    grant = _on_key(call, usable, call.parameters["GrantId"])
    stop_dry_run(call)
    grants.remove(call.writing, grant)
    return None


def _requested(call: Call, usable: UsableKey) -> Grant:
    key = customer_managed(call, usable)
    grantee = rules.party(call.get("GranteePrincipal"), call.get("GranteeServicePrincipal"), "Grantee")
    if grantee is None:
        raise e.ValidationException("GranteePrincipal must not be null")
    retiring = rules.party(call.get("RetiringPrincipal"), call.get("RetiringServicePrincipal"), "Retiring")
    operations = rules.check_operations(key, call.parameters["Operations"])
    constraints = call.get("Constraints") or {}
    rules.check_constraints(key, constraints, grantee, retiring)
    grantee = grant_parties.found(call.connection, grantee)
    retiring = retiring and grant_parties.found(call.connection, retiring)
    name = call.get("Name")
    request = None if name is None else rules.request_digest(call.parameters, call.account, grantee, retiring)
    return Grant(
        grant_id=secrets.token_hex(32), key_id=key.key_id, region=key.region, name=name, grantee=grantee,
        retiring=retiring, operations=operations, constraints=constraints, issuing_account=call.account,
        created_at=call.time, request=request,
    )  # fmt: skip


def _retired(call: Call) -> Grant:
    """The grant that a token, or key and id, names."""
    token, key_id, grant_id = call.get("GrantToken"), call.get("KeyId"), call.get("GrantId")
    if token is not None and key_id is None and grant_id is None:
        found = grants.get(call.connection, grant_token.redeem(token, call.services.token_key))
        if found is None or found.region != call.region:
            raise e.NotFoundException("The grant does not exist.")
        return found
    if token is not None or key_id is None or grant_id is None:
        raise e.ValidationException(_UNSPECIFIED)
    usable = access.find_key(call, key_id)
    try:
        return _on_key(call, usable, grant_id)
    except e.NotFoundException:
        # Whether a grant exists is for those to know who may retire it.
        if usable.key.account != call.account:
            raise not_visible(call.principal, call.operation.action) from None
        access.allow_without_key(call, usable.key.arn)
        raise


def _on_key(call: Call, usable: UsableKey, grant_id: str) -> Grant:
    rules.check_id(grant_id)
    grant = grants.get(call.connection, grant_id)
    if grant is None or (grant.key_id, grant.region) != (usable.key.key_id, usable.key.region):
        raise e.NotFoundException(f"Grant {grant_id} does not exist on key {usable.key.arn}.")
    return grant


def _key_of(call: Call, grant: Grant) -> UsableKey:
    usable = access.load(call, grant.key_id, grant.region)
    assert usable is not None  # noqa: S101 - a foreign key holds it
    return usable


def _require_may_retire(call: Call, grant: Grant, usable: UsableKey) -> None:
    """Retiring is for the retiring principal, a grantee that was given it, and the issuing account's identities.

    The key's policy has no say in it, neither to allow nor to deny; Denies of the caller's own policies count.
    """
    key = usable.key
    issuer = Authority(call.account, key.arn, compile_key_policy(default_key_policy(grant.issuing_account)))
    given = {grant.retiring.key} if grant.retiring else set()
    if "RetireGrant" in grant.operations:
        given.add(grant.grantee.key)
    action = call.operation.action
    decision = authorize(
        call.principal, action, issuer, CallContext(call, usable, action, grant=grant),
        grants=lambda name: grant.grant_id if name in given else None,
    )  # fmt: skip
    if decision.allowed:
        return
    if call.account not in {key.account, grant.issuing_account}:
        raise not_visible(call.principal, action)
    raise denied(call.principal, action, key.arn, decision)


_ERRORS = (
    e.NotFoundException, e.DependencyTimeoutException, e.InvalidArnException, e.KMSInternalException,
)  # fmt: skip
_CHANGE_ERRORS = (*_ERRORS, e.KMSInvalidStateException, e.DryRunOperationException)

OPERATIONS = (
    Operation(
        "CreateGrant", create_grant, schemas.CreateGrantRequest, schemas.CreateGrantResponse, Plane.WRITE,
        "Grants the use of a KMS key.",
        logged=("KeyId", "GranteePrincipal", "RetiringPrincipal", "Operations", "Constraints", "Name",
                "GranteeServicePrincipal", "RetiringServicePrincipal", "DryRun"),
        answers=("GrantId",), rule=states.GRANT, cross_account=True, conditions=CREATED_GRANT,
        errors=(*_CHANGE_ERRORS, e.DisabledException, e.InvalidGrantTokenException, e.LimitExceededException),
    ),
    Operation(
        "ListGrants", list_grants, schemas.ListGrantsRequest, schemas.ListGrantsResponse, Plane.READ,
        "Lists the grants on a KMS key.",
        logged=("KeyId", "GrantId", "GranteePrincipal", "GranteeServicePrincipal", "Limit", "Marker"),
        rule=states.READ, cross_account=True, conditions=LISTED_GRANT,
        errors=(*_ERRORS, e.InvalidMarkerException, e.InvalidGrantIdException, e.KMSInvalidStateException),
    ),
    Operation(
        "ListRetirableGrants", list_retirable_grants, schemas.ListRetirableGrantsRequest,
        schemas.ListRetirableGrantsResponse, Plane.READ, "Lists the grants that a principal may retire.",
        logged=("RetiringPrincipal", "RetiringServicePrincipal", "Limit", "Marker"),
        errors=(*_ERRORS, e.InvalidMarkerException),
    ),
    Operation(
        "RetireGrant", retire_grant, schemas.RetireGrantRequest, None, Plane.WRITE,
        "Deletes a grant that is no longer needed.", logged=("DryRun",), rule=states.READ, cross_account=True,
        conditions=RETIRED_GRANT,
        errors=(*_CHANGE_ERRORS, e.InvalidGrantTokenException, e.InvalidGrantIdException),
    ),
    Operation(
        "RevokeGrant", revoke_grant, schemas.RevokeGrantRequest, None, Plane.WRITE,
        "Deletes a grant on a KMS key.", logged=("KeyId", "GrantId", "DryRun"), rule=states.READ,
        cross_account=True, conditions=LISTED_GRANT, errors=(*_CHANGE_ERRORS, e.InvalidGrantIdException),
    ),
)  # fmt: skip
