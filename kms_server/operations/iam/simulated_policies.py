"""The policies of a simulation: those that a user, role or group has, and those that a request brings along."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.iam.patterns import fits, wild
from kms_server.iam.policy import compile_identity_policy, compile_key_policy
from kms_server.iam.simulation import Source
from kms_server.iam.statement import CompiledPolicy
from kms_server.storage import attachments, inline_policies, managed_policies, memberships
from kms_server.storage.identities import Identity, Kind

_OF_AWS = "arn:aws:iam::aws:"
_AWS_MANAGED, _USER_MANAGED = "aws-managed", "user-managed"
_BOUNDARY = "permission-boundary"


class _Attached(NamedTuple):
    """An inline policy of an identity, or a managed policy by its ARN."""

    owner: Identity
    name: str
    arn: str | None
    text: str

    @property
    def kind(self) -> str:
        return self.owner.kind.value if self.arn is None else managed_kind(self.arn)

    def source(self) -> Source:
        title = f"{self.owner.kind}_{self.owner.name}_{self.name}" if self.arn is None else self.name
        return Source.of(title, self.kind, compile_identity_policy(self.text))


def managed_kind(arn: str) -> str:
    """Whose a managed policy is."""
    return _AWS_MANAGED if arn.startswith(_OF_AWS) else _USER_MANAGED


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Policies that are left out: by their kind, by patterns of their ARNs, or as kind and name of an owner and name."""

    kinds: frozenset[str]
    arns: tuple[str, ...]
    inline: frozenset[tuple[str, str, str]]

    @classmethod
    def of(cls, identifiers: Sequence[Mapping[str, Any]]) -> "Exclusions":
        """The exclusions of a PolicyExclusionList.

        Raises:
            InvalidInputException: one says nothing or too much, or has wildcards where none can be.
        """
        if any(len(one) != 1 for one in identifiers):
            raise e.InvalidInputException(
                "A policy identifier has exactly one of PolicyType, PolicyArn and InlinePolicyIdentifier."
            )
        arns = [one["PolicyArn"] for one in identifiers if "PolicyArn" in one]
        for arn in arns:
            before, _, name = arn.rpartition("/")
            if not {"*", "?"}.isdisjoint(before) or name.count("*") > 1:
                raise e.InvalidInputException(f"{arn} has wildcards where none can be.")
        inline = [one["InlinePolicyIdentifier"] for one in identifiers if "InlinePolicyIdentifier" in one]
        return cls(
            frozenset(one["PolicyType"] for one in identifiers if "PolicyType" in one),
            tuple(map(wild, arns)),
            frozenset((one["AttachmentType"], one["AttachmentName"], one["PolicyName"]) for one in inline),
        )

    def cover(self, policy: _Attached) -> bool:
        """Whether an attached policy is left out."""
        if policy.arn is not None:
            arn = policy.arn
            return policy.kind in self.kinds or any(fits(pattern, arn) for pattern in self.arns)
        return "inline" in self.kinds or (policy.owner.kind, policy.owner.name, policy.name) in self.inline


def attached(connection: Connection, identity: Identity, excluded: Exclusions) -> list[Source]:
    """The policies of an identity, of its groups too."""
    return [one.source() for one in _attached(connection, identity) if not excluded.cover(one)]


def boundary_of(connection: Connection, identity: Identity, excluded: Exclusions) -> Source | None:
    """The permissions boundary of an identity."""
    if identity.boundary is None or _BOUNDARY in excluded.kinds:
        return None
    text = managed_policies.document(connection, identity.boundary)
    assert text is not None  # noqa: S101 - a foreign key holds it
    name = identity.boundary.rpartition("/")[2]
    return Source.of(name, managed_kind(identity.boundary), compile_identity_policy(text))


def given(texts: Sequence[str], member: str) -> list[Source]:
    """Policies of the request.

    Raises:
        InvalidInputException: one of them is none.
    """
    return [
        Source.of(f"{member}.{place}", "none", _compiled(compile_identity_policy.__wrapped__, text, member))
        for place, text in enumerate(texts, 1)
    ]


def resource_policy(text: str) -> Source:
    """The resource policy of the request.

    Raises:
        InvalidInputException: it is none.
    """
    return Source.of(
        "ResourcePolicy", "resource", _compiled(compile_key_policy.__wrapped__, text, "ResourcePolicy")
    )


def _compiled(compile_policy: Callable[[str], CompiledPolicy], text: str, member: str) -> CompiledPolicy:
    try:
        return compile_policy(text)
    except (e.MalformedPolicyDocumentException, e.LimitExceededException) as error:
        raise e.InvalidInputException(f"{member}: {error.message}") from None


def _attached(connection: Connection, identity: Identity) -> Iterator[_Attached]:
    groups = memberships.groups_of(connection, identity) if identity.kind is Kind.USER else []
    for owner in (identity, *groups):
        for name, text in inline_policies.of_owner(connection, owner).items():
            yield _Attached(owner, name, None, text)
        for one in attachments.of_owner(connection, owner):
            yield _Attached(owner, one.name, one.arn, one.document)
