"""One call on its way: who asks, for what, and what its audit record will say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, TypeAlias

from msgspec import Struct
from sqlalchemy import Connection

from kms_server.audit.ledger import Ledger
from kms_server.audit.places import Source
from kms_server.audit.record import Echo
from kms_server.audit.signing import SigningKeys
from kms_server.clock import Clock
from kms_server.config import Limits
from kms_server.errors import ServiceError
from kms_server.iam.context import Context
from kms_server.iam.principal import Principal
from kms_server.keyring.keyring import Keyring
from kms_server.keyring.material_pool import MaterialPool
from kms_server.keyring.token_key import TokenKey
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys.grants import Grant
from kms_server.keys.key import KmsKey
from kms_server.keys.states import StateRule
from kms_server.protocol.message import Request, Response
from kms_server.quotas.limiter import Limiter, Pending
from kms_server.quotas.plans import Count, Plan
from kms_server.root_keys.ring import RootKeys
from kms_server.schemas.base import RequestSchema, ResponseSchema
from kms_server.storage.database import Database, Transaction
from kms_server.storage.trails import Trail

Answer = Mapping[str, Any] | None

# The values of a condition key. Of a name that ends in a part of the policy's choice, such as `aws:RequestTag/`, that
# part comes along in lower case; else it is empty.
Condition = Callable[["Subject", str], Sequence[str]]
Conditions = Mapping[str, Condition]


def by_lookup(conditions: Conditions) -> Conditions:
    """Conditions by their names in lower case, as policies look for them."""
    return {name.lower(): condition for name, condition in conditions.items()}


# Refuses a trail whose bucket could not be written to, by CloudTrail's errors; called outside of transactions.
BucketCheck: TypeAlias = Callable[[Trail], None]


def any_bucket(_trail: Trail) -> None:
    """Refuse no trail."""


class Plane(Enum):
    """What a call costs: DATA runs on warm keys alone, READ queries, WRITE holds a transaction."""

    DATA = "data"
    READ = "read"
    WRITE = "write"


class Countable(Protocol):
    """What says what a call counts as, of one that is made or of one in the log.

    `document` has the request members as they were sent.
    """

    @property
    def operation(self) -> "Operation": ...  # noqa: D102 - its name says it
    @property
    def account(self) -> str: ...  # noqa: D102
    @property
    def region(self) -> str: ...  # noqa: D102
    @property
    def document(self) -> Mapping[str, Any]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Operation:
    """All that is true of one operation; dispatch, limits, audit and documents derive from it.

    `shared_quota`: it counts against the quota of the key's spec, else against its own; `counts` tells what it counts as
    where that is not one call, judged by the document as it was sent. `logged` lists the request members that the record keeps, `answers` the response members; both are allow-lists. `action` is the IAM action;
    `conditions` are the condition keys that its policies can ask for, beside the global ones. `prepare` is what takes
    long before a WRITE operation's transaction, and leaves its result in `Call.prepared`; `cross_account` lets it take
    another account's key; an `unsigned` one tells from its members who calls; `records_as_read`, whether the record
    says readOnly, follows the plane unless `read_only` is declared. `is_data` marks what CloudTrail calls a data event.
    Injected faults leave alone what is not `injectable`.
    """

    name: str
    handler: "Callable[[Call], Answer]"
    request: type[RequestSchema]
    response: type[ResponseSchema] | None
    plane: Plane
    summary: str
    logged: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    errors: tuple[type[ServiceError], ...] = ()
    rule: StateRule | None = None
    usage: str | None = None
    aliases_allowed: bool = False
    cross_account: bool = False
    shared_quota: bool = False
    read_only: bool | None = None
    is_data: bool = False
    injectable: bool = True
    service: str = "kms"
    unsigned: bool = False
    prepare: "Callable[[Call], None] | None" = None
    counts: Callable[[Countable], tuple[Count, ...]] | None = None
    conditions: Conditions = field(default_factory=dict, repr=False)
    action: str = field(init=False)
    lookup: Conditions = field(init=False, repr=False)
    records_as_read: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "action", f"{self.service}:{self.name}")
        object.__setattr__(self, "lookup", by_lookup(self.conditions))
        read = self.plane is not Plane.WRITE if self.read_only is None else self.read_only
        object.__setattr__(self, "records_as_read", read)


@dataclass(frozen=True, slots=True)
class Services:
    """What operations work with; made once per process. With `dev` anybody is some account's root.

    With `holds_increases` the operator decides about requests for quota increases.

    `heads` tells of each chain of the audit log the number of its newest row.
    """

    database: Database
    keyring: Keyring
    root_key: RootKeys
    token_key: TokenKey
    clock: Clock
    limiter: Limiter
    material: MaterialPool
    limits: Limits
    audit_sources: Callable[[], list[Source]]
    ledger: Ledger
    signing_keys: SigningKeys
    heads: Callable[[], Mapping[str, int]]
    dev: bool
    holds_increases: bool
    bucket_check: BucketCheck = any_bucket


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A service, such as `s3`, that makes a call with the session of its own caller, on behalf of a resource."""

    service: str
    region: str
    source_arn: str | None = None
    source_account: str | None = None


