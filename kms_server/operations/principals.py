"""Principals in stored policies: users and roles stand there by their unique ids, in answers by their ARNs.

So whoever is deleted and made again under the same name has none of the former's access (AWS "Principal").
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection

from kms_server.arn import Arn, is_account
from kms_server.errors import MalformedPolicyDocumentException, ServiceError
from kms_server.storage import identities, settings

_UNIQUE_ID = re.compile(r"A(IDA|ROA)[0-9A-Za-z]+(:.+)?")


def invalid_in_key_policy(_name: str) -> ServiceError:
    """KMS's error for a principal that does not exist."""
    return MalformedPolicyDocumentException(
        "Policy contains a statement with one or more invalid principals."
    )


def invalid_in_trust_policy(name: str) -> ServiceError:
    """IAM's error for a principal that does not exist."""
    return MalformedPolicyDocumentException(f'Invalid principal in policy: "AWS":"{name}"')


def stored(
    connection: Connection, document: str, invalid: Callable[[str], ServiceError] = invalid_in_key_policy
) -> str:
    """A policy that has been checked as it is kept: users, roles and sessions named by unique ids.

    Raises:
        ServiceError: what `invalid` makes of a principal that does not exist.
    """

    def kept(name: str) -> str:
        if not exists(connection, name):
            raise invalid(name)
        return identities.named(connection, name) or name

    return _replaced(document, lambda names: {name: kept(name) for name in names})


def shown(connection: Connection, document: str) -> str:
    """A stored policy as it is shown; who is gone stays a unique id, as on AWS."""
    if _UNIQUE_ID.search(document) is None:
        return document
    return _replaced(document, lambda names: identities.arns(connection, names))


def exists(connection: Connection, name: str) -> bool:
    """Whether a principal of a policy, by ARN, account or unique id, or `*`, is there to be named.

    With `--dev` every account is, without having been made.
    """
    if name == "*":
        return True
    if _UNIQUE_ID.fullmatch(name):
        return name in identities.arns(connection, [name])
    parsed = Arn.parse(name)
    account = name if is_account(name) else parsed.account if parsed else ""
    kind = parsed.resource.partition("/")[0] if parsed else ""
    if kind in ("user", "role", "assumed-role"):
        return identities.named(connection, name) is not None
    return identities.account_exists(connection, account) or settings.get(connection, settings.MODE) == "dev"


def _replaced(document: str, translate: Callable[[set[str]], dict[str, str]]) -> str:
    content = json.loads(document)
    places = list(_places(content))
    by_name = translate({name for place in places for name in _names(place)})
    if all(old == new for old, new in by_name.items()):
        return document
    for place in places:
        named = [by_name.get(name, name) for name in _names(place)]
        place["AWS"] = named if isinstance(place["AWS"], list) else named[0]
    return json.dumps(content, ensure_ascii=False)


def _places(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects of a policy that name principals of AWS."""
    statements = content["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        for element in ("Principal", "NotPrincipal"):
            if isinstance(statement.get(element), dict) and "AWS" in statement[element]:
                yield statement[element]


def _names(place: dict[str, Any]) -> list[str]:
    named = place["AWS"]
    return named if isinstance(named, list) else [named]
