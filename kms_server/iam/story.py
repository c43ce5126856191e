"""What an explanation tells: every policy and grant that was considered, the decision, and what would change it."""

from dataclasses import dataclass
from enum import StrEnum

from kms_server.iam.decision import Decision
from kms_server.iam.grant_story import GrantStory
from kms_server.iam.mismatch import Mismatch


class Place(StrEnum):
    """What a policy is to a request."""

    IDENTITY = "identity policy"
    RESOURCE = "resource policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"


@dataclass(frozen=True, slots=True)
class StatementStory:
    """One statement: what keeps it from applying, or, when it applies, the `note` of what that means."""

    label: str
    allows: bool
    mismatches: tuple[Mismatch, ...]
    note: str = ""

    @property
    def matched(self) -> bool:
        """Whether the statement applies to the request."""
        return not self.mismatches


@dataclass(frozen=True, slots=True)
class PolicyStory:
    """One policy and its statements, in their order."""

    place: Place
    name: str
    statements: tuple[StatementStory, ...]

    def matched(self, *, allows: bool) -> list[StatementStory]:
        """The statements of one effect that apply."""
        return [one for one in self.statements if one.matched and one.allows == allows]


@dataclass(frozen=True, slots=True)
class Story:
    """The whole of it; `principal` and `resource` are ARNs, and `advice` is empty where the request is allowed.

    `untold` counts grants on the key that are left out: they are for others.
    """

    principal: str
    action: str
    resource: str
    policies: tuple[PolicyStory, ...]
    grants: tuple[GrantStory, ...]
    untold: int
    decision: Decision
    advice: tuple[str, ...]

    def at(self, place: Place) -> list[PolicyStory]:
        """The policies of one kind."""
        return [one for one in self.policies if one.place is place]
