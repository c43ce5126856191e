"""What is damaged in the database or the root key's file is noticed, and nothing else suffers.

Of the audit log, test_audit_tampering; of objects, test_s3_tampering.
"""

import json
import logging
import os
import random
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, text, update

from kms_server.config import Settings
from kms_server.errors import OperatorError, UnsupportedOperationException
from kms_server.operations.registry import find
from kms_server.root_keys.ring import prefix_of
from kms_server.server.state import open_state
from kms_server.storage.scopes import key_scope
from kms_server.storage.tables import backing_keys, keys
from tests.databases import prepared
from tests.unit.operations.record_calls import body_of, responded
from tests.unit.operations.service import REGION, Service

WHOLE = os.environ.get("KMS_TEST_SOAK") == "1"
DAY = 86_400.0
PAGE = 4_096


def asked(service: Service, name: str, **members: Any) -> dict[str, Any]:
    """What a call is answered, be it an error."""
    operation = find("kms", name)
    answer: dict[str, Any] = json.loads(responded(service, operation, body_of(operation, members)).body)
    return answer


class Pair:
    """A key to be damaged, and another one."""

    def __init__(self, service: Service, **members: Any) -> None:
        self.service = service
        self.victim, self.other = (service.key(**members)["KeyId"] for _ in range(2))
        self.blobs = {key: self.encrypted(key) for key in (self.victim, self.other)}

    def encrypted(self, key: str) -> bytes:
        blob: bytes = self.service.ok("Encrypt", KeyId=key, Plaintext=key.encode())["CiphertextBlob"]
        return blob

    def decrypted(self, key: str) -> str:
        """What the key's ciphertext opens to, or the code of the error."""
        answer = asked(self.service, "Decrypt", CiphertextBlob=self.blobs[key])
        return answer["__type"] if "__type" in answer else b64decode(answer["Plaintext"]).decode()

    def change(self, table: Table, key: str, values: dict[str, Any]) -> None:
        """Damage the rows of a key, as if nobody had seen to constraints."""
        with self.service.database.write() as tx:
            tx.connection.execute(text("PRAGMA ignore_check_constraints = ON"))
            tx.connection.execute(update(table).where(table.c.key_id == key).values(values))
            tx.connection.execute(text("PRAGMA ignore_check_constraints = OFF"))
            tx.mark(key_scope(key, REGION))

    @contextmanager
    def damaged(self, table: Table, values: dict[str, Any]) -> Iterator[None]:
        """The victim's row is different until the block ends."""
        with self.service.database.read() as connection:
            row = connection.execute(table.select().where(table.c.key_id == self.victim)).one()
        self.change(table, self.victim, values)
        try:
            yield
        finally:
            self.change(table, self.victim, {name: row._mapping[name] for name in values})
        assert self.decrypted(self.victim) == self.victim

    def others_go_on(self) -> None:
        assert self.decrypted(self.other) == self.other
        self.encrypted(self.other)
        assert self.service.state_of(self.other) == "Enabled"
        listed = {one["KeyId"] for one in self.service.ok("ListKeys", Limit=1000)["Keys"]}
        assert {self.victim, self.other} <= listed
        self.service.key()


@pytest.fixture(scope="module")
def pair(service: Service) -> Pair:
    return Pair(service)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("service") / "data")
    yield made
    made.close()


@pytest.mark.timeout(1_200 if WHOLE else 120)
def test_wrapped_material_that_was_changed(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    with pair.service.database.read() as connection:
        rows = connection.execute(backing_keys.select().where(backing_keys.c.key_id == pair.victim))
        wrapped = rows.one().wrapped
    # Before it stands the version of the root key, which the database itself does not let anybody change to another.
    first = len(prefix_of(1))
    places = range(first, len(wrapped)) if WHOLE else (first, first + 1, len(wrapped) // 2, len(wrapped) - 1)
    with caplog.at_level(logging.ERROR):
        for place in places:
            flipped = bytearray(wrapped)
            flipped[place] ^= 1 << place % 8
            with pair.damaged(backing_keys, {"wrapped": bytes(flipped)}):
                assert pair.decrypted(pair.victim) == "KeyUnavailableException"
                refused = asked(pair.service, "Encrypt", KeyId=pair.victim, Plaintext=b"x")
                assert refused["__type"] == "KeyUnavailableException"
                pair.others_go_on()
    assert pair.victim in caplog.text


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("spec", "HMAC_256", "KMSInternalException"),
        ("spec", "NO_SUCH_SPEC", "KeyUnavailableException"),
        ("usage", "SIGN_VERIFY", "InvalidKeyUsageException"),
        ("origin", "AWS_CLOUDHSM", "KeyUnavailableException"),
        ("state", "Sleeping", "KMSInternalException"),
        ("policy", '{"Statement":', "KeyUnavailableException"),
        ("policy", "", "KeyUnavailableException"),
    ],
)
def test_a_column_that_was_changed(pair: Pair, column: str, value: str, code: str) -> None:
    with pair.damaged(keys, {column: value}):
        assert pair.decrypted(pair.victim) == code
        pair.others_go_on()


def test_what_falls_due_beside_a_damaged_key(service: Service) -> None:
    pairs = Pair(service)
    first, second = sorted((pairs.victim, pairs.other))
    for key in (first, second):
        service.ok("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
    pairs.change(keys, first, {"spec": "NO_SUCH_SPEC"})
    with pytest.raises(UnsupportedOperationException):
        service.advance(91 * DAY)
    assert len(service.ok("ListKeyRotations", KeyId=second)["Rotations"]) == 1


def test_pages_that_were_overwritten(tmp_path: Path) -> None:
    """Never a wrong plaintext; keys on other pages open."""
    directory = tmp_path / "data"
    service = Service(directory)
    pair = Pair(service)
    for _ in range(30):
        made = service.key()["KeyId"]
        pair.blobs[made] = pair.encrypted(made)
    with service.database.read() as connection:
        materials = [row.wrapped for row in connection.execute(backing_keys.select())]
    service.close()
    chance = random.Random(1)
    database = directory / "keys.db"
    whole = database.read_bytes()
    pages = sorted({whole.find(material) // PAGE for material in materials})
    assert len(pages) > 1
    for page in pages if WHOLE else pages[:1]:
        changed = bytearray(whole)
        changed[page * PAGE : (page + 1) * PAGE] = chance.randbytes(PAGE)
        database.write_bytes(changed)
        pair.service = Service(directory)
        answers = [(key, pair.decrypted(key)) for key in pair.blobs]
        pair.service.close()
        damaged = {answer for key, answer in answers if answer != key}
        assert damaged == {"KMSInternalException"}
        assert sum(answer == key for key, answer in answers) > 5


def test_a_root_key_that_was_changed(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "data")
    prepared(settings)
    open_state(settings).database.close()
    whole = settings.root_key_file.read_bytes()
    places = range(len(whole)) if WHOLE else (0, 20, 22, 24, 50, len(whole) - 1)
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1
        settings.root_key_file.write_bytes(changed)
        with pytest.raises(OperatorError):
            open_state(settings)
    settings.root_key_file.write_bytes(whole)
    open_state(settings).database.close()
