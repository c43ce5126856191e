"""By what a policy or a grant may name a caller."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the caller itself, of the role or user whose session it is, and of its account.

    Each is its ARN and, where it has one, the unique id by which stored policies name it. Whose session is the root's
    goes by the account.
    """

    own: frozenset[str]
    role: frozenset[str]
    account: frozenset[str]
    all: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "all", self.own | self.role | self.account)
