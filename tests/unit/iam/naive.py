"""A second evaluator of authorization requests, written from the rules alone and as plainly as possible.

It is slow and shares nothing with the server, so what both say is likely right.

Decisions where the rules are unclear:

* Boundaries and session policies: within the account of the key an Allow of the key policy that names the caller
  itself (user, session, federated user, root user) or everybody ("*") is not limited by them. One that names the session's role, or the account, or a grant is. Across accounts all are.
* A Deny that names an account (its root ARN or number) denies all of its principals. An Allow delegates to it.
* A NotPrincipal leaves the caller out only if it lists everything the caller goes by: itself, the role of a session,
  and the account. Services and identity providers in it say nothing. An Allow with NotPrincipal has no effect.
* Users, roles and sessions are known by their unique ids as well as by their ARNs.
* The root user needs no identity policies: they count as allowing it everything. Deny statements among them, and a
  boundary, count as for others.
* A grant to the root ARN of an account delegates, as a key policy does: the root user has its permissions, others
  need an identity policy as well.
* A grant across accounts needs an identity policy that allows, even when it names the principal.
* Grants to services match no caller, since callers are never services.
* The keys of encryption contexts are compared exactly, case included. EncryptionContextEquals of {} asks for a
  request without context. SourceArn is compared as text, without wildcards.
* A statement with both Action and NotAction (or Resource and NotResource, Principal and NotPrincipal), with neither,
  or with another Effect than Allow and Deny has no effect. Principals in other documents than the key policy are not
  looked at.
* A bucket's policy is one more way in its account: the identity policies of that account allow by themselves, too.
  A bucket that is closed lets nobody in from elsewhere, and its policy cannot keep the root of its account from
  the actions that are undeniable.
* Who is anonymous has no account and no ARN. Only statements for everybody allow, and nothing else is needed.
* session_policies of () is a session with policies that allow nothing.

Left out: service and resource control policies, endpoint policies, callers that are AWS services, what a child
grant may contain (the permission to create one is judged like any other), and who may retire a grant
(kms:RetireGrant is judged like any other action, except that constraints of grants do not apply to it).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.unit.iam.naive_conditions import conditions_hold, listed
from tests.unit.iam.naive_text import action_matches, resource_matches

Document = Mapping[str, Any]
Verdict = Literal["allow", "explicit deny", "implicit deny"]


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    arn: str
    account: str
    role_arn: str | None = None
    unique_id: str | None = None
    role_id: str | None = None

    @property
    def root_arn(self) -> str:
        partition = self.arn.split(":")[1] if self.arn else "aws"
        return f"arn:{partition}:iam::{self.account}:root"


@dataclass(frozen=True)
class Asked:
    """A request and every document that has a say in it."""

    caller: Caller
    action: str
    resource: str
    context: Mapping[str, Sequence[str]]
    key_account: str | None
    key_policy: Document | None
    identity_policies: Sequence[Document] = ()
    boundary: Document | None = None
    session_policies: Sequence[Document] | None = None
    grants: Sequence[Document] = ()
    encryption_context: Mapping[str, str] = field(default_factory=dict)
    source_arn: str | None = None
    shared: bool = False
    closed: bool = False
    undeniable: Sequence[str] = ()


def decide(asked: Asked) -> Verdict:
    """What becomes of the request."""
    if denied(asked):
        return "explicit deny"
    if allowed(asked):
        return "allow"
    return "implicit deny"


def denied(asked: Asked) -> bool:
    """Whether a Deny statement of any document applies."""
    caller = asked.caller
    exempt = caller.arn == caller.root_arn and caller.account == asked.key_account
    if key_policy_ways(asked, "Deny") and not (exempt and asked.action in asked.undeniable):
        return True
    others = [*asked.identity_policies, *(asked.session_policies or ())]
    if asked.boundary is not None:
        others.append(asked.boundary)
    return any(document_says(document, "Deny", asked) for document in others)


def allowed(asked: Asked) -> bool:
    """Whether the request is allowed, provided that nothing denies it."""
    if asked.key_account is None:
        return identity_allows(asked) and limits_allow(asked)
    ways = key_policy_ways(asked, "Allow") | grant_ways(asked)
    if asked.key_account == asked.caller.account:
        return allowed_at_home(asked, ways)
    if asked.closed:
        return False
    if not asked.caller.account:
        return "itself" in ways
    return bool(ways) and identity_allows(asked) and limits_allow(asked)


def allowed_at_home(asked: Asked, ways: set[str]) -> bool:
    """The same for a caller of the account that owns what is asked for."""
    if "itself" in ways:
        return True
    if ("role" in ways or "grant" in ways) and limits_allow(asked):
        return True
    return ("account" in ways or asked.shared) and identity_allows(asked) and limits_allow(asked)


def identity_allows(asked: Asked) -> bool:
    if asked.caller.arn == asked.caller.root_arn:
        return True
    return any(document_says(document, "Allow", asked) for document in asked.identity_policies)


def limits_allow(asked: Asked) -> bool:
    """Whether the boundary and the session policies allow, where there are any."""
    if asked.boundary is not None and not document_says(asked.boundary, "Allow", asked):
        return False
    if asked.session_policies is None:
        return True
    return any(document_says(document, "Allow", asked) for document in asked.session_policies)


def document_says(document: Document, effect: str, asked: Asked) -> bool:
    """Whether a statement with this effect applies, for documents without principals."""
    return any(
        statement_applies(statement, effect, document.get("Version", ""), asked)
        for statement in listed(document.get("Statement"))
    )


def statement_applies(statement: Document, effect: str, version: str, asked: Asked) -> bool:
    """Whether all of a statement but its principals fits the request."""
    return (
        statement.get("Effect") == effect
        and covers(statement, "Action", lambda text: action_matches(text, asked.action))
        and covers(
            statement, "Resource", lambda text: resource_matches(text, version, asked.context, asked.resource)
        )
        and conditions_hold(statement.get("Condition", {}), version, asked.context)
    )


def covers(statement: Document, member: str, fits: Any) -> bool:
    """Whether one text of the member fits, or none of its opposite.

    Unclear: a variable without a value in NotResource fits nothing, so the statement applies.
    """
    opposite = f"Not{member}"
    if (member in statement) == (opposite in statement):
        return False
    if member in statement:
        return any(fits(text) for text in listed(statement[member]))
    return not any(fits(text) for text in listed(statement[opposite]))


def key_policy_ways(asked: Asked, effect: str) -> set[str]:
    """How the statements of the key policy that apply name the caller."""
    ways: set[str] = set()
    if asked.key_account is None or asked.key_policy is None:
        return ways
    version = asked.key_policy.get("Version", "")
    for statement in listed(asked.key_policy.get("Statement")):
        if statement_applies(statement, effect, version, asked):
            ways |= statement_ways(statement, asked.caller)
    return ways


def statement_ways(statement: Document, caller: Caller) -> set[str]:
    """How a statement names the caller: "itself", its "role", its "account"; nothing when it does not."""
    if ("Principal" in statement) == ("NotPrincipal" in statement):
        return set()
    if "Principal" in statement:
        return principal_ways(statement["Principal"], caller)
    if statement["Effect"] == "Allow" or left_out(statement["NotPrincipal"], caller):
        return set()
    return {"itself"}


def left_out(principal: Any, caller: Caller) -> bool:
    """Whether a NotPrincipal lists the caller, its role if it has one, and its account."""
    if principal == "*" or isinstance(principal, str):
        return bool(principal == "*")
    names = [caller.root_arn if name == caller.account else name for name in listed(principal.get("AWS"))]
    if "*" in names:
        return True
    if caller.arn not in names and caller.unique_id not in names:
        return False
    if caller.role_arn and caller.role_arn not in names and caller.role_id not in names:
        return False
    return caller.root_arn in names


def principal_ways(principal: Any, caller: Caller) -> set[str]:
    """How a Principal names the caller. Only whole ARNs count; services and identity providers are no callers."""
    if principal == "*":
        return {"itself"}
    if isinstance(principal, str):
        return set()
    return {way for name in listed(principal.get("AWS")) for way in name_ways(name, caller)}


def name_ways(name: str, caller: Caller) -> set[str]:
    if re.fullmatch(r"[0-9]{12}", name):
        name = caller.root_arn if name == caller.account else name
    if name in ("*", caller.arn, caller.unique_id):
        return {"itself"}
    if name in (caller.role_arn, caller.role_id):
        return {"role"}
    return {"account"} if name == caller.root_arn else set()


def grant_ways(asked: Asked) -> set[str]:
    """How the grants that apply name the caller: "grant", or "account" for its root ARN."""
    ways: set[str] = set()
    for grant in asked.grants:
        if grant_applies(grant, asked):
            named = name_ways(grant.get("GranteePrincipal", ""), asked.caller)
            ways |= {"account" if way == "account" else "grant" for way in named}
    return ways


def grant_applies(grant: Document, asked: Asked) -> bool:
    """Whether operations and constraints of a grant fit the request."""
    operation = asked.action.removeprefix("kms:")
    if operation not in grant["Operations"]:
        return False
    constraints = grant.get("Constraints") or {}
    if (
        "SourceArn" in constraints
        and operation != "RetireGrant"
        and constraints["SourceArn"] != asked.source_arn
    ):
        return False
    if operation in ("DescribeKey", "RetireGrant"):
        return True
    given = dict(asked.encryption_context)
    equals = constraints.get("EncryptionContextEquals")
    if equals is not None and dict(equals) != given:
        return False
    subset = constraints.get("EncryptionContextSubset") or {}
    return all(given.get(key) == value for key, value in subset.items())
