"""The keys that sign digests: one at a time, followed by others, and none that was slipped in."""

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kms_server.audit.chain import ChainKey
from kms_server.audit.signing import LIFETIME, SigningKeys
from kms_server.crypto.wrap import WrapError
from kms_server.storage import signing_keys
from kms_server.storage.database import Database
from kms_server.storage.signing_keys import KeptKey
from tests.databases import Place
from tests.functional.processes import Module
from tests.root_keys import root_of
from tests.unit.audit.signing_process import SECRET

NOW, DAY = 1_700_000_000.0, 86_400.0
PROCESSES = 4


@pytest.fixture
def keys(database: Database) -> SigningKeys:
    return SigningKeys(database, root_of(SECRET), ChainKey(SECRET))


def kept(database: Database) -> list[KeptKey]:
    with database.read() as connection:
        return signing_keys.between(connection, 0.0, 2 * NOW)


def change(database: Database, key: KeptKey) -> None:
    with database.write() as tx:
        signing_keys.replace(tx, key)


def test_a_key_is_made_when_it_is_needed_and_stays(database: Database, keys: SigningKeys) -> None:
    assert keys.between(0.0, 2 * NOW) == []
    made = keys.current(NOW).public
    assert (made.starts_at, made.ends_at) == (NOW, NOW + LIFETIME)
    assert made.fingerprint == hashlib.md5(made.der, usedforsecurity=False).hexdigest()
    public = load_der_public_key(made.der)
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.key_size == 2048
    assert keys.current(NOW + LIFETIME - 1).public == made
    assert keys.find(made.fingerprint) == made
    assert keys.find("0" * 32) is None
    assert len(kept(database)) == 1


def test_processes_that_read_their_clocks_one_after_the_other_make_one_key(
    database: Database, keys: SigningKeys
) -> None:
    made = keys.current(NOW + 1).public
    assert keys.current(NOW).public == made
    assert len(kept(database)) == 1


def test_signatures(database: Database, keys: SigningKeys) -> None:
    key = keys.current(NOW)
    signature = key.sign(b"digest")
    assert keys.current(NOW).sign(b"digest") == signature
    assert key.public.verifies(signature, b"digest")
    assert not key.public.verifies(signature, b"Digest")
    assert not key.public.verifies(signature[:-1] + bytes([signature[-1] ^ 1]), b"digest")
    assert not keys.rotate(NOW + 1).public.verifies(signature, b"digest")
    assert len(kept(database)) == 2


def test_the_private_half_is_kept_wrapped_and_shown_nowhere(database: Database, keys: SigningKeys) -> None:
    key = keys.current(NOW)
    (row,) = kept(database)
    assert row.wrapped is not None
    assert row.public_key not in row.wrapped
    assert row.wrapped.hex() not in repr(row)
    assert "RSAPrivateKey" not in repr(key)
    other_root = SigningKeys(database, root_of(b"\1" * 32), ChainKey(SECRET))
    with pytest.raises(WrapError):
        other_root.current(NOW)


def test_the_next_key_follows_when_the_time_is_over(database: Database, keys: SigningKeys) -> None:
    first = keys.current(NOW).public
    second = keys.current(NOW + LIFETIME).public
    assert second.fingerprint != first.fingerprint
    assert second.starts_at == NOW + LIFETIME
    assert keys.find(first.fingerprint) == first
    assert len(kept(database)) == 2


def test_rotation_ends_the_time_of_the_key_before(keys: SigningKeys) -> None:
    first = keys.current(NOW).public
    second = keys.rotate(NOW + DAY).public
    assert keys.current(NOW + DAY).public == second
    assert keys.find(first.fingerprint) == replace(first, ends_at=NOW + DAY)
    assert keys.between(NOW, NOW + 1) == [replace(first, ends_at=NOW + DAY)]
    assert keys.between(NOW + DAY + 1, NOW + DAY + 2) == [second]
    assert keys.between(0.0, 2 * NOW) == [replace(first, ends_at=NOW + DAY), second]


def test_private_halves_are_erased_a_day_after_their_time(database: Database, keys: SigningKeys) -> None:
    first = keys.current(NOW).public
    signature = keys.current(NOW).sign(b"digest")
    keys.rotate(NOW + DAY)
    keys.rotate(NOW + 2 * DAY)
    assert [row.wrapped is None for row in kept(database)] == [False, False, False]
    keys.rotate(NOW + 2 * DAY + 1)
    assert [row.wrapped is None for row in kept(database)] == [True, False, False, False]
    known = keys.find(first.fingerprint)
    assert known is not None
    assert known.verifies(signature, b"digest")


def test_a_key_that_comes_by_itself_erases_too(database: Database, keys: SigningKeys) -> None:
    keys.current(NOW)
    keys.current(NOW + LIFETIME)
    assert [row.wrapped is None for row in kept(database)] == [False, False]
    keys.current(NOW + 2 * LIFETIME + DAY + 1)
    assert [row.wrapped is None for row in kept(database)] == [True, True, False]


def test_a_changed_key_is_not_ours(database: Database, keys: SigningKeys) -> None:
    made = keys.current(NOW).public
    (row,) = kept(database)
    for changed in (
        replace(row, public_key=bytes(len(row.public_key))),
        replace(row, starts_at=NOW - DAY),
        replace(row, ends_at=NOW + 2 * LIFETIME),
        replace(row, proof=bytes(32)),
    ):
        change(database, changed)
        assert keys.find(made.fingerprint) is None
        assert keys.between(0.0, 2 * NOW) == []
    assert keys.current(NOW).public.fingerprint != made.fingerprint
    change(database, row)
    assert keys.find(made.fingerprint) == made


def test_a_key_of_another_server_is_not_ours(database: Database, keys: SigningKeys) -> None:
    other = SigningKeys(database, root_of(SECRET), ChainKey(b"\1" * 32))
    foreign = other.current(NOW + DAY).public
    assert keys.find(foreign.fingerprint) is None
    assert keys.between(0.0, 2 * NOW) == []
    own = keys.current(NOW + DAY).public
    assert own.fingerprint != foreign.fingerprint
    assert keys.between(0.0, 2 * NOW) == [own]
    assert other.between(0.0, 2 * NOW) == [foreign]


def test_several_processes_make_one_key(place: Place, database: Database, keys: SigningKeys) -> None:
    running = [
        Module("tests.unit.audit.signing_process", *place.arguments(), str(NOW)) for _ in range(PROCESSES)
    ]
    assert [process.stdout.readline() for process in running] == ["ready\n"] * PROCESSES
    for process in running:
        process.stdin.write("go\n")
    told = {process.finish() for process in running}
    assert told == {f"{keys.current(NOW).public.fingerprint}\n"}
    assert len(kept(database)) == 1
