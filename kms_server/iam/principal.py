"""Who makes a call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kms_server.arn import root_arn, user_arn
from kms_server.iam.statement import CompiledPolicy


@dataclass(frozen=True, slots=True)
class Principal:
    """The root of an account, a user, or the operator at the command line.

    `names` are the ARNs under which a key policy may name the principal: its own and its account's. `identity` is
    CloudTrail's userIdentity (CloudTrail "userIdentity element").
    """

    kind: str
    account: str
    arn: str
    unique_id: str
    access_key_id: str | None
    user_name: str | None = None
    policies: tuple[CompiledPolicy, ...] = ()
    names: frozenset[str] = field(init=False, repr=False, compare=False)
    identity: Mapping[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset({self.arn, root_arn(self.account)}))
        object.__setattr__(self, "identity", self._identity())

    @classmethod
    def root(cls, account: str, access_key_id: str) -> "Principal":
        """The root of an account."""
        return cls("Root", account, root_arn(account), account, access_key_id)

    @classmethod
    def user(
        cls, account: str, name: str, unique_id: str, access_key_id: str, policies: tuple[CompiledPolicy, ...]
    ) -> "Principal":
        """An IAM user."""
        return cls("IAMUser", account, user_arn(account, name), unique_id, access_key_id, name, policies)

    @classmethod
    def operator(cls, account: str) -> "Principal":
        """Whoever runs `kms-server` commands on the host; such changes are audited under this name."""
        return cls("Operator", account, "", "operator", None, "operator")

    @property
    def is_root(self) -> bool:
        """Whether this is an account's root."""
        return self.kind == "Root"

    @property
    def name(self) -> str:
        """What CloudTrail calls Username."""
        return self.user_name or "root"

    def _identity(self) -> dict[str, Any]:
        identity = {
            "type": self.kind,
            "principalId": self.unique_id,
            "arn": self.arn,
            "accountId": self.account,
            "accessKeyId": self.access_key_id,
            "userName": self.user_name,
        }
        return {name: value for name, value in identity.items() if value}
