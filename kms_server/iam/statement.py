"""Compiled policies: what the evaluator asks of them."""

from dataclasses import dataclass, field

from kms_server.iam.patterns import Patterns


@dataclass(frozen=True, slots=True)
class Statement:
    """One compiled statement; `principals` is empty in identity policies."""

    sid: str | None
    allows: bool
    principals: frozenset[str]
    principals_inverted: bool
    actions: Patterns
    resources: Patterns
    has_condition: bool


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy ready to be evaluated."""

    statements: tuple[Statement, ...]
    _by_action: dict[str, tuple[Statement, ...]] = field(default_factory=dict, repr=False, compare=False)

    def covering(self, action: str) -> tuple[Statement, ...]:
        """The statements that speak of `action`, denials first.

        Worked out once per action, so that a call does not pay for unrelated statements. Actions come from
        the operation table, never from a client, which bounds what is kept.
        """
        found = self._by_action.get(action)
        if found is None:
            covering = (one for one in self.statements if one.actions.match(action))
            found = self._by_action[action] = tuple(sorted(covering, key=lambda one: one.allows))
        return found
