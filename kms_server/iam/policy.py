"""Policy documents: strict parsing, and statements compiled for matching (AWS "Policy elements")."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kms_server.arn import PARTITION, is_account, root_arn
from kms_server.errors import LimitExceededException, MalformedPolicyDocumentException

_MOST_BYTES = 32_768
_DOCUMENT = frozenset({"Version", "Id", "Statement"})
_STATEMENT = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)
_PRINCIPAL_KINDS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_INVALID_PRINCIPAL = "Policy contains a statement with one or more invalid principals."
_PRINCIPAL_ARN = re.compile(
    rf"arn:{PARTITION}[a-z-]*:(iam|sts)::[0-9]{{12}}:(root|user/.+|role/.+|assumed-role/.+|federated-user/.+)"
)


@dataclass(frozen=True, slots=True)
class Patterns:
    """Wildcard patterns; `inverted` for the Not forms."""

    matcher: re.Pattern[str] | None
    inverted: bool = False

    def match(self, text: str) -> bool:
        """Whether the element covers `text`."""
        found = self.matcher is not None and self.matcher.fullmatch(text) is not None
        return found != self.inverted


@dataclass(frozen=True, slots=True)
class Statement:
    """One compiled statement; `principals` is None in identity policies."""

    sid: str | None
    allows: bool
    principals: frozenset[str] | None
    principals_inverted: bool
    actions: Patterns
    resources: Patterns
    has_condition: bool


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy ready to be evaluated."""

    statements: tuple[Statement, ...]


@lru_cache(maxsize=4_096)
def compile_key_policy(text: str) -> CompiledPolicy:
    """Compile a key policy.

    Raises:
        MalformedPolicyDocumentException, LimitExceededException
    """
    if len(text.encode()) > _MOST_BYTES:
        raise LimitExceededException(f"The key policy is larger than {_MOST_BYTES} bytes.")
    return _compile(text, needs_principal=True)


@lru_cache(maxsize=4_096)
def compile_identity_policy(text: str) -> CompiledPolicy:
    """Compile a policy attached to a user.

    Raises:
        MalformedPolicyDocumentException
    """
    return _compile(text, needs_principal=False)


def _compile(text: str, *, needs_principal: bool) -> CompiledPolicy:
    document = _read(text)
    if not document.keys() <= _DOCUMENT or document.get("Version") not in ("2012-10-17", "2008-10-17", None):
        raise MalformedPolicyDocumentException("The policy has unknown elements or an unknown Version.")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicyDocumentException("The policy has no Statement.")
    return CompiledPolicy(tuple(_statement(one, needs_principal=needs_principal) for one in statements))


def _read(text: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise MalformedPolicyDocumentException("The policy has a member twice.")
        return members

    try:
        document = json.loads(text, object_pairs_hook=unique)
    except (json.JSONDecodeError, RecursionError):
        raise MalformedPolicyDocumentException("The policy is not valid JSON.") from None
    if not isinstance(document, dict):
        raise MalformedPolicyDocumentException("The policy is not a JSON object.")
    return document


def _statement(content: Any, *, needs_principal: bool) -> Statement:  # noqa: ANN401 - JSON from outside
    if not isinstance(content, dict) or not content.keys() <= _STATEMENT:
        raise MalformedPolicyDocumentException("A statement is not an object or has unknown elements.")
    if content.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicyDocumentException("A statement's Effect must be Allow or Deny.")
    principals, inverted = _principals(content, needed=needs_principal)
    condition = content.get("Condition", {})
    if not isinstance(condition, dict) or not isinstance(content.get("Sid", ""), str):
        raise MalformedPolicyDocumentException(
            "A statement's Condition must be an object and its Sid a string."
        )
    return Statement(
        content.get("Sid"), content["Effect"] == "Allow", principals, inverted,
        _patterns(content, "Action", ignore_case=True), _patterns(content, "Resource", ignore_case=False),
        bool(condition),
    )  # fmt: skip


def _patterns(content: dict[str, Any], name: str, *, ignore_case: bool) -> Patterns:
    inverted = f"Not{name}" in content
    if inverted and name in content:
        raise MalformedPolicyDocumentException(f"A statement has both {name} and Not{name}.")
    values = _texts(content.get(f"Not{name}" if inverted else name, []))
    if not values:
        # AWS saves such a statement, and it has no effect.
        return Patterns(None)
    parts = (re.escape(value).replace(r"\*", ".*").replace(r"\?", ".") for value in values)
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return Patterns(re.compile("|".join(f"(?:{part})" for part in parts), flags), inverted)


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - JSON from outside
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        raise MalformedPolicyDocumentException("A policy element must be a string or a list of strings.")
    return values


def _principals(content: dict[str, Any], *, needed: bool) -> tuple[frozenset[str] | None, bool]:
    given = [name for name in ("Principal", "NotPrincipal") if name in content]
    if not needed:
        if given:
            raise MalformedPolicyDocumentException("An identity policy must not name a Principal.")
        return None, False
    if len(given) != 1:
        raise MalformedPolicyDocumentException(_INVALID_PRINCIPAL)
    value = content[given[0]]
    if value == "*":
        return frozenset({"*"}), given[0] == "NotPrincipal"
    if not isinstance(value, dict) or not value or not value.keys() <= _PRINCIPAL_KINDS:
        raise MalformedPolicyDocumentException(_INVALID_PRINCIPAL)
    found: set[str] = set()
    for kind, names in value.items():
        for name in _texts(names):
            found.add(_aws_principal(name) if kind == "AWS" else f"{kind}:{name}")
    if not found:
        raise MalformedPolicyDocumentException(_INVALID_PRINCIPAL)
    return frozenset(found), given[0] == "NotPrincipal"


def _aws_principal(name: str) -> str:
    if name == "*":
        return name
    if is_account(name):
        return root_arn(name)
    if _PRINCIPAL_ARN.fullmatch(name) is None or "*" in name:
        raise MalformedPolicyDocumentException(_INVALID_PRINCIPAL)
    return name


def default_key_policy(account: str) -> str:
    """The key policy AWS gives a key that is created without one."""
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": root_arn(account)},
        "Action": "kms:*",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]})


def aws_managed_policy(service: str, account: str, region: str) -> str:
    """The key policy of an AWS managed key: use through the service only, metadata for the account."""
    title = "S3" if service == "s3" else service
    use = {
        "Sid": f"Allow access through {title} for all principals in the account that are authorized to use {title}",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        "Resource": "*",
        "Condition": {
            "StringEquals": {
                "kms:CallerAccount": account,
                "kms:ViaService": f"{service}.{region}.amazonaws.com",
            }
        },
    }
    metadata = {
        "Sid": "Allow direct access to key metadata to the account",
        "Effect": "Allow",
        "Principal": {"AWS": root_arn(account)},
        "Action": ["kms:Describe*", "kms:Get*", "kms:List*"],
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Id": f"auto-{service}-2", "Statement": [use, metadata]})


def pretty(text: str) -> str:
    """A policy as GetKeyPolicy prints it."""
    return json.dumps(json.loads(text), indent=2, separators=(",", " : "), ensure_ascii=False)
