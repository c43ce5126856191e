"""The server's evaluator, asked what the naive one is asked."""

import json
from collections.abc import Sequence

from kms_server.iam.authority import Authority, Rule
from kms_server.iam.context import FixedContext
from kms_server.iam.decision import Decision
from kms_server.iam.evaluate import authorize
from kms_server.iam.plan import GrantLookup
from kms_server.iam.policy import compile_identity_policy, compile_key_policy
from kms_server.iam.principal import NOBODY, AttachedPolicy, Issuer, Principal, Session
from tests.unit.iam.naive import Asked, Document, Verdict, grant_applies


class Compiled:
    """The documents of a request, compiled once; other requests under the same documents may be asked about, too."""

    def __init__(self, asked: Asked) -> None:
        self._principal = principal_of(asked)
        self._resource: str | Authority = asked.resource
        if asked.key_account is not None:
            # Every case has documents of its own: caching them would only fill the memory.
            policy = compile_key_policy.__wrapped__(json.dumps(asked.key_policy))
            rule = Rule(asked.shared, asked.shared, asked.closed, frozenset(asked.undeniable))
            self._resource = Authority(asked.key_account, asked.resource, policy, rule=rule)

    def decision_of(self, asked: Asked) -> Decision:
        """What the server decides."""
        context, grants = FixedContext(asked.context), grants_of(asked)
        resource = self._resource
        return authorize(self._principal, asked.action, resource, context, arn=asked.resource, grants=grants)


def verdict_of(decision: Decision) -> Verdict:
    if decision.allowed:
        return "allow"
    return "explicit deny" if decision.reason.name.startswith("DENIED_") else "implicit deny"


def principal_of(asked: Asked) -> Principal:
    caller = asked.caller
    if not caller.account:
        return NOBODY
    boundary = None if asked.boundary is None else attached("boundary", [asked.boundary])[0]
    is_root = caller.arn == caller.root_arn
    kind = "Root" if is_root else "IAMUser"
    policies = attached("identity policy", () if is_root else asked.identity_policies)
    session = None
    if ":sts:" in caller.arn:
        kind = "AssumedRole" if caller.role_arn else "FederatedUser"
        session = session_of(asked)
    unique_id = caller.unique_id or caller.account
    return Principal(
        kind, caller.account, caller.arn, unique_id, "AKIA", policies=policies, boundary=boundary, session=session
    )  # fmt: skip


def session_of(asked: Asked) -> Session:
    caller = asked.caller
    issuer = None
    if caller.role_arn and caller.role_id:
        issuer = Issuer("Role", caller.role_id, caller.role_arn, caller.account, "Batch")
    policies = None
    if asked.session_policies is not None:
        policies = attached("session policy", asked.session_policies)
    return Session(0.0, issuer, policies)


def attached(name: str, documents: Sequence[Document]) -> tuple[AttachedPolicy, ...]:
    compiled = (compile_identity_policy.__wrapped__(json.dumps(document)) for document in documents)
    return tuple(AttachedPolicy(f"{name} {place}", one) for place, one in enumerate(compiled, 1))


def grants_of(asked: Asked) -> GrantLookup:
    """The lookup of the grants that fit the request."""

    def find(grantee: str) -> str | None:
        fitting = (
            f"grant {place}" for place, grant in enumerate(asked.grants, 1)
            if grant["GranteePrincipal"] == grantee and grant_applies(grant, asked)
        )  # fmt: skip
        return next(fitting, None)

    return find
