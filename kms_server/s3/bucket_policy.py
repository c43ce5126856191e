"""Bucket policies as clients send them: the checks of S3 and its texts (AWS PutBucketPolicy)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from kms_server.errors import MalformedPolicyDocumentException
from kms_server.iam.patterns import fits, wild
from kms_server.iam.policy import compile_bucket_policy
from kms_server.operations import principals
from kms_server.s3 import actions
from kms_server.s3.call import Level
from kms_server.s3.condition_names import is_known
from kms_server.s3.errors import MalformedPolicy

_MOST_BYTES = 20_480
_ARN = "arn:aws:s3:::"
_DOCUMENT = frozenset({"Version", "Id", "Statement"})
_VERSIONS = ("2012-10-17", "2008-10-17")
_REQUIRED = ("Effect", "Principal", "Action", "Resource")
_OPPOSITES = frozenset({"NotPrincipal", "NotAction", "NotResource"})
_STATEMENT = frozenset({"Sid", "Condition", *_REQUIRED, *_OPPOSITES})
_EVERYTHING = frozenset({Level.BUCKET, Level.OBJECT})

_Statement = Mapping[str, Any]


def stored(connection: Connection, bucket: str, body: bytes) -> str:
    """The policy of a request as it is kept: without white space, its users and roles by their unique ids.

    Raises:
        MalformedPolicy: with AWS's text.
    """
    if len(body) > _MOST_BYTES:
        raise MalformedPolicy("Policy exceeds the maximum allowed document size.")
    document = _read(body)
    for statement in _statements(document):
        _check_elements(statement)
        _check_principal(statement)
        _check_coverage(statement, bucket)
        _check_conditions(statement)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    try:
        compile_bucket_policy(text)
    except MalformedPolicyDocumentException:
        raise MalformedPolicy("Invalid policy syntax.") from None
    return principals.stored(connection, text, _invalid_principal)


def shown(connection: Connection, policy: str) -> str:
    """A stored policy as GetBucketPolicy shows it; who is gone stays a unique id."""
    return principals.shown(connection, policy)


def _read(body: bytes) -> dict[str, Any]:
    if not body.startswith(b"{"):
        raise MalformedPolicy
    try:
        document = json.loads(body, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise MalformedPolicy("This policy contains invalid Json") from None
    if not isinstance(document, dict):
        raise MalformedPolicy
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _statements(document: dict[str, Any]) -> list[_Statement]:
    _refuse_unknown(document, _DOCUMENT)
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise MalformedPolicy("The policy must contain a valid version string")
    found = document.get("Statement")
    if found is None:
        raise MalformedPolicy("Missing required field Statement")
    statements = [found] if isinstance(found, dict) else found
    if not isinstance(statements, list) or not all(isinstance(one, dict) for one in statements):
        raise MalformedPolicy("Invalid policy syntax.")
    if not statements:
        raise MalformedPolicy("Could not parse the policy: Statement is empty!")
    sids = [one["Sid"] for one in statements if isinstance(one.get("Sid"), str)]
    if len(set(sids)) != len(sids):
        raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
    return statements


def _refuse_unknown(content: Mapping[str, Any], known: frozenset[str]) -> None:
    for name in content:
        if name not in known:
            raise MalformedPolicy(f"Unknown field {name}")


def _check_elements(statement: _Statement) -> None:
    _refuse_unknown(statement, _STATEMENT)
    for name in _REQUIRED:
        if name not in statement and f"Not{name}" not in statement:
            raise MalformedPolicy(f"Missing required field {name}")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicy(f"Invalid effect: {statement.get('Effect')}")


def _check_principal(statement: _Statement) -> None:
    if "NotPrincipal" in statement and statement["Effect"] == "Allow":
        raise MalformedPolicy("Allow with NotPrincipal is not allowed.")
    named = statement.get("Principal", statement.get("NotPrincipal"))
    if named == "*":
        return
    if not isinstance(named, dict) or not named:
        raise MalformedPolicy("Invalid policy syntax.")
    for kind, names in named.items():
        for name in _texts(names):
            # Nobody is known here by a canonical id, and no identity provider signs requests.
            if kind not in ("AWS", "Service"):
                raise _invalid_principal(kind, name)


def _check_coverage(statement: _Statement, bucket: str) -> None:
    """Actions and resources are S3's and the bucket's, and each action is about one of the resources."""
    resources = _texts(statement.get("Resource", statement.get("NotResource")))
    covered = frozenset[Level]().union(*(_resource_levels(one, bucket) for one in resources))
    if "NotResource" in statement:
        covered = _EVERYTHING
    for action in _texts(statement.get("Action", statement.get("NotAction"))):
        levels = actions.levels(action)
        if not levels:
            raise MalformedPolicy("Policy has invalid action")
        if "Action" in statement and levels.isdisjoint(covered):
            raise MalformedPolicy("Action does not apply to any resource(s) in statement")


def _resource_levels(resource: str, bucket: str) -> frozenset[Level]:
    """What of the bucket an element covers."""
    if resource == "*":
        return _EVERYTHING
    named, slash, _ = resource.removeprefix(_ARN).partition("/")
    if not resource.startswith(_ARN) or not fits(wild(named), bucket):
        raise MalformedPolicy("Policy has invalid resource")
    if slash:
        return frozenset({Level.OBJECT})
    return _EVERYTHING if named.endswith("*") else frozenset({Level.BUCKET})


def _check_conditions(statement: _Statement) -> None:
    conditions = statement.get("Condition", {})
    for keys in conditions.values() if isinstance(conditions, dict) else ():
        for key in keys if isinstance(keys, dict) else ():
            if not is_known(key):
                raise MalformedPolicy("Policy has an invalid condition key")


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON from outside
    values = value if isinstance(value, list) else [value]
    for one in values:
        if not isinstance(one, str):
            raise MalformedPolicy("Invalid policy syntax.")
        yield one


def _invalid_principal(kind: str, name: str) -> Exception:
    return MalformedPolicy("Invalid principal in policy", Detail=f'"{kind}" : "{name}"')
