"""Requests of the policy cases as explanations take them."""

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import reject

from kms_server.errors import MalformedPolicyDocumentException
from kms_server.iam.authority import Authority
from kms_server.iam.context import FixedContext
from kms_server.iam.explain import explain
from kms_server.iam.grant_story import Known
from kms_server.iam.plan import GrantLookup
from kms_server.iam.policy import compile_identity_policy, compile_key_policy
from kms_server.iam.principal import AttachedPolicy, Issuer, Principal, Session
from kms_server.iam.story import Story
from kms_server.keys.grants import Grant, Party
from tests.unit.iam.naive import Asked, Document, grant_applies


def told(asked: Asked) -> Story:
    """The story of a request; cases with documents that no policy may be are passed over."""
    try:
        return _told(asked)
    except MalformedPolicyDocumentException:
        reject()


def _told(asked: Asked) -> Story:
    resource: str | Authority = asked.resource
    if asked.key_account is not None:
        policy = compile_key_policy(json.dumps(asked.key_policy))
        resource = Authority(asked.key_account, asked.resource, policy)
    context = dict(asked.context)
    if asked.source_arn:
        context["aws:SourceArn"] = [asked.source_arn]
    return explain(
        _principal(asked), asked.action, resource, FixedContext(context), grants=_lookup(asked),
        known=Known(grants=_grants(asked), encryption_context=asked.encryption_context),
    )  # fmt: skip


def _principal(asked: Asked) -> Principal:
    caller = asked.caller
    policies = tuple(_attached("inline policy", asked.identity_policies))
    boundary = next(_attached("boundary", [asked.boundary]), None) if asked.boundary else None
    if caller.arn == caller.root_arn:
        return Principal("Root", caller.account, caller.arn, caller.account, None, None, policies, boundary)
    if ":user/" in caller.arn:
        return Principal("IAMUser", caller.account, caller.arn, "AIDAX", None, "alice", policies, boundary)
    limits = asked.session_policies
    session = None if limits is None else tuple(_attached("session policy", limits))
    role = caller.role_arn
    issuer = Issuer("Role" if role else "IAMUser", "AROAX", role or "arn:none", caller.account, "Batch")
    kind = "AssumedRole" if role else "FederatedUser"
    return Principal(
        kind, caller.account, caller.arn, "AROAX:run-7", None, None, policies, boundary,
        Session(0.0, issuer, session),
    )  # fmt: skip


def _attached(name: str, documents: Iterable[Document | None]) -> Any:
    return (AttachedPolicy(name, compile_identity_policy(json.dumps(document))) for document in documents)


def _grants(asked: Asked) -> list[Grant]:
    return [
        Grant(
            f"{place:064x}", "k", "us-east-1", None, _party(grant["GranteePrincipal"]), None,
            tuple(grant["Operations"]), grant["Constraints"], "111122223333", 0.0, None,
        )
        for place, grant in enumerate(asked.grants)
    ]  # fmt: skip


def _party(name: str) -> Party:
    return Party(name, False, name)


def _lookup(asked: Asked) -> GrantLookup:
    """A lookup that the naive evaluator's rules decide."""
    open_grants = {
        grant["GranteePrincipal"]: f"{place:064x}"
        for place, grant in enumerate(asked.grants)
        if grant_applies(grant, asked)
    }
    return open_grants.get
