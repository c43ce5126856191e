"""Why a grant does not allow a request, in words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kms_server.iam.mismatch import Mismatch, Question, enumerated

# What DescribeKey and RetireGrant do involves no encryption context.
_WITHOUT_CONTEXT = frozenset({"kms:DescribeKey", "kms:RetireGrant"})


class Grantee(Protocol):
    """Whom a grant is for: an ARN, a unique id, or the name of a service."""

    @property
    def name(self) -> str:
        """The one name."""


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


def grant_stories(
    grants: Sequence[Granted], question: Question, encryption_context: Mapping[str, str]
) -> tuple[GrantStory, ...]:
    """What became of each grant."""
    return tuple(
        GrantStory(
            grant.grant_id, grant.name, question.names([grant.grantee.name]), grant.operations,
            tuple(_mismatches(grant, question, encryption_context)),
        )
        for grant in grants
    )  # fmt: skip


def _mismatches(grant: Granted, question: Question, given: Mapping[str, str]) -> Iterator[Mismatch]:
    if grant.grantee.name not in question.principal.names.all:
        grantee = question.names([grant.grantee.name])
        yield Mismatch("GranteePrincipal", f"is for {grantee}, the caller is {question.caller}")
    if question.action.removeprefix("kms:") not in grant.operations:
        yield Mismatch(
            "Operations",
            f"does not speak of {question.action}: Operations are {enumerated(grant.operations)}",
        )
    for name, wanted in grant.constraints.items():
        for words in _CONSTRAINTS[name](wanted, question, given):
            yield Mismatch(name, f"{name} {words}")


def _source(wanted: Any, question: Question, _given: Mapping[str, str]) -> Iterator[str]:  # noqa: ANN401 - JSON
    given = question.context.values("aws:sourcearn")
    if wanted not in given and question.action != "kms:RetireGrant":
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
