"""Compiled policies: what the evaluator asks of them."""

from dataclasses import dataclass, field
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


class Covering(NamedTuple):
    """The statements of a policy that speak of one action, by their effect."""

    denying: tuple[Statement, ...]
    allowing: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy ready to be evaluated; `text` is the document, for those who explain it."""

    statements: tuple[Statement, ...]
    text: str = field(default="", repr=False, compare=False)
    _by_action: dict[str, Covering] = field(default_factory=dict, repr=False, compare=False)

    def covering(self, action: str) -> Covering:
        """The statements that speak of `action`.

        Worked out once per action. Actions come from the operation table, never from a client, which bounds what is
        kept.
        """
        found = self._by_action.get(action)
        if found is None:
            about = [one for one in self.statements if one.actions.match(action)]
            denying = tuple(one for one in about if not one.allows)
            found = self._by_action[action] = Covering(denying, tuple(one for one in about if one.allows))
        return found

    def apart(self) -> "CompiledPolicy":
        """The same policy for actions that a client names: what it works out is forgotten with it."""
        return CompiledPolicy(self.statements, self.text)
