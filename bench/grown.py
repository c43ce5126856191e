"""A server on a database of some size, and the calls that could cost more on a larger one."""

import base64
import ctypes
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from bench.audit_rows import ACCOUNT, REGION
from bench.connections import Connection
from bench.servers import Server
from bench.signing import Signer
from bench.targets import Target, bodies, client, credentials
from kms_server.arn import key_arn, root_arn

_PLAINTEXT = base64.b64encode(bytes(32)).decode()
_ALIAS = "alias/moving"
_PAGE = 50


class Cost(NamedTuple):
    """What something took, and the processor time that was used for it, both in the same unit."""

    taken: float
    used: float


class Answered(NamedTuple):
    """An answer as JSON has it, and what it cost the worker, in microseconds."""

    body: Any
    cost: Cost


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose access key signs."""

    access_key_id: str
    secret: str = field(repr=False)


class Grown:
    """A server on data that was filled with the keys `key_ids`, of which the first has the grants."""

    def __init__(self, server: Server, directory: Path, key_ids: list[str]) -> None:
        self.server = server
        self._root = Caller(*credentials(directory))
        self._connection = Connection(self.address)
        self._worker = _processor_clock(server.worker)
        access = self._root.access_key_id, self._root.secret
        self.target = Target(server, *access, bodies(server.url, *access), checks=True)
        unused = iter(key_ids)
        self._granted, self._warm, self._other = next(unused), next(unused), next(unused)
        self._unused = unused
        self.ask("CreateAlias", AliasName=_ALIAS, TargetKeyId=self._warm)
        iam = client("iam", server.url, *access)
        grantee = iam.create_user(UserName="grantee")["User"]["Arn"]
        made = iam.create_access_key(UserName="grantee")["AccessKey"]
        self._grantee = Caller(made["AccessKeyId"], made["SecretAccessKey"])
        self.ask("CreateGrant", KeyId=self._granted, GranteePrincipal=grantee, Operations=["Encrypt"])

    @property
    def address(self) -> tuple[str, int]:
        """Where the server listens."""
        place = urlsplit(self.server.url)
        return place.hostname or "", place.port or 80

    def encrypts(self, key_ids: Iterable[str]) -> Iterator[bytes]:
        """A request of Encrypt with each key."""
        told = [json.dumps({"KeyId": one, "Plaintext": _PLAINTEXT}) for one in key_ids]
        return self._signer("Encrypt").requests(told, len(told))

    def ask(self, operation: str, /, **members: Any) -> Answered:  # noqa: ANN401 - as JSON has them
        """One call of the root's; exits when it fails."""
        return self._ask(self._signer(operation), members)

    def _signer(
        self, operation: str, by: Caller | None = None, service: Literal["kms", "cloudtrail"] = "kms"
    ) -> Signer:
        caller = by or self._root
        return Signer(self.server.url, operation, caller.access_key_id, caller.secret, service)

    def _ask(self, signer: Signer, members: Mapping[str, Any]) -> Answered:
        (request,) = signer.requests([json.dumps(members)], 1)
        used, begin = time.clock_gettime(self._worker), time.perf_counter()
        self._connection.send(request, begin)
        while (answer := self._connection.receive()) is None:
            pass
        taken, used = time.perf_counter() - begin, time.clock_gettime(self._worker) - used
        if not answer.startswith(self._connection.good):
            sys.exit(f"{members}: {answer[:600].decode(errors='replace')}")
        body = answer.partition(b"\r\n\r\n")[2]
        return Answered(json.loads(body) if body else None, Cost(taken * 1e6, used * 1e6))

    def describe_cold(self) -> Cost:
        """Describe a key that was not used before."""
        return self.ask("DescribeKey", KeyId=next(self._unused)).cost

    def encrypt_cold(self) -> Cost:
        """Encrypt with a key that was not used before."""
        return self.ask("Encrypt", KeyId=next(self._unused), Plaintext=_PLAINTEXT).cost

    def create_key(self) -> Cost:
        """Make a key."""
        return self.ask("CreateKey").cost

    def create_alias(self) -> Cost:
        """Give a key of few aliases one more, and take it away again."""
        name = f"alias/{secrets.token_hex(8)}"
        answered = self.ask("CreateAlias", AliasName=name, TargetKeyId=self._warm)
        self.ask("DeleteAlias", AliasName=name)
        return answered.cost

    def move_alias(self) -> Cost:
        """Let an alias name another key."""
        self._warm, self._other = self._other, self._warm
        return self.ask("UpdateAlias", AliasName=_ALIAS, TargetKeyId=self._warm).cost

    def list_keys(self) -> Cost:
        """A page of keys."""
        return self.ask("ListKeys", Limit=_PAGE).cost

    def list_aliases(self) -> Cost:
        """The aliases of a key."""
        return self.ask("ListAliases", KeyId=self._warm).cost

    def list_tags(self) -> Cost:
        """The tags of a key."""
        return self.ask("ListResourceTags", KeyId=self._warm).cost

    def list_grants(self) -> Cost:
        """A page of the grants on a key."""
        return self.ask("ListGrants", KeyId=self._granted, Limit=_PAGE).cost

    def list_grants_of_grantee(self) -> Cost:
        """The grants of one grantee on a key."""
        name = f"arn:aws:iam::{ACCOUNT}:user/grantee"
        return self.ask("ListGrants", KeyId=self._granted, GranteePrincipal=name).cost

    def list_retirable(self) -> Cost:
        """A page of the grants that a principal may retire."""
        return self.ask("ListRetirableGrants", RetiringPrincipal=root_arn(ACCOUNT), Limit=_PAGE).cost

    def create_grant(self) -> Cost:
        """One grant more."""
        return self._grant().cost

    def _grant(self) -> Answered:
        """A grant for nobody in particular."""
        to = f"arn:aws:sts::{ACCOUNT}:federated-user/{secrets.token_hex(8)}"
        return self.ask("CreateGrant", KeyId=self._granted, GranteePrincipal=to, Operations=["Encrypt"])

    def retire_grant(self) -> Cost:
        """Retire a grant."""
        grant_id = self._grant().body["GrantId"]
        return self.ask("RetireGrant", KeyId=key_arn(REGION, ACCOUNT, self._granted), GrantId=grant_id).cost

    def encrypt_by_grant(self) -> Cost:
        """Encrypt as somebody whom nothing but one of the grants on the key allows it."""
        signer = self._signer("Encrypt", by=self._grantee)
        return self._ask(signer, {"KeyId": self._granted, "Plaintext": _PLAINTEXT}).cost

    def look_up(self) -> Cost:
        """A page of the events of a name."""
        wanted = [{"AttributeKey": "EventName", "AttributeValue": "Decrypt"}]
        signer = self._signer("LookupEvents", service="cloudtrail")
        return self._ask(signer, {"LookupAttributes": wanted, "MaxResults": _PAGE}).cost


def _processor_clock(process: int) -> int:
    """The clock of the processor time that a process uses, in nanoseconds where others tell hundredths of seconds."""
    clock = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(process, ctypes.byref(clock))
    if error:
        raise OSError(error, os.strerror(error))
    return clock.value


CALLS: Mapping[str, Callable[[Grown], Cost]] = {
    "CreateKey": Grown.create_key,
    "DescribeKey, cold": Grown.describe_cold,
    "Encrypt, cold": Grown.encrypt_cold,
    "CreateAlias": Grown.create_alias,
    "UpdateAlias": Grown.move_alias,
    "ListKeys": Grown.list_keys,
    "ListAliases of a key": Grown.list_aliases,
    "ListResourceTags": Grown.list_tags,
    "ListGrants": Grown.list_grants,
    "ListGrants of a grantee": Grown.list_grants_of_grantee,
    "ListRetirableGrants": Grown.list_retirable,
    "CreateGrant": Grown.create_grant,
    "RetireGrant": Grown.retire_grant,
    "Encrypt by a grant": Grown.encrypt_by_grant,
    "LookupEvents": Grown.look_up,
}
