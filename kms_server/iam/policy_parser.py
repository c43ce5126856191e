"""The statements of policy documents, element by element."""

import re
from dataclasses import dataclass
from typing import Any

from kms_server.arn import PARTITION, is_account, root_arn
from kms_server.errors import MalformedPolicyDocumentException
from kms_server.iam.conditions import Condition, compile_conditions, is_operator
from kms_server.iam.patterns import Actions
from kms_server.iam.resources import EVERYTHING, Resources, is_arn
from kms_server.iam.statement import Statement

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
class Dialect:
    """What a kind of policy may and must have; a statement without an `optional` element has no effect.

    With `set_operators_refused` no ForAllValues may stand with a single-valued key: KMS refuses what IAM takes. With
    `any_character` characters beyond U+00FF are taken.
    """

    principals: bool
    resources: bool
    set_operators_refused: bool = False
    optional: frozenset[str] = frozenset()
    any_character: bool = False


@dataclass(frozen=True, slots=True)
class Parser:
    """Reads the statements of one document; `variables` says whether its Version has them."""

    dialect: Dialect
    variables: bool

    def statement(self, content: Any, place: int) -> Statement:  # noqa: ANN401 - JSON from outside
        """One statement; `place` counts from 1.

        Raises:
            MalformedPolicyDocumentException
        """
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
