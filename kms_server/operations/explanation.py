"""The story of a call that somebody could make, told as the call itself would be judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from sqlalchemy import Connection

from kms_server.arn import Arn
from kms_server.errors import OperatorError, ServiceError
from kms_server.iam.authority import Authority
from kms_server.iam.context import NOTHING, FixedContext
from kms_server.iam.explain import explain
from kms_server.iam.grant_story import Known
from kms_server.iam.principal import Principal
from kms_server.iam.statement import CompiledPolicy
from kms_server.iam.story import Story
from kms_server.keyring import callers, principals
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys.grants import OPERATIONS as OF_GRANTS
from kms_server.keys.identifiers import parse_key_identifier
from kms_server.operations.call import Call, Forwarded, Operation, Services
from kms_server.operations.context import CallContext
from kms_server.operations.grant_lookup import GrantLookup
from kms_server.operations.iam import common as iam_common
from kms_server.operations.registry import OPERATIONS
from kms_server.operations.sts import assume_role
from kms_server.operations.trails.common import tags_of
from kms_server.protocol.message import Request
from kms_server.storage import aliases, grants, identities
from kms_server.storage.identities import Kind

# Permissions that no operation is named after, and whose they are.
_PARTS = {
    "kms:ReEncryptFrom": "kms:ReEncrypt", "kms:ReEncryptTo": "kms:ReEncrypt", "sts:TagSession": "sts:AssumeRole",
    "sts:SetSourceIdentity": "sts:AssumeRole",
}  # fmt: skip
_ASSUMING = frozenset({"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"})
# What only a request that was made can tell of itself.
_OF_A_REQUEST = frozenset({"aws:sourceip", "aws:securetransport", "aws:useragent", "aws:referer"})
_OTHERS = 20
_CONTEXTS = ("EncryptionContext", "SourceEncryptionContext", "DestinationEncryptionContext")


@dataclass(frozen=True, slots=True)
class Question:
    """Whether somebody may do something.

    `key` is any identifier of a KMS key; where it is None, `resource` is the ARN of what is asked for, such as a role. `given` are
    condition keys that replace what the call would have, `parameters` the members of the request. `request` is None
    for a request that nobody made. `forwarded` tells which service asked for the caller.
    """

    principal: Principal
    action: str
    region: str
    time: float
    key: str | None = None
    resource: str = "*"
    given: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)
    encryption_context: Mapping[str, str] = field(default_factory=dict)
    request: Request | None = None
    forwarded: Forwarded | None = None


def find_action(name: str) -> str:
    """An action of this service by its name in any case.

    Raises:
        OperatorError: there is none, or no policy decides about it.
    """
    if name.lower() == "kms:retiregrant":
        raise OperatorError(
            "kms:RetireGrant is a matter of each grant: of its retiring principal, of its grantee where it says so, and "
            "of identity policies in the account that issued it"
        )
    known = {action.lower(): action for action in (*_PARTS, *(one.action for one in OPERATIONS))}
    if name.lower() not in known:
        raise OperatorError(f"{name} is no action of this service: write one such as kms:Decrypt")
    return known[name.lower()]


def find_caller(services: Services, arn: str, now: float) -> Principal:
    """The caller of that ARN.

    Raises:
        OperatorError: there is nobody.
    """
    with services.database.read() as connection:
        found = callers.caller(connection, arn, now)
    if found is None:
        raise OperatorError(f"there is no {arn}: see `kms-server identity list`")
    return found


def tell(services: Services, question: Question) -> Story:
    """The story.

    Raises:
        OperatorError: there is no such key or role.
    """
    call = _call(services, question)
    if question.key is None:
        return _without_key(services, question, call)
    with services.database.read() as connection:
        usable = _find(services, connection, question)
        context = _context(question, call, usable)
        lookup = GrantLookup(usable.key, context, connection)
        known = _known(connection, usable, question, lookup)
        return explain(
            question.principal, question.action, usable.authority, context, grants=lookup, known=known
        )


def _without_key(services: Services, question: Question, call: Call) -> Story:
    principal, action, resource = question.principal, question.action, question.resource
    if action not in _ASSUMING:
        with services.database.read() as connection:
            if call.operation.service == "iam":
                iam_common.set_conditions(call, connection, resource)
            context = _context(question, call)
            if call.operation.service == "cloudtrail":
                context.tags = tags_of(connection, resource)
            return explain(principal, action, resource, context)
    with services.database.read() as connection:
        role = principals.load(connection, identities.named(connection, resource) or "")
        if role is None or role.identity.kind is not Kind.ROLE:
            raise OperatorError(f"there is no role {resource}: give its ARN by --resource")
        authority = assume_role.trust(role)
        known = Known(shown=_shown(connection, authority))
    assume_role.set_conditions(call, role)
    return explain(principal, action, authority, _context(question, call), known=known)


def _known(connection: Connection, usable: UsableKey, question: Question, lookup: GrantLookup) -> Known:
    """What is told beside the policies: the caller's grants on the key, and a few of others."""
    names, key = question.principal.names.all, usable.key
    most = grants.count(connection, key)
    told = grants.page_of_key(connection, key, "", most, grant_id=None, grantees=names)
    others = grants.page_of_key(connection, key, "", len(told) + _OTHERS, grant_id=None, grantees=None)
    told += [one for one in others if one.grantee.key not in names][:_OTHERS]
    makers = None
    if question.action == "kms:CreateGrant":
        makers = frozenset(chain.from_iterable(map(lookup.makers, names)))
    return Known(
        question.action.rpartition(":")[2] in OF_GRANTS, told, most - len(told), makers, question.encryption_context,
        _shown(connection, usable.authority),
    )  # fmt: skip


