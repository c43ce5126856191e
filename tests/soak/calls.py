"""Calls of one client to all servers: each has a marker as its user agent, and is noted with what came of it."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.functional.server_process import Access
from tests.soak.ledger import FAILED, OK, REFUSED, UNANSWERED, UNKNOWN, Called, Change, Entry, Ledger

ROOT, SECOND = "root", "second"
# Longer than any pause of a server and any deadline: a call that is not answered by then is lost.
_TIMES = Config(connect_timeout=10, read_timeout=30, max_pool_connections=2)
_PAUSE = 0.05  # seconds before a client turns to another server


@dataclass(frozen=True)
class Outcome:
    """What came of a call; `code` is empty when it succeeded."""

    called: Called
    answer: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return self.called.kind

    @property
    def result(self) -> str | None:
        """OK, the code of a refusal, or None where nothing is known."""
        return {OK: OK, REFUSED: self.called.code}.get(self.called.kind)


def kind_of(status: int) -> str:
    """What an answer of this status says about the call."""
    return FAILED if status >= 500 else REFUSED if status >= 400 else OK


class Caller:
    """One client's calls. `accesses` are those of its principals, each to every server."""

    def __init__(
        self, name: str, accesses: Mapping[str, list[Access]], ledger: Ledger, chance: random.Random
    ) -> None:
        self.accesses = accesses
        self.chance = chance
        self.servers = len(accesses[ROOT])
        self.made = 0
        self.failures = 0
        self._name = name
        self._ledger = ledger
        self._clients: dict[tuple[str, str, int], Any] = {}
        self._marker = ""

    def next_marker(self) -> str:
        """A marker that no other call has."""
        self.made += 1
        return f"soak/{self._name}-{self.made}"

    def other(self, server: int) -> int:
        """Any server but this."""
        return self.chance.choice([number for number in range(self.servers) if number != server])

    def note(self, entry: Entry) -> None:
        """Add an entry to the client's ledger."""
        if isinstance(entry, Called) and entry.kind in UNKNOWN:
            self.failures += 1
        self._ledger.add(entry)

    def call(
        self, operation: str, *, server: int | None = None, who: str = ROOT, service: str = "kms",
        change: Change | None = None, limited: bool = False, **parameters: Any,
    ) -> Outcome:  # fmt: skip
        """One attempt, at one server; a random one unless told."""
        number = self.chance.randrange(self.servers) if server is None else server
        client = self._client(service, who, number)
        marker = self._marker = self.next_marker()
        sent = time.monotonic()
        answer: Mapping[str, Any] = {}
        kind, code = UNANSWERED, ""
        try:
            answer = client._make_api_call(operation, parameters)
            kind = OK
        except ClientError as error:
            answer = error.response
            code = answer["Error"]["Code"]
            kind = kind_of(answer["ResponseMetadata"]["HTTPStatusCode"])
        except BotoCoreError as error:
            code = type(error).__name__
        about = answer.get("ResponseMetadata", {})
        called = Called(
            marker, operation, number, sent, sent, time.monotonic(), kind, code, about.get("HTTPStatusCode", 0),
            about.get("RequestId", ""), change, limited,
        )  # fmt: skip
        self.note(called)
        if kind in UNKNOWN:
            time.sleep(_PAUSE)
        return Outcome(called, answer)

    def _client(self, service: str, who: str, number: int) -> Any:
        place = service, who, number
        if place not in self._clients:
            client = self.accesses[who][number].client(service, config=_TIMES)
            client.meta.events.register("before-send", self._mark)
            self._clients[place] = client
        return self._clients[place]

    def _mark(self, request: Any, **_: Any) -> None:
        request.headers["User-Agent"] = self._marker
