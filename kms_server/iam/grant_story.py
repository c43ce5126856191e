"""Why a grant does not allow a request, in words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kms_server.iam.mismatch import Mismatch, Question, enumerated

# What these do involves no encryption context; a child grant's own is held against that of the other.
_WITHOUT_CONTEXT = frozenset({"kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"})


class Grantee(Protocol):
    """Whom a grant is for."""

    @property
    def name(self) -> str:
        """The name that was given: an ARN, or that of a service."""

    @property
    def key(self) -> str:
        """By what callers are matched."""


class Granted(Protocol):
    """A grant, as the key has it."""

    @property
    def grant_id(self) -> str:
        """Its id."""

    @property
    def name(self) -> str | None:
        """Its name."""

    @property
    def grantee(self) -> Grantee:
        """Whom it is for."""

    @property
    def operations(self) -> tuple[str, ...]:
        """What it allows, without `kms:`."""

    @property
    def constraints(self) -> Mapping[str, object]:
        """AWS's GrantConstraints."""


@dataclass(frozen=True, slots=True)
class GrantStory:
    """One grant on the key, and all that keeps it from allowing the request; nothing when it does allow it."""

    grant_id: str
    name: str | None
    grantee: str
    operations: tuple[str, ...]
    mismatches: tuple[Mismatch, ...]

    @property
    def matched(self) -> bool:
        """Whether the grant allows the request."""
        return not self.mismatches


@dataclass(frozen=True, slots=True)
class Known:
    """What an explanation knows beside what policies are asked.

    `grantable` is whether grants can allow the action. `grants` are those on the key that are told of, `untold` counts the others. `makers` are the ids of those by which
    the grant that is asked for may be made, None where none is asked for. `shown` has the ARNs for the unique ids of
    stored policies.
    """

    grantable: bool = False
    grants: Sequence[Granted] = ()
    untold: int = 0
    makers: frozenset[str] | None = None
    encryption_context: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)


def grant_stories(known: Known, question: Question) -> tuple[GrantStory, ...]:
    """What became of each grant."""
    return tuple(
        GrantStory(
            grant.grant_id, grant.name, grant.grantee.name, grant.operations,
            tuple(_mismatches(grant, question, known)),
        )
        for grant in known.grants
    )  # fmt: skip


def _mismatches(grant: Granted, question: Question, known: Known) -> Iterator[Mismatch]:
    if grant.grantee.key not in question.principal.names.all:
        yield Mismatch("GranteePrincipal", f"is for {_grantee(grant)}, the caller is {question.caller}")
    if question.action.removeprefix("kms:") not in grant.operations:
        yield Mismatch(
            "Operations",
            f"does not speak of {question.action}: Operations are {enumerated(grant.operations)}",
        )
    for name, wanted in grant.constraints.items():
        for words in _CONSTRAINTS[name](wanted, question, known.encryption_context):
            yield Mismatch(name, f"{name} {words}")
    if known.makers is not None and "CreateGrant" in grant.operations and grant.grant_id not in known.makers:
        yield Mismatch(
            "Operations",
            "allows only grants that have no operations but its own and are bound at least as it is",
        )


def _grantee(grant: Granted) -> str:
    """A grantee by name, and by key where the name may be another's by now."""
    name, key = grant.grantee.name, grant.grantee.key
    return name if key == name else f"{name} ({key})"


def _source(wanted: Any, question: Question, _given: Mapping[str, str]) -> Iterator[str]:  # noqa: ANN401 - JSON
    given = question.context.values("aws:sourcearn")
    if wanted not in given:
        yield f"{wanted}: the request has {enumerated(given) if given else 'none'}"


def _subset(wanted: Any, question: Question, given: Mapping[str, str]) -> Iterator[str]:  # noqa: ANN401 - JSON
    if question.action in _WITHOUT_CONTEXT:
        return
    for key, value in wanted.items():
        if key not in given:
            yield f"{key}={value}: the request's encryption context has no {key}"
        elif given[key] != value:
            yield f"{key}={value}: the request's encryption context has {key}={given[key]}"


def _equals(wanted: Any, question: Question, given: Mapping[str, str]) -> Iterator[str]:  # noqa: ANN401 - JSON
    yield from _subset(wanted, question, given)
    if question.action not in _WITHOUT_CONTEXT:
        for key in given.keys() - wanted.keys():
            yield f"has no {key}: the request's encryption context has {key}={given[key]}"


_CONSTRAINTS: dict[str, Callable[[Any, Question, Mapping[str, str]], Iterator[str]]] = {
    "EncryptionContextEquals": _equals,
    "EncryptionContextSubset": _subset,
    "SourceArn": _source,
}