class Settled(Struct, eq=False):
    """What is known of a caller's calls of an operation on a key, whatever else they say, until anything changes.

    `resources` are those of their records, `plan` is what limits take from each, once that is known, and `fits` whether
    the key was found to be in a state for the operation.
    """

    principal: Principal
    usable: UsableKey
    resources: tuple[tuple[str, str], ...]
    plan: Plan | None = None
    fits: bool = False


class Call(Struct, eq=False):
    """One authenticated call; `time` is the service's epoch seconds, `region` the one it was signed for.

    `sigv4` tells that the caller signed with Signature Version 4; S3 alone takes anything else.

    When it has run it has an `answer` or a `fault`, and then a `response`. `forwarded` is None for calls that clients make
    themselves. `owner` is the account of what is used where its ARN names none; the record of an anonymous call goes to that
    account's log.

    `recorded` tells that its record was committed or is being written, `charged` that it was counted, `pending` that it
    is not known yet whether its limits let it pass. `decided_on` is the stamp of the state that it is decided on, where
    other hosts may have changed that since. `settled` is what was known before of the key that it uses, or the last of
    these.

    The record shows `logged_extra` and `answered_extra` beside the members that the operation lists, and `additional`
    as additionalEventData; `echoes` have records of their own. Of a call that was refused before its request was loaded
    `parameters` are those that the record shows, as they were sent. `conditions` are the condition keys that the
    operation itself knows, for whom they matter.
    """

    operation: Operation
    services: Services
    principal: Principal
    region: str
    request: Request
    request_id: str
    event_id: str
    time: float
    may_block: bool
    document: Mapping[str, Any]
    forwarded: Forwarded | None = None
    sigv4: bool = True
    decided_on: int | None = None
    parameters: Mapping[str, Any] = {}
    owner: str = ""
    prepared: bytes = b""
    tx: Transaction | None = None
    recorded: bool = False
    charged: bool = False
    pending: Pending | None = None
    answer: Answer = None
    fault: ServiceError | None = None
    response: Response | None = None
    settled: Settled | None = None
    resources: tuple[tuple[str, str], ...] = ()
    additional: Mapping[str, Any] | None = None
    logged_extra: Mapping[str, Any] | None = None
    answered_extra: Mapping[str, Any] | None = None
    echoes: tuple[Echo, ...] = ()
    conditions: Context | None = None

    def __repr__(self) -> str:
        """Which call it is, and nothing that it carries."""
        return f"<Call of {self.operation.action} {self.request_id}>"

    @property
    def account(self) -> str:
        """The caller's account."""
        return self.principal.account

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - request members have many types
        """A request member, or `default` when it was not sent."""
        return self.parameters.get(name, default)

    @property
    def writing(self) -> Transaction:
        """The transaction of a WRITE operation."""
        if self.tx is None:
            raise AssertionError(f"{self.operation.name} is not declared as a writing operation")
        return self.tx

    @property
    def connection(self) -> Connection:
        """The connection of a WRITE operation's transaction."""
        return self.writing.connection

    def touches(self, kind: str, arn: str) -> None:
        """Name a resource in the audit record."""
        if (kind, arn) not in self.resources:
            self.resources += ((kind, arn),)


# The two permissions of ReEncrypt, and what the members of each side begin with.
_SIDES = {"kms:ReEncryptFrom": "Source", "kms:ReEncryptTo": "Destination"}


@dataclass(slots=True)
class Subject:
    """What policies judge: an action of a call on a key or on something else.

    `usable` is the key. `planned` is a key that does not exist yet, `tags` are those of what is no existing key.
    `grant` is the one that the call is about.
    """

    call: Call
    usable: UsableKey | None = None
    action: str = ""
    planned: KmsKey | None = None
    tags: Mapping[str, str] | None = None
    grant: Grant | None = None

    @property
    def key(self) -> KmsKey | None:
        """The key, existing or planned."""
        return self.usable.key if self.usable else self.planned

    @property
    def resource_tags(self) -> Mapping[str, str]:
        """The tags of what is asked for."""
        if self.tags is not None:
            return self.tags
        return self.usable.labels().tags if self.usable else {}

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - request members have many types
        """A request member, of the side that is judged where the request has two."""
        return self.call.get(_SIDES.get(self.action, "") + name, default)
