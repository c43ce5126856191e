"""Who makes a call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kms_server.arn import root_arn
from kms_server.clock import iso_seconds
from kms_server.iam.names import Names
from kms_server.iam.statement import CompiledPolicy

# Of users and sessions; the subjects of identity providers may be longer.
_LONGEST_NAME = 64
_SERVICE = "AWSService"


class AttachedPolicy(NamedTuple):
    """A policy that belongs to an identity or a session; `name` is what an explanation calls it."""

    name: str
    compiled: CompiledPolicy


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose temporary credentials a session uses (CloudTrail "sessionIssuer"); `kind` is Role, IAMUser or Root."""

    kind: str
    unique_id: str
    arn: str
    account: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """What temporary credentials add to a principal; times are epoch seconds.

    `issuer` is None where the session is the user's own (STS GetSessionToken). `policies` are session policies; None:
    there are none, and nothing is limited. `transitive` are the tags that go on to sessions of roles that are assumed from
    this one. `web_identity` has the condition keys of an OIDC token, such as `issuer:sub`. `documents` are the texts of the
    session policies, in their order.
    """

    created_at: float
    issuer: Issuer | None = None
    policies: tuple[AttachedPolicy, ...] | None = None
    source_identity: str | None = None
    web_identity: Mapping[str, str] | None = None
    transitive: Mapping[str, str] = field(default_factory=dict)
    documents: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Principal:
    """The root of an account, a user, the session of a role or of a federated user, a web identity, a service, or the operator.

    `kind` is CloudTrail's type of userIdentity. `unique_id` is its principalId: the account's id, `AIDA…`,
    `AROA…:session` or `account:name`. `tags` are those of the identity and, over them, of the session. `provider` is the
    ARN of the identity provider that vouches for a web identity, `source_arn` what a service acts for.
    """

    kind: str
    account: str
    arn: str
    unique_id: str
    access_key_id: str | None
    user_name: str | None = None
    policies: tuple[AttachedPolicy, ...] = ()
    boundary: AttachedPolicy | None = None
    session: Session | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    provider: str | None = None
    source_arn: str | None = None
    names: Names = field(init=False, repr=False, compare=False)
    identity: Mapping[str, Any] = field(init=False, repr=False, compare=False)
    arns: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        issuer = self.session.issuer if self.session else None
        # Its own, and the one of the role behind a session.
        arns = tuple(arn for arn in (self.arn, issuer.arn if issuer else "") if arn)
        object.__setattr__(self, "arns", arns)
        object.__setattr__(self, "names", self._names())
        object.__setattr__(self, "identity", self._identity())

    @classmethod
    def root(cls, account: str, access_key_id: str) -> "Principal":
        """The root of an account."""
        return cls("Root", account, root_arn(account), account, access_key_id)

    @classmethod
    def operator(cls, account: str) -> "Principal":
        """Whoever runs `kms-server` commands on the host; such changes are audited under this name."""
        return cls("Operator", account, "", "operator", None, "operator")

    @classmethod
    def web_identity(cls, account: str, provider: str, unique_id: str, subject: str) -> "Principal":
        """Whoever an identity provider's token speaks of, before it has assumed a role."""
        return cls("WebIdentityUser", account, "", unique_id, None, subject, provider=provider)

    @classmethod
    def service(cls, name: str, account: str, source_arn: str) -> "Principal":
        """A service such as cloudtrail.amazonaws.com that acts by itself, for a resource of an account."""
        return cls(_SERVICE, account, "", name, None, name, source_arn=source_arn)

    @property
    def is_root(self) -> bool:
        """Whether this is an account's root."""
        return self.kind == "Root"

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is known to call: such a caller belongs to no account."""
        return not self.account

    @property
    def is_service(self) -> bool:
        """Whether this is a service that acts by itself: it is of no account, whosever resource it acts for."""
        return self.kind == _SERVICE

    @property
    def has_identity(self) -> bool:
        """Whether there are identity policies that can say something of the caller."""
        return not (self.is_anonymous or self.is_service)

    @property
    def name(self) -> str:
        """What CloudTrail calls Username."""
        if self.session is not None and self.session.issuer is not None:
            return self.arn.rpartition("/")[2]
        return (self.user_name or "root")[:_LONGEST_NAME]

    def _names(self) -> Names:
        if self.is_service:
            return Names(frozenset({f"Service:{self.unique_id}"}), frozenset(), frozenset())
        account = frozenset({root_arn(self.account)})
        issuer = self.session.issuer if self.session else None
        behind = (
            frozenset({issuer.arn, issuer.unique_id}) if issuer and issuer.kind != "Root" else frozenset()
        )
        own = account if self.is_root else frozenset({self.arn, self.unique_id})
        if self.provider is not None:
            own = frozenset({f"Federated:{self.provider}"})
        return Names(own, behind, account)

    def _identity(self) -> dict[str, Any]:
        if self.is_anonymous:
            return {"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"}
        if self.is_service:
            return {"type": self.kind, "invokedBy": self.unique_id}
        identity: dict[str, Any] = {
            "type": self.kind,
            "principalId": self.unique_id,
            "arn": self.arn,
            "accountId": self.account,
            "accessKeyId": self.access_key_id,
            "userName": self.user_name,
            "identityProvider": self.provider,
        }
        if self.session is not None:
            identity["sessionContext"] = _session_context(self.session)
        return {name: value for name, value in identity.items() if value}


def _session_context(session: Session) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if session.issuer is not None:
        issuer = session.issuer
        shown = {
            "type": issuer.kind,
            "principalId": issuer.unique_id,
            "arn": issuer.arn,
            "accountId": issuer.account,
            "userName": issuer.name,
        }
        context["sessionIssuer"] = {name: value for name, value in shown.items() if value}
    if session.web_identity is not None:
        context["webIdFederationData"] = {"attributes": dict(session.web_identity)}
    if session.source_identity is not None:
        context["sourceIdentity"] = session.source_identity
    context["attributes"] = {"creationDate": iso_seconds(session.created_at), "mfaAuthenticated": "false"}
    return context


# Who calls what needs no signature, until something else tells.
NOBODY = Principal("Unknown", "", "", "", None)
