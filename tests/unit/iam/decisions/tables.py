"""The tables of decisions, read into cases."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from kms_server.errors import ServiceError
from kms_server.iam.authority import Authority
from kms_server.iam.context import FixedContext
from kms_server.iam.decision import Decision
from kms_server.iam.evaluate import authorize
from kms_server.iam.policy import compile_identity_policy, compile_key_policy
from kms_server.iam.principal import AttachedPolicy, Issuer, Principal, Session

HERE = Path(__file__).parent
ACCOUNT = "111111111111"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k"
CASES = ("key_policies", "evaluation", "variables")
# What decides, in generated cases.
OWN = ["key policy", "own"]
# Of a key with subkeys the row is the name without them.
_SUBKEYS = ("kms:EncryptionContext:", "aws:PrincipalTag/", "aws:RequestTag/", "aws:ResourceTag/")
_SUBKEYS_BY_NUMBER = ("kms:RecipientAttestation:PCR", "kms:RecipientAttestation:NitroTPMPCR")


class _Loader(yaml.CSafeLoader):
    """YAML in which a key of a mapping stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        assert len(names) == len(set(names)), f"twice in {node.start_mark}: {names}"
        return super().construct_mapping(node, deep)


def table(name: str) -> Any:
    return yaml.load((HERE / f"{name}.yaml").read_text(encoding="utf-8"), _Loader)


CALLERS: Mapping[str, dict[str, Any]] = table("callers")


@dataclass(frozen=True)
class Case:
    """One request with its documents, and what becomes of it; `covers` has the rows and directions it is about."""

    name: str
    caller: str
    expect: list[str]
    covers: tuple[tuple[str, str], ...] = ()
    action: str = "kms:Encrypt"
    resource: str = KEY
    key_policy: list[Any] | str | None = None
    identity: list[Any] | None = None
    boundary: list[Any] | None = None
    session: list[Any] | None = None
    grants: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, list[str]] = field(default_factory=dict)

    def outcome(self) -> list[str]:
        """What the evaluator makes of it, in the form of `expect`."""
        try:
            decision = self._decide()
        except ServiceError as error:
            return ["refused", error.code, error.message]
        return described(decision)

    def _decide(self) -> Decision:
        resource: str | Authority = self.resource
        if resource == KEY:
            assert self.key_policy is not None, "a key has a policy"
            resource = Authority(ACCOUNT, KEY, compile_key_policy(text(self.key_policy)))
        context = FixedContext(self.context)
        return authorize(self.principal(), self.action, resource, context, grants=self.grants.get)

    def principal(self) -> Principal:
        who = CALLERS[self.caller]
        issuer, session = None, None
        if "role" in who:
            issuer = Issuer("Role", who["role id"], who["role"], who["account"], "r")
        if issuer or who.get("temporary"):
            policies = None if self.session is None else attached("session policy", self.session)
            session = Session(0.0, issuer, policies)
        assert self.session is None or session, "only sessions have session policies"
        boundary = attached("boundary", self.boundary)[0] if self.boundary is not None else None
        return Principal(
            who["kind"], who["account"], who["arn"], who["id"], "AKIA", boundary=boundary, session=session,
            policies=attached("identity policy", self.identity) if self.identity else (),
        )  # fmt: skip


def text(policy: list[Any] | str) -> str:
    return policy if isinstance(policy, str) else json.dumps({"Version": "2012-10-17", "Statement": policy})


def attached(name: str, statements: list[Any]) -> tuple[AttachedPolicy]:
    return (AttachedPolicy(name, compile_identity_policy(text(statements))),)


def described(decision: Decision) -> list[str]:
    """A decision in the form of `expect`."""
    verdict = "allow" if decision.allowed else "implicit deny"
    if decision.reason.name.startswith("DENIED_"):
        verdict = "explicit deny"
    source = [decision.policy, decision.statement, decision.grant]
    return [verdict, decision.reason.name, *(part for part in source if part is not None)]


