"""From a key identifier to a key the caller may use: the one order of checks.

Resolve, authorize, charge, usage, state (facts of AWS's order: the identifier answers first, then policy,
then what the key is, then the state it is in).
"""

from collections.abc import Hashable

from kms_server.arn import alias_arn, key_arn
from kms_server.errors import (
    InvalidGrantTokenException,
    InvalidKeyUsageException,
    NotFoundException,
)
from kms_server.iam.denial import denied, not_visible
from kms_server.iam.evaluate import authorize
from kms_server.keyring import grant_token
from kms_server.keyring.cache import Findings, WouldBlock
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys.identifiers import PREDEFINED_ALIASES, KeyReference
from kms_server.operations import limits, managed_keys
from kms_server.operations.call import Call, Settled
from kms_server.operations.context import CallContext
from kms_server.operations.grant_lookup import GrantLookup
from kms_server.operations.guards import stop_dry_run
from kms_server.operations.named_keys import find_alias, parse

KEY = "AWS::KMS::Key"
ALIAS = "AWS::KMS::Alias"


def use_key(call: Call, identifier: str) -> UsableKey:
    """The key that `identifier` names, when the caller may perform the operation on it now.

    Raises:
        NotFoundException, InvalidArnException, AccessDeniedException, ThrottlingException,
        InvalidKeyUsageException, DisabledException, KMSInvalidStateException
    """
    usable = authorized_key(call, identifier)
    require_patience(call, usable)
    if call.operation.shared_quota:
        limits.charge(call, usable)
    require_fit(call, usable)
    return usable


def authorized_key(call: Call, identifier: str, *, action: str | None = None) -> UsableKey:
    """The key that `identifier` names, when a policy or a grant lets the caller perform the action on it."""
    usable = settled_key(call, identifier, action=action)
    if usable is None:
        findings = call.services.keyring.findings
        usable = find_key(call, identifier, action=action)
        allow(call, usable, action=action)
        settle(call, findings, identifier, usable, action=action)
    return usable


def settled_key(call: Call, identifier: Hashable, *, action: str | None = None) -> UsableKey | None:
    """The key, where it was decided before that the caller may perform the action on it whatever else a request says.

    `identifier` is what names it: a text of the caller's, or a ciphertext, which finds keys that no such text would.
    """
    place = (id(call.principal), identifier, call.region, call.operation.action, action)
    settled: Settled | None = call.services.keyring.findings.get(place)
    # Nobody else has the id of a caller who is kept beside it.
    if settled is None or call.tx is not None or settled.principal is not call.principal:
        return None
    if "GrantTokens" in call.parameters:
        _check_grant_tokens(call)
    if call.resources:
        call.touches(*settled.resources[0])
    else:
        call.resources = settled.resources
    call.settled = settled
    return settled.usable.at(call.time)


def settle(
    call: Call, findings: Findings, identifier: Hashable, usable: UsableKey, *, action: str | None = None
) -> None:
    """Remember that the caller may, unless that depends on the request or on grants."""
    plan = usable.authority.plan(call.principal, action or call.operation.action)
    if call.tx is None and plan.settled is not None and not plan.denials:
        place = (id(call.principal), identifier, call.region, call.operation.action, action)
        findings.keep(place, Settled(call.principal, usable, ((KEY, usable.authority.arn),)))


def find_key(call: Call, identifier: str, *, action: str | None = None) -> UsableKey:
    """The key that `identifier` names, before its policy has been asked.

    Another account's key is found only by operations that take one.
    """
    reference = parse(call, identifier)
    if reference.account != call.account and not call.operation.cross_account:
        raise not_visible(call.principal, action or call.operation.action)
    return _find(call, reference, action or call.operation.action)


