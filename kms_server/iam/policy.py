"""Policy documents: strict parsing into compiled statements, and the documents that AWS writes itself.

Source: AWS "IAM JSON policy elements" and, for key policies, "Key policies in AWS KMS".
"""

import json
import re
from functools import lru_cache
from typing import Any

from kms_server.arn import PARTITION, is_account, root_arn
from kms_server.errors import LimitExceededException, MalformedPolicyDocumentException
from kms_server.iam.patterns import Patterns
from kms_server.iam.statement import CompiledPolicy, Statement

_MOST_KEY_POLICY_BYTES = 32_768
# The most AWS takes for the inline policies of one role, its largest identity; white space is free.
_MOST_IDENTITY_POLICY_CHARACTERS = 10_240
_DOCUMENT = frozenset({"Version", "Id", "Statement"})
_VERSIONS = ("2012-10-17", "2008-10-17", None)
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
    rf"arn:{PARTITION}:(iam::[0-9]{{12}}:(root|(user|role)/[^*?\s]+)"
    r"|sts::[0-9]{12}:(assumed-role/[^*?/\s]+/[^*?/\s]+|federated-user/[^*?/\s]+))"
)


@lru_cache(maxsize=4_096)
def compile_key_policy(text: str) -> CompiledPolicy:
    """Compile a key policy (AWS PutKeyPolicy).

    Raises:
        MalformedPolicyDocumentException: it is not a policy, or a statement names no valid principal.
        LimitExceededException: it has more than 32,768 bytes.
    """
    if len(text.encode(errors="replace")) > _MOST_KEY_POLICY_BYTES:
        raise LimitExceededException(f"The key policy is larger than {_MOST_KEY_POLICY_BYTES} bytes.")
    return _compile(text, of_key=True)


@lru_cache(maxsize=4_096)
def compile_identity_policy(text: str) -> CompiledPolicy:
    """Compile a policy attached to a user.

    Raises:
        MalformedPolicyDocumentException: it is not a policy, or it names a principal.
        LimitExceededException: it has more than 10,240 characters, white space not counted.
    """
    if len("".join(text.split())) > _MOST_IDENTITY_POLICY_CHARACTERS:
        raise LimitExceededException(
            f"The policy is larger than {_MOST_IDENTITY_POLICY_CHARACTERS} characters."
        )
    return _compile(text, of_key=False)


def _compile(text: str, *, of_key: bool) -> CompiledPolicy:
    document = _read(text)
    if not document.keys() <= _DOCUMENT or document.get("Version") not in _VERSIONS:
        raise MalformedPolicyDocumentException("The policy has unknown elements or an unknown Version.")
    if not isinstance(document.get("Id", ""), str):
        raise MalformedPolicyDocumentException("The policy's Id must be a string.")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicyDocumentException("The policy has no Statement.")
    return CompiledPolicy(tuple(_statement(one, of_key=of_key) for one in statements))


def _read(text: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise MalformedPolicyDocumentException("The policy has a member twice.")
        return members

    try:
        document = json.loads(text, object_pairs_hook=unique)
        written = json.dumps(document, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        raise MalformedPolicyDocumentException("The policy is not valid JSON.") from None
    # The form without escapes is judged: what an escape spells is under the rule for characters too.
    if max(written) > "\u00ff":
        raise MalformedPolicyDocumentException("The policy has characters beyond U+00FF.")
    if not isinstance(document, dict):
        raise MalformedPolicyDocumentException("The policy is not a JSON object.")
    return document


def _statement(content: Any, *, of_key: bool) -> Statement:  # noqa: ANN401 - JSON from outside
    if not isinstance(content, dict) or not content.keys() <= _STATEMENT:
        raise MalformedPolicyDocumentException("A statement is not an object or has unknown elements.")
    if content.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicyDocumentException("A statement's Effect must be Allow or Deny.")
    if not isinstance(content.get("Sid", ""), str):
        raise MalformedPolicyDocumentException("A statement's Sid must be a string.")
    condition = content.get("Condition", {})
    _check_condition(condition)
    principals, inverted = _principals(content, of_key=of_key)
    return Statement(
        sid=content.get("Sid"),
        allows=content["Effect"] == "Allow",
        principals=principals,
        principals_inverted=inverted,
        # A key policy may leave out either of the two; such a statement has no effect.
        actions=_patterns(content, "Action", optional=of_key, ignore_case=True),
        resources=_patterns(content, "Resource", optional=of_key, ignore_case=False),
        has_condition=bool(condition),
    )


def _check_condition(condition: Any) -> None:  # noqa: ANN401 - JSON from outside
    operators = condition.values() if isinstance(condition, dict) else [None]
    for keys in operators:
        for wanted in keys.values() if isinstance(keys, dict) else [None]:
            values = wanted if isinstance(wanted, list) else [wanted]
            if not all(isinstance(value, str | int | float) for value in values):
                raise MalformedPolicyDocumentException(
                    "A Condition must be an object of operators, each an object of keys and their values."
                )


def _patterns(content: dict[str, Any], name: str, *, optional: bool, ignore_case: bool) -> Patterns:
    given = [form for form in (name, f"Not{name}") if form in content]
    if len(given) > 1:
        raise MalformedPolicyDocumentException(f"A statement has both {name} and Not{name}.")
    if not given and not optional:
        raise MalformedPolicyDocumentException(f"A statement has neither {name} nor Not{name}.")
    values = _texts(content[given[0]]) if given else []
    return Patterns.compile(values, inverted=given == [f"Not{name}"], ignore_case=ignore_case)


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - JSON from outside
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(item, str) for item in values):
        raise MalformedPolicyDocumentException("A policy element must be a string or a list of strings.")
    return values


def _principals(content: dict[str, Any], *, of_key: bool) -> tuple[frozenset[str], bool]:
    given = [name for name in ("Principal", "NotPrincipal") if name in content]
    if not of_key:
        if given:
            raise MalformedPolicyDocumentException("An identity policy must not name a Principal.")
        return frozenset(), False
    inverted = given == ["NotPrincipal"]
    # AWS: NotPrincipal with Allow, which would open the key to everyone else, is not supported.
    if len(given) != 1 or (inverted and content["Effect"] == "Allow"):
        raise MalformedPolicyDocumentException(_INVALID_PRINCIPAL)
    value = content[given[0]]
    if value == "*":
        return frozenset({"*"}), inverted
    if not isinstance(value, dict) or not value or not value.keys() <= _PRINCIPAL_KINDS:
        raise MalformedPolicyDocumentException(_INVALID_PRINCIPAL)
    named = ((kind, name) for kind, names in value.items() for name in _texts(names))
    return frozenset(_aws_principal(n) if kind == "AWS" else f"{kind}:{n}" for kind, n in named), inverted


def _aws_principal(name: str) -> str:
    if is_account(name):
        return root_arn(name)
    if name != "*" and _PRINCIPAL_ARN.fullmatch(name) is None:
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
    """A policy as GetKeyPolicy prints it: members on lines of their own, lists on one."""
    return _printed(json.loads(text), "\n")


def _printed(value: Any, line: str) -> str:  # noqa: ANN401 - JSON from outside
    if isinstance(value, dict):
        inner = f"{line}  "
        members = (f"{inner}{_printed(name, inner)} : {_printed(one, inner)}" for name, one in value.items())
        return "{" + ",".join(members) + (line if value else " ") + "}"
    if isinstance(value, list):
        return "[ " + ", ".join(_printed(one, line) for one in value) + (" ]" if value else "]")
    return json.dumps(value, ensure_ascii=False)
