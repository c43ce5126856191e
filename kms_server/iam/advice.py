"""What would help a caller who is denied."""

from collections.abc import Callable, Iterator

from kms_server.iam.authority import Authority
from kms_server.iam.decision import Reason
from kms_server.iam.principal import Principal
from kms_server.iam.story import Place, Story

_KINDS = {"Role": "role", "IAMUser": "user"}


def advice(
    story: Story, principal: Principal, authority: Authority | None, *, grantable: bool
) -> Iterator[str]:
    """Changes of which each helps by itself, unless a Deny applies: then every one is needed.

    `grantable` tells whether a grant can allow the action.
    """
    denials = list(_denials(story))
    if denials or story.decision.allowed:
        yield from denials
        return
    place, changes = _LACKING[story.decision.reason]
    yield from changes(story, principal, authority)
    if grantable and not principal.is_root:
        operation = story.action.rpartition(":")[2]
        yield f"Create a grant of {operation} on the key for {_named(principal)}{_beside(principal, authority)}."
    yield from _near(story, place)


def _denials(story: Story) -> Iterator[str]:
    for policy in story.policies:
        for statement in policy.matched(allows=False):
            yield (
                f"Change {statement.label!r} of the {_called(policy.place, policy.name)}, so that it does not apply "
                "to this request: a Deny wins over every Allow."
            )


def _resource(story: Story, principal: Principal, authority: Authority | None) -> Iterator[str]:
    title = authority.title if authority else "resource's policy"
    yield f"Add an Allow for {story.action} to the {title} that names {_named(principal)}{_beside(principal, authority)}."
    if not principal.is_root:
        yield (
            f"Add one that names account {principal.account}, and an Allow for {story.action} on {story.resource} to "
            f"an identity policy of {_owner(principal)}."
        )


def _identity(story: Story, principal: Principal, authority: Authority | None) -> Iterator[str]:
    yield f"Add an Allow for {story.action} on {story.resource} to an identity policy of {_owner(principal)}."
    yield from _by_name(_named(principal), principal, authority)


def _boundary(story: Story, principal: Principal, authority: Authority | None) -> Iterator[str]:
    boundary = principal.boundary.name if principal.boundary else ""
    yield f"Add an Allow for {story.action} on {story.resource} to the permissions boundary {boundary}."
    yield from _by_name(principal.arn, principal, authority)


def _session(story: Story, principal: Principal, authority: Authority | None) -> Iterator[str]:
    yield (
        f"Begin a session with a session policy that allows {story.action} on {story.resource}, or without session "
        "policies."
    )
    yield from _by_name(principal.arn, principal, authority)


_Changes = Callable[[Story, Principal, Authority | None], Iterator[str]]
_LACKING: dict[Reason, tuple[Place, _Changes]] = {
    Reason.NO_RESOURCE_POLICY: (Place.RESOURCE, _resource),
    Reason.NO_IDENTITY: (Place.IDENTITY, _identity),
    Reason.NO_BOUNDARY: (Place.BOUNDARY, _boundary),
    Reason.NO_SESSION: (Place.SESSION, _session),
}


def _by_name(name: str, principal: Principal, authority: Authority | None) -> Iterator[str]:
    """Within an account, the policy of the resource may do without the others."""
    if authority is not None and authority.account == principal.account:
        yield f"Name {name} in an Allow of the {authority.title}."


def _beside(principal: Principal, authority: Authority | None) -> str:
    if authority is None or authority.account == principal.account:
        return ""
    return f", and an Allow to an identity policy of {_owner(principal)}, since the account is another"


def _near(story: Story, place: Place) -> Iterator[str]:
    """What would allow the request but for one element."""
    for policy in story.at(place):
        for statement in policy.statements:
            if statement.allows and len(statement.mismatches) == 1:
                name = _called(place, policy.name)
                yield f"Only one element of {statement.label!r} of the {name} does not fit: {statement.mismatches[0].words}."
    for grant in story.grants:
        if len(grant.mismatches) == 1:
            yield f"Only one element of grant {grant.grant_id} does not fit: {grant.mismatches[0].words}."


def _called(place: Place, name: str) -> str:
    """A policy whose name does not tell what it is, with what it is."""
    return f"{place} {name}" if name.startswith("arn:") else name


def _owner(principal: Principal) -> str:
    """Whose identity policies decide."""
    issuer = principal.session.issuer if principal.session else None
    if issuer is not None and issuer.name is not None:
        return f"{_KINDS[issuer.kind]} {issuer.name}"
    return f"user {principal.user_name}" if principal.user_name else principal.arn


def _named(principal: Principal) -> str:
    """Whom to name in a policy: the role rather than one of its sessions."""
    issuer = principal.session.issuer if principal.session else None
    return issuer.arn if issuer is not None and issuer.kind == "Role" else principal.arn
