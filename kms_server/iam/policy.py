"""Policy documents: strict parsing into compiled statements.

Source: AWS "IAM JSON policy elements" and, for key policies, "Key policies in AWS KMS".
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kms_server.arn import PARTITION, is_account, root_arn
from kms_server.errors import LimitExceededException, MalformedPolicyDocumentException
from kms_server.iam.conditions import Condition, compile_conditions, is_operator
from kms_server.iam.patterns import Actions
from kms_server.iam.resources import EVERYTHING, Resources, is_arn
from kms_server.iam.statement import CompiledPolicy, Statement

_MOST_KEY_POLICY_BYTES = 32_768
# The most AWS takes for the inline policies of one role, its largest identity; white space is free.
_MOST_IDENTITY_POLICY_CHARACTERS = 10_240
_DOCUMENT = frozenset({"Version", "Id", "Statement"})
_WITH_VARIABLES = "2012-10-17"
_VERSIONS = (_WITH_VARIABLES, "2008-10-17", None)
_STATEMENT = frozenset(
    {
        "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
    }
)  # fmt: skip
_PRINCIPAL_KINDS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_INVALID_PRINCIPAL = "Policy contains a statement with one or more invalid principals."
# Stored documents name users and roles by their unique ids, sessions by that of the role and their name.
_PRINCIPAL = re.compile(
    rf"arn:{PARTITION}:(iam::[0-9]{{12}}:(root|(user|role)/[^*?\s]+)"
    r"|sts::[0-9]{12}:(assumed-role/[^*?/\s]+/[^*?/\s]+|federated-user/[^*?/\s]+))"
    r"|A(IDA|ROA)[0-9A-Za-z]+(:[^*?/\s]+)?"
)
_ACTION = re.compile(r"\*|[A-Za-z0-9_.-]+:[A-Za-z0-9_*?-]+")
# Keys with one value, for which ForAllValues holds also when the request has none (AWS KMS "OverlyPermissiveCondition").
_SINGLE_VALUED = ("kms:encryptioncontext:", "aws:requesttag/")


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What a kind of policy may and must have; a statement without an `optional` element has no effect.

    With `set_operators_refused` no ForAllValues may stand with a single-valued key: KMS refuses what IAM takes.
    """

    principals: bool
    resources: bool
    set_operators_refused: bool = False
    optional: frozenset[str] = frozenset()


_KEY = _Dialect(
    principals=True, resources=True, set_operators_refused=True, optional=frozenset({"Action", "Resource"})
)
_IDENTITY = _Dialect(principals=False, resources=True)
_TRUST = _Dialect(principals=True, resources=False)


@lru_cache(maxsize=4_096)
def compile_key_policy(text: str) -> CompiledPolicy:
    """Compile a key policy (AWS PutKeyPolicy).

    Raises:
        MalformedPolicyDocumentException: it is not a policy, or a statement names no valid principal.
        LimitExceededException: it has more than 32,768 bytes.
    """
    if len(text.encode(errors="replace")) > _MOST_KEY_POLICY_BYTES:
        raise LimitExceededException(f"The key policy is larger than {_MOST_KEY_POLICY_BYTES} bytes.")
    return _compile(text, _KEY)


@lru_cache(maxsize=4_096)
def compile_identity_policy(text: str) -> CompiledPolicy:
    """Compile a policy of a user, group, role or session, or a permissions boundary.

    Raises:
        MalformedPolicyDocumentException: it is not a policy, or it names a principal.
        LimitExceededException: it has more than 10,240 characters, white space not counted.
    """
    if len("".join(text.split())) > _MOST_IDENTITY_POLICY_CHARACTERS:
        raise LimitExceededException(
            f"The policy is larger than {_MOST_IDENTITY_POLICY_CHARACTERS} characters."
        )
    return _compile(text, _IDENTITY)


@lru_cache(maxsize=4_096)
def compile_trust_policy(text: str) -> CompiledPolicy:
    """Compile the policy that says who may assume a role (AWS CreateRole).

    Raises:
        MalformedPolicyDocumentException: it is not a policy, names no valid principal, or names a resource.
    """
    return _compile(text, _TRUST)


def _compile(text: str, dialect: _Dialect) -> CompiledPolicy:
    document = _read(text)
    version = document.get("Version")
    if not document.keys() <= _DOCUMENT or version not in _VERSIONS:
        raise MalformedPolicyDocumentException("The policy has unknown elements or an unknown Version.")
    if not isinstance(document.get("Id", ""), str):
        raise MalformedPolicyDocumentException("The policy's Id must be a string.")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicyDocumentException("The policy has no Statement.")
    parser = _Parser(dialect, variables=version == _WITH_VARIABLES)
    compiled = tuple(parser.statement(one, place) for place, one in enumerate(statements, 1))
    return CompiledPolicy(compiled, text)


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