@dataclass(slots=True)
class _Context(CallContext):
    """The condition keys of a call, with those over them that are given, and without those that nobody can know."""

    given: FixedContext = NOTHING
    unknown: frozenset[str] = frozenset()

    def values(self, key: str) -> Sequence[str]:
        """The values of a condition key, by its name in lower case."""
        given = self.given.values(key)
        return given if given or key in self.unknown else CallContext.values(self, key)


def _context(question: Question, call: Call, usable: UsableKey | None = None) -> _Context:
    return _Context(
        call, usable, question.action, given=FixedContext(question.given),
        unknown=_OF_A_REQUEST if question.request is None else frozenset(),
    )  # fmt: skip


def _call(services: Services, question: Question) -> Call:
    """The call that is asked about, before it would run."""
    parameters = {name: question.encryption_context for name in _CONTEXTS if question.encryption_context}
    identifier = {} if question.key is None else {"KeyId": question.key}
    return Call(
        operation=_operation(question.action), services=services, principal=question.principal,
        region=question.region, request=question.request or Request("POST", "/", {}, b"", ""), request_id="",
        event_id="", time=question.time, may_block=True, document={}, forwarded=question.forwarded,
        parameters={**identifier, **parameters, **question.parameters},
    )  # fmt: skip


def _operation(action: str) -> Operation:
    wanted = _PARTS.get(action, action)
    return next(operation for operation in OPERATIONS if operation.action == wanted)


def _find(services: Services, connection: Connection, question: Question) -> UsableKey:
    """The key that is named, as a caller of the principal's account names it."""
    missing = OperatorError(f"there is no key {question.key} in {question.region}")
    identifier = question.key or ""
    try:
        reference = parse_key_identifier(
            identifier, region=question.region, account=question.principal.account, aliases_allowed=True
        )
    except ServiceError as error:
        raise OperatorError(error.message) from None
    key_id = reference.key_id
    if reference.alias_name is not None:
        alias = aliases.get(connection, reference.account, reference.region, reference.alias_name)
        key_id = alias.key_id if alias else None
    usable = services.keyring.load_key(connection, key_id, reference.region) if key_id else None
    if usable is None or usable.key.account != reference.account:
        raise missing
    return usable.at(question.time)


def region_of(identifier: str, default: str) -> str:
    """The Region of a key: that of its ARN, else the default."""
    parsed = Arn.parse(identifier)
    return parsed.region if parsed else default


def _shown(connection: Connection, authority: Authority) -> dict[str, str]:
    """The ARNs of the unique ids by which a key's policy names principals."""
    ids = _unique_ids(authority.policy)
    arns = identities.arns(connection, ids)
    return {one: arns.get(one, f"{one} (who no longer exists)") for one in ids}


def _unique_ids(policy: CompiledPolicy) -> set[str]:
    listed = {name for statement in policy.statements for name in statement.principals}
    return {name for name in listed if name.startswith(("AIDA", "AROA"))}