def allow(call: Call, usable: UsableKey, *, action: str | None = None, from_ciphertext: bool = False) -> None:
    """Check the policies and grants of one key and name it in the record, unless that tells a stranger about it.

    Raises:
        AccessDeniedException: with AWS's text and the reason.
        InvalidGrantTokenException: a grant token was not issued here.
    """
    action = action or call.operation.action
    authority = usable.authority
    context = CallContext(call, usable, action)
    decision = authorize(call.principal, action, authority, context, grants=GrantLookup(usable.key, context))
    if decision.allowed or authority.account == call.account:
        _check_grant_tokens(call)
        call.touches(KEY, authority.arn)
    if decision.allowed:
        return
    if authority.account != call.account and not from_ciphertext:
        raise not_visible(call.principal, action)
    raise denied(call.principal, action, authority.arn, decision, from_ciphertext=from_ciphertext)


def _check_grant_tokens(call: Call) -> None:
    """AWS's model has the error for every operation that takes tokens but DescribeKey, which ignores bad ones."""
    tokens = call.get("GrantTokens") if InvalidGrantTokenException in call.operation.errors else None
    for token in tokens or ():
        grant_token.redeem(token, call.services.token_key)


def allow_without_key(
    call: Call, resource_arn: str = "*", *, action: str | None = None, context: CallContext | None = None
) -> None:
    """Check the identity policies for an action that no key decides; its condition keys are the call's own by default.

    Raises:
        AccessDeniedException: with AWS's text and the reason.
    """
    action = action or call.operation.action
    decision = authorize(call.principal, action, resource_arn, context or CallContext(call, action=action))
    if not decision.allowed:
        raise denied(call.principal, action, resource_arn, decision)


def require_patience(call: Call, usable: UsableKey) -> None:
    """Let a thread use keys that take long.

    Raises:
        WouldBlock: the call was asked not to wait.
    """
    if usable.spec.is_slow and not call.may_block:
        raise WouldBlock


def require_fit(call: Call, usable: UsableKey) -> None:
    """Check usage and state of a key against what the operation declares."""
    settled = call.settled
    if settled is not None and settled.usable is usable and settled.fits:
        return
    key, operation = usable.key, call.operation
    if operation.usage is not None and key.usage != operation.usage:
        raise InvalidKeyUsageException(
            f"{key.arn} key usage is {key.usage} which is not valid for {operation.name}."
        )
    if operation.rule is not None:
        operation.rule.require(key.state, key.arn)
    if settled is not None and settled.usable is usable:
        settled.fits = True


def load(call: Call, key_id: str, region: str) -> UsableKey | None:
    """A key by id and Region: inside a transaction as the transaction sees it, else from the keyring."""
    keyring = call.services.keyring
    if call.tx is not None:
        usable = keyring.load_key_within(call.tx.connection, key_id, region)
    else:
        usable = keyring.key(key_id, region, may_block=call.may_block)
    return usable and usable.at(call.time)


def _find(call: Call, reference: KeyReference, action: str) -> UsableKey:
    key_id = reference.key_id
    if reference.alias_name is not None:
        key_id = _aliased(call, reference, reference.alias_name, action)
    usable = load(call, key_id, reference.region) if key_id else None
    if usable and usable.key.account == reference.account:
        return usable
    if reference.account != call.account:
        raise not_visible(call.principal, action)
    missing = key_arn(reference.region, reference.account, key_id or "")
    raise NotFoundException(f"Key '{missing}' does not exist")


def _aliased(call: Call, reference: KeyReference, name: str, action: str) -> str:
    alias = find_alias(call, reference.account, reference.region, name)
    if alias is not None:
        return alias.key_id
    if reference.account != call.account:
        raise not_visible(call.principal, action)
    if name in PREDEFINED_ALIASES and call.tx is None:
        return _managed(call, name, action)
    missing = alias_arn(reference.region, reference.account, name)
    raise NotFoundException(f"Alias {missing} is not found.")


def _managed(call: Call, alias_name: str, action: str) -> str:
    """The AWS managed key of an alias, made for a call that may go on and changes something: not for a dry run."""
    key = managed_keys.proposed(call, alias_name)
    usable = UsableKey(key, (), (), call.services.root_key)
    decision = authorize(call.principal, action, usable.authority, CallContext(call, usable, action))
    if not decision.allowed:
        raise denied(call.principal, action, alias_arn(key.region, key.account, alias_name), decision)
    if call.operation.shared_quota:
        limits.charge(call, usable)
    stop_dry_run(call)
    return managed_keys.create(call, alias_name, key)