@dataclass(frozen=True, slots=True)
class _Parser:
    """Reads the statements of one document; `variables` says whether its Version has them."""

    dialect: _Dialect
    variables: bool

    def statement(self, content: Any, place: int) -> Statement:  # noqa: ANN401 - JSON from outside
        if not isinstance(content, dict) or not content.keys() <= _STATEMENT:
            raise MalformedPolicyDocumentException("A statement is not an object or has unknown elements.")
        if content.get("Effect") not in ("Allow", "Deny"):
            raise MalformedPolicyDocumentException("A statement's Effect must be Allow or Deny.")
        if not isinstance(content.get("Sid", ""), str):
            raise MalformedPolicyDocumentException("A statement's Sid must be a string.")
        principals, inverted = self._principals(content)
        return Statement(
            label=content.get("Sid") or f"statement {place}",
            allows=content["Effect"] == "Allow",
            principals=principals,
            principals_inverted=inverted,
            actions=self._actions(content),
            resources=self._resources(content),
            conditions=self._conditions(content.get("Condition", {})),
        )

    def _actions(self, content: dict[str, Any]) -> Actions:
        values, inverted = self._listed(content, "Action")
        wrong = [value for value in values if _ACTION.fullmatch(value) is None]
        if wrong:
            raise MalformedPolicyDocumentException(
                f"Actions must be * or have the form service:Action, but the policy has {wrong[0]}"
            )
        return Actions.compile(values, inverted=inverted)

    def _resources(self, content: dict[str, Any]) -> Resources:
        if not self.dialect.resources:
            if "Resource" in content or "NotResource" in content:
                raise MalformedPolicyDocumentException("Has prohibited field Resource")
            return EVERYTHING
        values, inverted = self._listed(content, "Resource")
        wrong = [value for value in values if value != "*" and not is_arn(value)]
        if wrong:
            raise MalformedPolicyDocumentException(f'Resource {wrong[0]} must be in ARN format or "*".')
        return Resources.compile(values, inverted=inverted, variables=self.variables)

    def _listed(self, content: dict[str, Any], name: str) -> tuple[list[str], bool]:
        given = [form for form in (name, f"Not{name}") if form in content]
        if len(given) > 1:
            raise MalformedPolicyDocumentException(f"A statement has both {name} and Not{name}.")
        if not given and name not in self.dialect.optional:
            raise MalformedPolicyDocumentException(f"A statement has neither {name} nor Not{name}.")
        return _texts(content[given[0]]) if given else [], given == [f"Not{name}"]

    def _principals(self, content: dict[str, Any]) -> tuple[frozenset[str], bool]:
        given = [name for name in ("Principal", "NotPrincipal") if name in content]
        if not self.dialect.principals:
            if given:
                raise MalformedPolicyDocumentException("An identity policy must not name a Principal.")
            return frozenset(), False
        inverted = given == ["NotPrincipal"]
        # AWS: NotPrincipal with Allow, which would open the resource to everyone else, is not supported.
        if len(given) != 1 or (inverted and content["Effect"] == "Allow"):
            raise MalformedPolicyDocumentException(_INVALID_PRINCIPAL)
        value = content[given[0]]
        if value == "*":
            return frozenset({"*"}), inverted
        if not isinstance(value, dict) or not value or not value.keys() <= _PRINCIPAL_KINDS:
            raise MalformedPolicyDocumentException(_INVALID_PRINCIPAL)
        named = ((kind, name) for kind, names in value.items() for name in _texts(names))
        return frozenset(_aws_principal(n) if kind == "AWS" else f"{kind}:{n}" for kind, n in named), inverted

    def _conditions(self, element: Any) -> tuple[Condition, ...]:  # noqa: ANN401 - JSON from outside
        operators = element.values() if isinstance(element, dict) else [None]
        for keys in operators:
            for wanted in keys.values() if isinstance(keys, dict) else [None]:
                values = wanted if isinstance(wanted, list) else [wanted]
                if not all(isinstance(value, str | int | float) for value in values):
                    raise MalformedPolicyDocumentException(
                        "A Condition must be an object of operators, each an object of keys and their values."
                    )
        for operator, keys in element.items():
            if not is_operator(operator):
                raise MalformedPolicyDocumentException(f"Invalid Condition type : {operator}.")
            if self.dialect.set_operators_refused:
                for key in keys:
                    _refuse_overly_permissive(operator, key)
        return compile_conditions(element, variables=self.variables)


def _refuse_overly_permissive(operator: str, key: str) -> None:
    if operator.startswith("ForAllValues:") and key.lower().startswith(_SINGLE_VALUED):
        raise MalformedPolicyDocumentException(
            "OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued condition key "
            f"matches requests without the key {key}. Remove ForAllValues:"
        )


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - JSON from outside
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(item, str) for item in values):
        raise MalformedPolicyDocumentException("A policy element must be a string or a list of strings.")
    return values


def _aws_principal(name: str) -> str:
    if is_account(name):
        return root_arn(name)
    if name != "*" and _PRINCIPAL.fullmatch(name) is None:
        raise MalformedPolicyDocumentException(_INVALID_PRINCIPAL)
    return name
