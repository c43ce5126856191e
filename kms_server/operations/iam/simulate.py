"""SimulatePrincipalPolicy, SimulateCustomPolicy: what policies would say, without asking for anything.

As on AWS, the policy of a resource counts only where the request brings it along: of a KMS key, too.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.arn import Arn, is_account, root_arn
from kms_server.iam.principal import Principal
from kms_server.iam.simulation import Match, Outcome, Simulation, Source, strictest
from kms_server.operations.call import Answer, Call, Plane
from kms_server.operations.iam import common, resource_templates, simulated_context
from kms_server.operations.iam import simulated_policies as sources
from kms_server.operations.iam.simulated_policies import Exclusions
from kms_server.operations.paging import marked_page_of
from kms_server.schemas import iam as schemas
from kms_server.schemas import iam_simulate as simulate_schemas
from kms_server.schemas.fields import ListOf, Structure
from kms_server.storage import identities
from kms_server.storage.identities import Identity, Kind

# How often a page asks a statement about a resource; a page has fewer actions where that is too often.
_MOST_STATEMENTS = 100_000
_ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9]+")
_SCENARIOS = frozenset(
    {"EC2-VPC-InstanceStore", "EC2-VPC-InstanceStore-Subnet", "EC2-VPC-EBS", "EC2-VPC-EBS-Subnet"}
)


def simulate_principal_policy(call: Call, connection: Connection) -> Answer:
    """What the policies of a user, role or group say of actions (AWS SimulatePrincipalPolicy)."""
    arn = call.parameters["PolicySourceArn"]
    source = _source(call, connection, arn)
    excluded = Exclusions.of(call.get("PolicyExclusionList") or [])
    attached = sources.attached(connection, source, excluded)
    boundary = _boundary(call) or sources.boundary_of(connection, source, excluded)
    caller = simulated_context.caller(connection, call.account, call.get("CallerArn", arn), call.time)
    return _answer(call, _simulation(call, caller, (*attached, *_given(call)), boundary))


def simulate_custom_policy(call: Call, connection: Connection) -> Answer:
    """What given policies say of actions (AWS SimulateCustomPolicy)."""
    common.allow(call, connection, "*")
    arn = call.get("CallerArn")
    if arn is None and "ResourcePolicy" in call.parameters:
        raise e.InvalidInputException("ResourcePolicy needs CallerArn.")
    caller = (
        simulated_context.anybody(call.account)
        if arn is None
        else simulated_context.caller(connection, call.account, arn, call.time)
    )
    return _answer(call, _simulation(call, caller, _given(call), _boundary(call)))


def _source(call: Call, connection: Connection, arn: str) -> Identity:
    """The user, role or group whose policies are simulated.

    Raises:
        InvalidInputException: it is something else.
        AccessDeniedException, NoSuchEntityException
    """
    parsed = Arn.parse(arn)
    kind, _, path = parsed.resource.partition("/") if parsed else ("", "", "")
    if parsed is None or parsed.service != "iam" or kind not in list(Kind):
        raise e.InvalidInputException(
            f"Invalid Entity Arn: {arn} does not clearly define entity type and name."
        )
    found = identities.get(connection, parsed.account, Kind(kind), path.rpartition("/")[2])
    if found is None or found.arn != arn or found.account != call.account:
        common.allow(call, connection, arn)
        raise e.NoSuchEntityException(f"The {kind} with ARN {arn} cannot be found.")
    common.allow_on(call, connection, found)
    return found


def _given(call: Call) -> tuple[Source, ...]:
    return tuple(sources.given(call.get("PolicyInputList") or [], "PolicyInputList"))


def _boundary(call: Call) -> Source | None:
    given = sources.given(
        call.get("PermissionsBoundaryPolicyInputList") or [], "PermissionsBoundaryPolicyInputList"
    )
    if len(given) > 1:
        raise e.InvalidInputException("There can be only one permissions boundary.")
    return given[0] if given else None


def _levels(call: Call) -> tuple[tuple[Source, ...], ...]:
    levels = [
        one.get("ServiceControlPolicyInputList") or []
        for one in call.get("OrderedOrganizationPolicyInputList") or []
    ]
    return tuple(tuple(sources.given(texts, "ServiceControlPolicyInputList")) for texts in levels)


def _simulation(
    call: Call, caller: Principal, identity: tuple[Source, ...], boundary: Source | None
) -> Simulation:
    if call.get("ResourceHandlingOption", "EC2-VPC-EBS") not in _SCENARIOS:
        raise e.InvalidInputException("ResourceHandlingOption is none of those that there are.")
    text = call.get("ResourcePolicy")
    if text is not None and caller.session is not None:
        raise e.InvalidInputException("Simulation of resource-based policies isn't supported for IAM roles.")
    return Simulation(
        caller, identity, boundary, None if text is None else sources.resource_policy(text), _owner(call),
        simulated_context.context(caller, call.get("ContextEntries") or []), _levels(call),
    )  # fmt: skip


def _owner(call: Call) -> str | None:
    """The account that ResourceOwner names, by itself or by the ARN of its root."""
    given: str | None = call.get("ResourceOwner")
    if given is None or is_account(given):
        return given
    parsed = Arn.parse(given)
    if parsed is None or given != root_arn(parsed.account):
        raise e.InvalidInputException(f"ResourceOwner must be an account: {given}")
    return parsed.account


def _answer(call: Call, simulation: Simulation) -> Answer:
    actions = list(dict.fromkeys(call.parameters["ActionNames"]))
    wrong = [action for action in actions if _ACTION.fullmatch(action) is None]
    if wrong:
        raise e.InvalidInputException(f"Actions have the form service:Action without wildcards: {wrong[0]}")
    resources = list(dict.fromkeys(call.get("ResourceArns") or ["*"]))
    wrong = [arn for arn in resources if arn != "*" and Arn.parse(arn) is None]
    if wrong:
        raise e.InvalidInputException(f"A resource is an ARN or *: {wrong[0]}")
    once = len(resources) * max(1, simulation.cost)
    if once > _MOST_STATEMENTS:
        raise e.InvalidInputException(
            f"There are {simulation.size} statements and {len(resources)} resources: ask about fewer at once."
        )
    page, rest = marked_page_of(
        call, list(enumerate(actions)), lambda one: f"{one[0]:06}", most=_MOST_STATEMENTS // once
    )
    return {"EvaluationResults": [_result(simulation, action, resources) for _, action in page], **rest}


def _result(simulation: Simulation, action: str, resources: Sequence[str]) -> dict[str, Any]:
    outcomes = {arn: simulation.outcome(action, arn) for arn in resources}
    decision = strictest([one.decision for one in outcomes.values()])
    found = list(outcomes.values())
    matches = [match for one in found if one.decision == decision for match in one.matches]
    result = {
        "EvalActionName": action,
        "EvalResourceName": resource_templates.of(action),
        "EvalDecision": decision,
        "MatchedStatements": [_statement(match) for match in dict.fromkeys(matches)],
        "MissingContextValues": sorted({name for one in found for name in one.missing}),
        **_boundary_detail([one.bounded for one in found]),
        **_organizations_detail([one.organized for one in found]),
    }
    if resources == ["*"]:
        return result
    return result | {
        "EvalDecisionDetails": _strictest_by_kind([one.by_kind for one in found]),
        "ResourceSpecificResults": [_specific(arn, one) for arn, one in outcomes.items()],
    }


def _strictest_by_kind(said: Sequence[Mapping[str, str]]) -> dict[str, str]:
    kinds = dict.fromkeys(kind for one in said for kind in one)
    return {kind: strictest([one[kind] for one in said if kind in one]) for kind in kinds}


def _specific(arn: str, outcome: Outcome) -> dict[str, Any]:
    details = {"EvalDecisionDetails": outcome.by_kind} if outcome.by_kind else {}
    return {
        "EvalResourceName": arn,
        "EvalResourceDecision": outcome.decision,
        "MatchedStatements": [_statement(match) for match in outcome.matches],
        "MissingContextValues": list(outcome.missing),
        **_boundary_detail([outcome.bounded]),
        **details,
    }


def _boundary_detail(said: Sequence[bool | None]) -> dict[str, Any]:
    if None in said:
        return {}
    return {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": all(said)}}


def _organizations_detail(said: Sequence[bool | None]) -> dict[str, Any]:
    return {} if None in said else {"OrganizationsDecisionDetail": {"AllowedByOrganizations": all(said)}}


def _statement(match: Match) -> dict[str, Any]:
    return {
        "SourcePolicyId": match.source.policy_id,
        "SourcePolicyType": match.source.kind,
        "StartPosition": dict(zip(("Line", "Column"), match.start, strict=True)),
        "EndPosition": dict(zip(("Line", "Column"), match.end, strict=True)),
    }


_RESPONSE = {
    "EvaluationResults": ListOf(Structure(simulate_schemas.EvaluationResult)),
    **schemas.rest(),
}
OPERATIONS = (
    common.operation(
        "SimulatePrincipalPolicy", simulate_principal_policy, Plane.READ,
        "Simulates what the policies of a user, role or group allow.",
        {
            "PolicySourceArn": schemas.arn(required=True),
            "PolicyInputList": simulate_schemas.documents(),
            "PermissionsBoundaryPolicyInputList": simulate_schemas.documents(),
            "PolicyExclusionList": ListOf(Structure(simulate_schemas.PolicyIdentifier), 0, 256),
            **simulate_schemas.asked(),
        },
        _RESPONSE, errors=(e.NoSuchEntityException, e.InvalidInputException),
    ),
    common.operation(
        "SimulateCustomPolicy", simulate_custom_policy, Plane.READ, "Simulates what given policies allow.",
        {
            "PolicyInputList": simulate_schemas.documents(required=True),
            "PermissionsBoundaryPolicyInputList": simulate_schemas.documents(),
            "OrderedOrganizationPolicyInputList": ListOf(
                Structure(simulate_schemas.OrderedOrganizationPolicyType), 0, 7
            ),
            **simulate_schemas.asked(),
        },
        _RESPONSE, errors=(e.InvalidInputException,),
    ),
)  # fmt: skip
