"""One client: it owns its keys, changes and uses them, and knows at each moment what it may be answered."""

import random
import time
from collections.abc import Callable
from hashlib import sha256
from multiprocessing.sharedctypes import Synchronized, SynchronizedArray
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from tests.functional.server_process import Access
from tests.soak.calls import ROOT, SECOND, Caller, Outcome
from tests.soak.ledger import OK, REFUSED, Change, Ledger, Sealed, Violation
from tests.soak.model import Cell, Key, possible
from tests.soak.readings import ACTIVE, read

ACCOUNT = "arn:aws:iam::000000000000"
_REMEMBERED = 300  # ciphertexts that a client may decrypt again
_STALE_FOR = 5.0  # seconds for which an old answer is asked about again


class Told(NamedTuple):
    """What a client is told at its begin; `limited` is a key with a limit that all clients use."""

    name: str
    accesses: dict[str, list[Access]]
    user: str
    limited: str
    directory: Path
    seed: int


class Blob(NamedTuple):
    """A ciphertext and what Decrypt must give."""

    key: Key
    request: dict[str, Any]
    digest: str


class Client:
    """What actions share: calls, the model, and judgement of answers."""

    def __init__(self, told: Told, ledger: Ledger) -> None:
        self.told = told
        self.chance = random.Random(told.seed)
        self.caller = Caller(told.name, told.accesses, ledger, self.chance)
        self.keys: list[Key] = []
        self.access = Cell(f"access {told.user} {told.accesses[SECOND][0].access_key_id}", ACTIVE)
        self.user_arn = f"{ACCOUNT}:user/{told.user}"
        self.special: dict[str, str] = {}  # keys for MACs and signatures, by spec
        self.aliases: list[Cell] = []
        self.blobs: list[Blob] = []
        self.numbers = 0

    def number(self) -> int:
        """A number that the client uses once."""
        self.numbers += 1
        return self.numbers

    def violated(self, kind: str, text: str) -> None:
        """Note what must not be."""
        self.caller.note(Violation(kind, f"client {self.told.name}: {text}"))

    def change(self, cell: Cell, value: str, operation: str, **parameters: Any) -> Outcome:
        """Change a cell whose value is known."""
        outcome = self.caller.call(operation, change=Change(cell.name, value), **parameters)
        if outcome.kind == OK:
            cell.acknowledged(value)
        elif outcome.kind == REFUSED:
            self.violated("refused change", f"{operation}: {outcome.called.code}, {outcome.called.marker}")
        else:
            cell.uncertain(value)
        return outcome

    def read(self, cell: Cell, server: int | None = None) -> str | None:
        """What a server says of a cell, None where it says nothing."""
        failed: list[Outcome] = []

        def ask(operation: str, **parameters: Any) -> Any:
            outcome = self.caller.call(operation, server=server, **parameters)
            if outcome.kind != OK:
                failed.append(outcome)
                raise ClientError({"Error": {"Code": outcome.called.code}}, operation)
            return outcome.answer

        try:
            return read(ask, cell.name)
        except ClientError:
            if failed[-1].kind == REFUSED:
                self.violated("refused read", f"{cell.name}: {failed[-1].called}")
            return None

    def look(self, cell: Cell, server: int) -> None:
        """Ask a server for a cell; an old value is asked about again until it is the new one."""
        asked = time.monotonic()
        value = self.read(cell, server)
        if value is None or value in cell.may:
            return
        age, found = asked - cell.changed, value
        until = asked + _STALE_FOR
        while found not in cell.may and time.monotonic() < until:
            found = self.read(cell, server) or found
        lag = time.monotonic() - cell.changed
        kind = "stale read" if found in cell.may else "wrong value"
        self.violated(kind, f"{cell.name} on server {server}: {value}, may be {cell.may}; asked {age:.3f} s after the "
                      f"answer, and so for {lag:.3f} s")  # fmt: skip

    def judge(self, outcome: Outcome, keys: list[Key], who: str, allowed: set[str]) -> None:
        """Whether a use of keys was answered as it may be."""
        if outcome.result is None or outcome.result in allowed:
            return
        cells = [self.access, *(cell for key in keys for cell in key.cells())]
        newest = max(cells, key=lambda cell: cell.changed)
        was = set().union(*(possible(key, self.access, who, before=cells) for key in keys))
        kind = "stale answer" if outcome.result in was else "wrong answer"
        age = outcome.called.sent - newest.changed
        self.violated(kind, f"{outcome.called.operation} by {who} of {[key.key_id for key in keys]} on server {outcome.called.server}: "
                      f"{outcome.result}, may be {allowed}; sent {age:.3f} s after {newest.name} became {newest.may}; "
                      f"{outcome.called.marker}")  # fmt: skip

    def use(self, key: Key, who: str = ROOT, server: int | None = None) -> None:
        """Encrypt, make a data key, or decrypt, and judge the answer."""
        kept = [blob for blob in self.blobs if blob.key is key]
        way = self.chance.choice([self.encrypt, self.data_key, self.decrypt])
        allowed = possible(key, self.access, who)
        outcome = way(key, who, server, kept)
        self.judge(outcome, [key], who, allowed)

    def encrypt(self, key: Key, who: str, server: int | None, _: list[Blob]) -> Outcome:
        plaintext = self.chance.randbytes(self.chance.choice([1, 32, 200]))
        about: dict[str, Any] = (
            {"EncryptionContext": {"number": str(self.number())}} if self.chance.random() < 0.3 else {}
        )
        outcome = self.caller.call(
            "Encrypt", who=who, server=server, KeyId=key.arn, Plaintext=plaintext, **about
        )
        if outcome.kind == OK:
            self.remember(key, outcome.answer["CiphertextBlob"], plaintext, about)
        return outcome

    def data_key(self, key: Key, who: str, server: int | None, _: list[Blob]) -> Outcome:
        outcome = self.caller.call(
            "GenerateDataKey", who=who, server=server, KeyId=key.arn, KeySpec="AES_256"
        )
        if outcome.kind == OK:
            self.remember(key, outcome.answer["CiphertextBlob"], outcome.answer["Plaintext"], {})
        return outcome

    def decrypt(self, key: Key, who: str, server: int | None, kept: list[Blob]) -> Outcome:
        if not kept:
            return self.encrypt(key, who, server, kept)
        blob = self.chance.choice(kept)
        outcome = self.caller.call("Decrypt", who=who, server=server, **blob.request)
        if outcome.kind == OK and sha256(outcome.answer["Plaintext"]).hexdigest() != blob.digest:
            self.violated("wrong plaintext", f"{outcome.called.marker}")
        return outcome

    def remember(self, key: Key, ciphertext: bytes, plaintext: bytes, about: dict[str, Any]) -> None:
        """Keep what was acknowledged: it must open as long as its key is there."""
        digest = sha256(plaintext).hexdigest()
        blob = Blob(key, {"CiphertextBlob": ciphertext, **about}, digest)
        self.caller.note(Sealed("Decrypt", blob.request | {"CiphertextBlob": ciphertext.hex()}, digest))
        if len(self.blobs) < _REMEMBERED:
            self.blobs.append(blob)
        else:
            self.blobs[self.chance.randrange(_REMEMBERED)] = blob

    def settle(self) -> None:
        """Ask for what has become certain meanwhile."""
        for cell in [self.access, *self.aliases, *(cell for key in self.keys for cell in key.cells())]:
            if len(cell.may) > 1 and not cell.is_settling:
                value = self.read(cell)
                if value is not None and value not in cell.may:
                    self.violated("wrong value", f"{cell.name}: {value}, may be {cell.may}")
                if value is not None:
                    cell.observed(value)


def run(told: Told, act: Callable[[Client], None], until: "Synchronized[float]",
        counts: "SynchronizedArray[int]", number: int) -> None:  # fmt: skip
    """Work until the time comes, which is in monotonic seconds; `counts` has two places for each client."""
    ledger = Ledger(told.directory / f"client-{told.name}.jsonl")
    client = Client(told, ledger)
    try:
        while time.monotonic() < until.value:
            act(client)
            client.settle()
            counts[2 * number : 2 * number + 2] = [client.caller.made, client.caller.failures]
    finally:
        ledger.close()
