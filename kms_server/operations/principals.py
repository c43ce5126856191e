"""Principals in stored policies: users and roles stand there by their unique ids, in answers by their ARNs.

So whoever is deleted and made again under the same name has none of the former's access (AWS "Principal").
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection

from kms_server.arn import Arn, is_account
from kms_server.errors import MalformedPolicyDocumentException
from kms_server.storage import identities, settings

_UNIQUE_ID = re.compile(r"A(IDA|ROA)[0-9A-Za-z]+(:.+)?")
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com")

# From the kind, AWS or Service, and the name of a principal that does not exist to the error that says so.
Invalid = Callable[[str, str], Exception]


def invalid_in_key_policy(_kind: str, _name: str) -> Exception:
    """KMS's error for a principal that does not exist."""
    return MalformedPolicyDocumentException(
        "Policy contains a statement with one or more invalid principals."
    )


def invalid_in_trust_policy(kind: str, name: str) -> Exception:
    """IAM's error for a principal that does not exist."""
    return MalformedPolicyDocumentException(f'Invalid principal in policy: "{kind.upper()}":"{name}"')


def stored(connection: Connection, document: str, invalid: Invalid = invalid_in_key_policy) -> str:
    """A policy that has been checked as it is kept: users, roles and sessions named by unique ids.

    Raises:
        Exception: what `invalid` makes of a principal that does not exist, of a user or role that is sent by its unique
            id, and of a name that no service has.
    """
    content = json.loads(document)
    for name in _all_names(content, "Service"):
        if _SERVICE.fullmatch(name) is None:
            raise invalid("Service", name)
    kept = {}
    for name in sorted(set(_all_names(content, "AWS"))):
        found = name if name == "*" else key(connection, name)
        if found is None:
            raise invalid("AWS", name)
        kept[name] = found
    return _replaced(document, content, kept)


def shown(connection: Connection, document: str) -> str:
    """A stored policy as it is shown; who is gone stays a unique id, as on AWS."""
    if _UNIQUE_ID.search(document) is None:
        return document
    content = json.loads(document)
    unique_ids = {name for name in _all_names(content, "AWS") if _UNIQUE_ID.fullmatch(name)}
    return _replaced(document, content, identities.arns(connection, unique_ids))


def key(connection: Connection, name: str) -> str | None:
    """By what a principal's calls are matched; None: there is no such principal.

    That is the unique id of a user or role, `AROA…:session` of a role's session, and the name itself of an account, its
    root or a federated user. With `--dev` every account exists, without having been made.
    """
    arn = Arn.parse(name)
    if arn is not None and arn.resource.partition("/")[0] not in ("root", "federated-user"):
        return identities.named(connection, name)
    account = arn.account if arn else name
    if not is_account(account):
        return None
    known = identities.account_exists(connection, account)
    return name if known or settings.get(connection, settings.MODE) == settings.DEV else None


def _replaced(document: str, content: Any, names: dict[str, str]) -> str:  # noqa: ANN401 - JSON
    """The policy with other names for its principals; the very same text where none is another."""
    if all(old == new for old, new in names.items()):
        return document
    for place in _places(content, "AWS"):
        named = [names.get(name, name) for name in _names(place["AWS"])]
        place["AWS"] = named if isinstance(place["AWS"], list) else named[0]
    # Without white space, so that what was within a limit of size stays there.
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _places(content: Any, kind: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """The objects of a policy that name principals of a kind."""
    statements = content["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        for element in ("Principal", "NotPrincipal"):
            if isinstance(statement.get(element), dict) and kind in statement[element]:
                yield statement[element]


def _all_names(content: Any, kind: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    for place in _places(content, kind):
        yield from _names(place[kind])


def _names(named: str | list[str]) -> list[str]:
    return named if isinstance(named, list) else [named]