def cases() -> Iterator[Case]:
    """Those that stand in their tables one by one."""
    for name in CASES:
        for entry in table(name)["cases"]:
            known = {key.replace(" ", "_"): value for key, value in entry.items()}
            known["covers"] = tuple(known["covers"].items())
            yield Case(
                name=known.pop("case"), key_policy=known.pop("text", known.pop("key_policy", None)), **known
            )


def of_keys() -> Iterator[Case]:
    """Of each condition key: a value that lets the request in, one that does not, and no value."""
    for entry in table("keys")["keys"]:
        key, action = entry["key"], entry["action"]
        condition = {operator: {key: value} for operator, value in entry["when"].items()}
        statement = {
            "Sid": "own",
            "Effect": "Allow",
            "Action": action,
            "Resource": "*",
            "Condition": condition,
        }
        let_in, kept_out = ["allow", "RESOURCE_POLICY", *OWN], ["implicit deny", "NO_RESOURCE_POLICY"]
        case = Case("", "mira", let_in, action=action, key_policy=[statement | {"Principal": "*"}])
        if entry.get("on") == "identity":
            let_in, kept_out = (
                ["allow", "IDENTITY", "identity policy", "own"],
                ["implicit deny", "NO_IDENTITY"],
            )
            case = replace(case, key_policy=None, identity=[statement], resource="*")
        row = row_of_key(key)
        given = [(entry["allowed"], "allowed", let_in), ([], "denied", kept_out)]
        if entry["denied"]:
            given.append((entry["denied"], "denied", kept_out))
        for values, direction, expect in given:
            name = f"{action} where {key} {entry['when']} and {values or 'no value'}"
            yield replace(
                case,
                name=name,
                expect=expect,
                covers=((row, direction),),
                context={key: values} if values else {},
            )


def row_of_key(key: str) -> str:
    section = "condition keys of AWS KMS" if key.startswith("kms:") else "global condition keys"
    for prefix in (*_SUBKEYS, *_SUBKEYS_BY_NUMBER):
        if key.startswith(prefix):
            key = prefix.rstrip(":/")
    return f"{section}: {key}"


def of_operators() -> Iterator[Case]:
    """Of each operator in each of its forms: values that match, that do not, some of both, and none."""
    listed = table("operators")
    for kind in ("operators", "negated"):
        for base, entry in listed[kind].items():
            given = [[entry["match"]], [entry["other"]], [entry["other"], entry["match"]], []]
            for form, *answers in listed["answers"][kind]:
                over, colon, end = form.rpartition(":")
                for values, holds in zip(given, answers, strict=True):
                    yield from _of_operator(f"{over}{colon}{base}{end}", entry["policy"], values, holds=holds)
    for operator, policy, values, holds in listed["single"]:
        yield from _of_operator(operator, policy, values, holds=holds)


def _of_operator(operator: str, policy: Any, values: list[str], *, holds: bool) -> Iterator[Case]:
    statement = {"Sid": "own", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    everybody = statement | {"Sid": "everybody", "Effect": "Allow"}
    conditional = statement | {"Condition": {operator: {"app:key": policy}}}
    # What is decided where the condition holds, and where it does not.
    allowing = ["allow", "RESOURCE_POLICY", *OWN], ["implicit deny", "NO_RESOURCE_POLICY"]
    denying = (
        ["explicit deny", "DENIED_BY_RESOURCE_POLICY", *OWN],
        ["allow", "RESOURCE_POLICY", "key policy", "everybody"],
    )
    name = f"{operator} {policy} and {values or 'no value'}"
    case = Case(
        f"Allow {name}", "mira", allowing[0 if holds else 1], context={"app:key": values} if values else {},
        covers=((f"condition operators: {operator}", "allowed" if holds else "denied"),),
        key_policy=[conditional | {"Effect": "Allow"}],
    )  # fmt: skip
    yield case
    policies = [everybody, conditional | {"Effect": "Deny"}]
    yield replace(case, name=f"Deny {name}", key_policy=policies, expect=denying[0 if holds else 1])


def all_cases() -> list[Case]:
    return [*cases(), *of_keys(), *of_operators()]
