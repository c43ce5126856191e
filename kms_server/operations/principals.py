"""The principals that policies and grants name.

Documents are stored with the unique ids of users and roles in the place of their ARNs, so that who later gets the name
of somebody deleted gains nothing. They are shown with the ARNs of those who still exist.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from kms_server.arn import Arn, is_account
from kms_server.errors import InvalidArnException
from kms_server.keys.grants import Grant, Party
from kms_server.storage import identities, settings

_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com")
_ELEMENTS = ("Principal", "NotPrincipal")
_UNIQUE_ID = re.compile(r"A(IDA|ROA)[0-9A-Za-z]+(:.+)?")


class UnknownPrincipal(Exception):
    """A policy names a principal that does not exist; `kind` is AWS or Service, as in a policy."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(name)
        self.kind = kind
        self.name = name


class Directory:
    """Who exists, as one transaction sees it; a server in `--dev` mode has all accounts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def key(self, name: str) -> str | None:
        """By what a principal is matched: a unique id, `AROA…:session`, or the ARN of a root or federated user itself.

        None: there is no such principal, or it is no ARN.
        """
        arn = Arn.parse(name)
        if arn is None:
            return None
        if (arn.service, arn.resource) == ("iam", "root") or arn.resource.startswith("federated-user/"):
            return name if self.has_account(arn.account) else None
        return identities.named(self._connection, name)

    def has_account(self, account: str) -> bool:
        """Whether an account exists."""
        if identities.account_exists(self._connection, account):
            return True
        return settings.get(self._connection, settings.MODE) == settings.DEV

    def stored(self, policy: str) -> str:
        """A policy document as it is stored; it is well-formed and has principals.

        Raises:
            UnknownPrincipal: it names one that does not exist, or a user or role by its unique id.
        """
        document = json.loads(policy)
        for name in _named(document, "Service"):
            if _SERVICE.fullmatch(name) is None:
                raise UnknownPrincipal("Service", name)
        keys = {name: self._in_policy(name) for name in sorted(set(_named(document, "AWS")))}
        return _replaced(policy, document, keys)

    def shown(self, policy: str) -> str:
        """A stored policy document as it is shown: who no longer exists stands there by the unique id."""
        document = json.loads(policy)
        unique_ids = {name for name in _named(document, "AWS") if _UNIQUE_ID.fullmatch(name)}
        return _replaced(policy, document, self._arns(unique_ids))

    def party(self, party: Party) -> Party:
        """A party to a grant with the key by which it is matched.

        Raises:
            InvalidArnException: the principal does not exist.
        """
        if party.is_service:
            return party
        key = self.key(party.name)
        if key is None:
            raise InvalidArnException(f"ARN does not refer to a valid principal: {party.name}")
        return replace(party, key=key)

    def keys_now_and_before(self, name: str) -> set[str]:
        """The keys under which grants of whoever has an ARN may stand; in old rows it is the ARN."""
        return {name, self.key(name) or name}

    def shown_grants(self, grants: Collection[Grant]) -> list[Grant]:
        """Grants whose parties have the names that they have now."""
        parties = [party for one in grants for party in (one.grantee, one.retiring) if party is not None]
        now = self._arns({party.key for party in parties if party.key != party.name})

        def named(party: Party) -> Party:
            return party if party.key == party.name else replace(party, name=now.get(party.key, party.key))

        return [
            replace(one, grantee=named(one.grantee), retiring=one.retiring and named(one.retiring))
            for one in grants
        ]

    def _in_policy(self, name: str) -> str:
        if name == "*" or (is_account(name) and self.has_account(name)):
            return name
        key = self.key(name)
        if key is None:
            raise UnknownPrincipal("AWS", name)
        return key

    def _arns(self, unique_ids: Collection[str]) -> dict[str, str]:
        return identities.arns(self._connection, unique_ids) if unique_ids else {}


def _members(document: Any, kind: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """The objects of a policy that name principals of a kind."""
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        for element in _ELEMENTS:
            named = statement.get(element)
            if isinstance(named, dict) and kind in named:
                yield named


def _named(document: Any, kind: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    for member in _members(document, kind):
        names = member[kind]
        yield from [names] if isinstance(names, str) else names


def _replaced(policy: str, document: Any, names: dict[str, str]) -> str:  # noqa: ANN401 - JSON
    """The policy with other names for principals; the very same text where none is another."""
    if all(name == other for name, other in names.items()):
        return policy
    for member in _members(document, "AWS"):
        given = member["AWS"]
        listed = [names.get(name, name) for name in ([given] if isinstance(given, str) else given)]
        member["AWS"] = listed[0] if isinstance(given, str) else listed
    # Without white space it is no longer than what was sent, which is under AWS's limit of bytes.
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
