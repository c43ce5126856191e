"""Compiled policies: what the evaluator asks of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from kms_server.iam.conditions import Condition
from kms_server.iam.context import Context
from kms_server.iam.names import Names
from kms_server.iam.patterns import Actions
from kms_server.iam.resources import Resources


@dataclass(frozen=True, slots=True)
class Statement:
    """One compiled statement; `label` is its Sid, else its place. `principals` is empty in identity policies."""

    label: str
    allows: bool
    principals: frozenset[str]
    principals_inverted: bool
    actions: Actions
    resources: Resources
    conditions: tuple[Condition, ...]

    def fits(self, resource: str, context: Context) -> bool:
        """Whether the statement covers the resource and its conditions hold."""
        if not self.resources.match(resource, context):
            return False
        for condition in self.conditions:  # noqa: SIM110 - this runs at every call, and a generator would cost more
            if not condition.holds(context):
                return False
        return True

    def speaks_of(self, names: Names) -> bool:
        """Whether the statement is about the caller: all of an identity policy are."""
        if self.principals_inverted:
            return not self.exempts(names)
        return not self.principals or "*" in self.principals or not names.all.isdisjoint(self.principals)

    def exempts(self, names: Names) -> bool:
        """Whether NotPrincipal leaves the caller out.

        AWS "NotPrincipal": all by which it can be named must be listed: the session, its role or user, and the account;
        one of them alone exempts nobody.
        """
        listed = self.principals
        return "*" in listed or all(
            not same.isdisjoint(listed) for same in (names.own, names.role, names.account) if same
        )


class Speaking(NamedTuple):
    """Statements of one effect on one action, by whom they speak of; `anyone` has those with `*` and NotPrincipal."""

    anyone: tuple[Statement, ...]
    named: dict[str, tuple[Statement, ...]]

    def of(self, names: Names) -> Iterator[Statement]:
        """The statements that speak of a caller."""
        for statement in self.anyone:
            if not (statement.principals_inverted and statement.exempts(names)):
                yield statement
        if self.named:
            for name in names.all:
                yield from self.named.get(name, ())


class Covering(NamedTuple):
    """The statements of a policy that speak of one action."""

    denying: Speaking
    allowing: Speaking

    def depends(self, names: Names) -> bool:
        """Whether what they say about a caller depends on the request's context."""
        return any(
            one.conditions or one.resources.has_variables
            for one in chain(self.denying.of(names), self.allowing.of(names))
        )


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy ready to be evaluated; `text` is the document, for those who explain it."""

    statements: tuple[Statement, ...]
    text: str = field(default="", repr=False, compare=False)
    _by_action: dict[str, Covering] = field(default_factory=dict, repr=False, compare=False)

    def covering(self, action: str) -> Covering:
        """The statements that speak of `action`.

        Worked out once per action, so that a call pays neither for statements about other actions nor for those about
        other callers. Actions come from the operation table, never from a client, which bounds what is kept.
        """
        found = self._by_action.get(action)
        if found is None:
            about = [one for one in self.statements if one.actions.match(action)]
            denying = _speaking([one for one in about if not one.allows])
            found = Covering(denying, _speaking([one for one in about if one.allows]))
            self._by_action[action] = found
        return found

    def apart(self) -> "CompiledPolicy":
        """The same policy for actions that a client names: what it works out is forgotten with it."""
        return CompiledPolicy(self.statements, self.text)


def _speaking(statements: list[Statement]) -> Speaking:
    named: dict[str, tuple[Statement, ...]] = {}
    anyone = []
    for statement in statements:
        if statement.principals_inverted or "*" in statement.principals or not statement.principals:
            anyone.append(statement)
            continue
        for name in statement.principals:
            named[name] = (*named.get(name, ()), statement)
    return Speaking(tuple(anyone), named)
