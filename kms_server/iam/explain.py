"""Why a request is allowed or denied: the decision of `authorize`, and what became of every statement and grant.

The decision is never worked out a second time. A statement's story asks the same matchers that decide.
"""

from collections.abc import Iterator
from dataclasses import replace

from kms_server.iam import written
from kms_server.iam.advice import advice
from kms_server.iam.authority import ROOT_POLICIES, Authority
from kms_server.iam.context import Context
from kms_server.iam.evaluate import authorize
from kms_server.iam.grant_story import Known, grant_stories
from kms_server.iam.mismatch import Question, mismatches
from kms_server.iam.plan import GrantLookup, no_grants
from kms_server.iam.principal import AttachedPolicy, Principal
from kms_server.iam.statement import Statement
from kms_server.iam.story import Place, PolicyStory, StatementStory, Story


def explain(
    principal: Principal,
    action: str,
    resource: str | Authority,
    context: Context,
    *,
    grants: GrantLookup = no_grants,
    known: Known | None = None,
) -> Story:
    """The story of a request, from what `authorize` is given."""
    known = known or Known()
    arn = resource if isinstance(resource, str) else resource.arn
    authority = None if isinstance(resource, str) else resource
    question = Question(principal, action, arn, context, known.shown)
    policies = tuple(_story(*one, question, authority) for one in _considered(principal, authority))
    story = Story(
        principal.arn, action, arn, policies,
        grant_stories(known, question), known.untold,
        authorize(principal, action, resource, context, grants=grants), (),
    )  # fmt: skip
    return replace(story, advice=tuple(advice(story, principal, authority, grantable=known.grantable)))


def _considered(principal: Principal, authority: Authority | None) -> Iterator[tuple[Place, AttachedPolicy]]:
    """The policies that have a say, in the order in which a reader looks for the reason."""
    if authority is not None:
        yield Place.RESOURCE, AttachedPolicy(authority.title, authority.policy)
    own = (*ROOT_POLICIES, *principal.policies) if principal.is_root else principal.policies
    for policy in own:
        yield Place.IDENTITY, policy
    if principal.boundary is not None:
        yield Place.BOUNDARY, principal.boundary
    for policy in (principal.session and principal.session.policies) or ():
        yield Place.SESSION, policy


def _story(
    place: Place, policy: AttachedPolicy, question: Question, authority: Authority | None
) -> PolicyStory:
    document = written.read(policy.compiled.text)
    statements = []
    for statement, source in zip(policy.compiled.statements, document.statements, strict=True):
        found = mismatches(statement, source, question, variables=document.variables)
        note = _note(statement, question, authority) if place is Place.RESOURCE and authority else ""
        statements.append(StatementStory(statement.label, statement.allows, found, "" if found else note))
    return PolicyStory(place, policy.name, tuple(statements))


def _note(statement: Statement, question: Question, authority: Authority) -> str:
    """What it takes beside an Allow of a resource's policy, which depends on how it names the caller."""
    principal, listed = question.principal, statement.principals
    if not statement.allows:
        return ""
    foreign = authority.account != principal.account
    named = "names everybody" if "*" in listed else "names the caller itself"
    if "*" not in listed and principal.names.own.isdisjoint(listed):
        if principal.names.role.isdisjoint(listed):
            return f"leaves it to account {principal.account}, whose identity policies must allow it, too"
        named = f"names the caller's {'user' if principal.kind == 'FederatedUser' else 'role'}"
        if not foreign:
            return f"{named}; what limits the session must allow it, too"
    return f"{named}; across accounts identity policies must allow it, too" if foreign else f"{named}: enough"
