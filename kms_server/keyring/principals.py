"""From stored identities to principals: all that decides what a user or a role may do, as of one moment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from kms_server.iam.policy import compile_identity_policy
from kms_server.iam.principal import AttachedPolicy, Principal
from kms_server.storage import (
    attachments,
    identities,
    identity_tags,
    inline_policies,
    managed_policies,
    memberships,
)
from kms_server.storage.identities import Identity, Kind


@dataclass(frozen=True, slots=True)
class LoadedIdentity:
    """A user or a role, the policies that it has itself and by its groups, its permissions boundary and its tags."""

    identity: Identity
    policies: tuple[AttachedPolicy, ...]
    boundary: AttachedPolicy | None
    tags: Mapping[str, str]

    def user(self, access_key_id: str) -> Principal:
        """The user as the principal of calls that are signed with an access key."""
        one = self.identity
        return Principal(
            "IAMUser", one.account, one.arn, one.unique_id, access_key_id, one.name, self.policies, self.boundary,
            tags=self.tags,
        )  # fmt: skip


def load(connection: Connection, unique_id: str) -> LoadedIdentity | None:
    """The user or role of that unique id, or None."""
    one = identities.by_id(connection, unique_id)
    if one is None:
        return None
    groups = memberships.groups_of(connection, one) if one.kind is Kind.USER else []
    policies = tuple(policy for owner in (one, *groups) for policy in _policies(connection, owner))
    tags = identity_tags.of_owner(connection, unique_id)
    return LoadedIdentity(one, policies, _boundary(connection, one), tags)


def _policies(connection: Connection, owner: Identity) -> Iterator[AttachedPolicy]:
    for name, document in inline_policies.of_owner(connection, owner).items():
        title = f"inline policy {name} of {owner.kind} {owner.name}"
        yield AttachedPolicy(title, compile_identity_policy(document))
    for attached in attachments.of_owner(connection, owner):
        yield AttachedPolicy(attached.arn, compile_identity_policy(attached.document))


def _boundary(connection: Connection, one: Identity) -> AttachedPolicy | None:
    if one.boundary is None:
        return None
    document = managed_policies.document(connection, one.boundary)
    assert document is not None  # noqa: S101 - a foreign key holds it
    return AttachedPolicy(one.boundary, compile_identity_policy(document))
