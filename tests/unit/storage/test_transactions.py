"""Write transactions take turns, over processes; each stamps what it changed, or leaves nothing."""

import fcntl
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from kms_server.keys.states import KeyState
from kms_server.storage import (
    access_keys,
    aliases,
    attachments,
    identities,
    identity_tags,
    injected_faults,
    inline_policies,
    keys,
    limits,
    managed_policies,
    memberships,
    settings,
    tables,
    tags,
)
from kms_server.storage.database import Database, Transaction, changed_since, initialise, latest_change
from kms_server.storage.scopes import key_scope
from kms_server.storage.writer_lock import WriterLock
from tests.databases import Place
from tests.functional.processes import Module
from tests.unit.audit.audit_rows import put, row
from tests.unit.storage.storage_rows import (
    ACCOUNT,
    REGION,
    access_key,
    alias,
    backing,
    group,
    key,
    managed,
    stored_key,
    user,
)

TRANSACTIONS = 60


def process(what: str, place: Place, often: int) -> Module:
    """Another process on the same database."""
    return Module("tests.unit.storage.storage_process", what, *place.arguments(), str(often))


def line(other: Module) -> str:
    return other.stdout.readline().strip()


def kill(other: Module) -> None:
    with other:
        other.kill()


def changed(database: Database, since: int) -> set[str]:
    """What was committed after `since`."""
    with database.read() as connection:
        return set(changed_since(connection, since))


def newest(database: Database) -> int:
    with database.read() as connection:
        return latest_change(connection)


KEY = "11111111-1111-1111-1111-111111111111"
MADE = key(key_id=KEY)
OWN, NAME = key_scope(KEY, REGION), aliases.scope(ACCOUNT, REGION, "alias/a")
MIRA, STAFF, POLICY = user(), group(), managed()
HERS = access_key(MIRA)
ALL, HER_SCOPE = identities.account_scope(ACCOUNT), identities.access_scope(HERS.access_key_id)
FAULT = injected_faults.InjectedFault(None, 1.0, "1", None, 0.0)
OWNER = identity_tags.Owner(ACCOUNT, MIRA.unique_id, ignores_case=True)
CHANGES: list[tuple[Callable[[Transaction], Any], set[str]]] = [
    (lambda tx: keys.change(tx, MADE, state=KeyState.DISABLED), {OWN}),
    (lambda tx: keys.add_backing_key(tx, MADE, backing(2)), {OWN}),
    (lambda tx: tags.put(tx, MADE, {"a": "b"}), {OWN}),
    (lambda tx: tags.remove(tx, MADE, ["a"]), {OWN}),
    (lambda tx: aliases.add(tx, alias(KEY, "alias/b")), {OWN, aliases.scope(ACCOUNT, REGION, "alias/b")}),
    (lambda tx: aliases.point(tx, alias(KEY), KEY, 2.0), {OWN, NAME}),
    (lambda tx: aliases.remove(tx, alias(KEY)), {OWN, NAME}),
    (lambda tx: keys.remove(tx, MADE, 3.0), {OWN, NAME}),
    (lambda tx: limits.put(tx, limits.SetLimit("a", 1.0, None)), {limits.SCOPE}),
    (lambda tx: limits.remove(tx, "a"), {limits.SCOPE}),
    (lambda tx: injected_faults.add(tx, FAULT), {injected_faults.SCOPE}),
    (lambda tx: injected_faults.remove(tx, FAULT.fault_id), {injected_faults.SCOPE}),
    (lambda tx: settings.put(tx, settings.CLOCK_OFFSET, "1.0"), {settings.CLOCK_SCOPE}),
    (lambda tx: settings.put(tx, settings.MODE, "dev"), set()),
    (lambda tx: put(tx.connection, row()), set()),
    (lambda tx: identities.add(tx, user("new")), {ALL}),
    (lambda tx: identities.change(tx, MIRA, path="/x/"), {ALL}),
    (lambda tx: memberships.add(tx, MIRA, STAFF), {ALL}),
    (lambda tx: memberships.remove(tx, MIRA, STAFF), {ALL}),
    (lambda tx: inline_policies.put(tx, MIRA, "p", "{}"), {ALL}),
    (lambda tx: inline_policies.remove(tx, MIRA, "p"), {ALL}),
    (lambda tx: attachments.add(tx, MIRA, POLICY.arn), {ALL}),
    (lambda tx: attachments.remove(tx, MIRA, POLICY.arn), {ALL}),
    (lambda tx: managed_policies.add(tx, managed("other"), "{}"), {ALL}),
    (lambda tx: managed_policies.add_version(tx, POLICY, "{}", 6.0, is_default=False), {ALL}),
    (lambda tx: managed_policies.set_default(tx, POLICY, 1, 6.0), {ALL}),
    (lambda tx: managed_policies.remove_version(tx, POLICY, 2, 6.0), {ALL}),
    (lambda tx: identity_tags.put(tx, OWNER, {"a": "b"}), {ALL}),
    (lambda tx: identity_tags.remove(tx, OWNER, ["a"]), {ALL}),
    (lambda tx: access_keys.set_status(tx, HERS, access_keys.INACTIVE), {HER_SCOPE}),
    (lambda tx: access_keys.set_secret(tx, HERS, HERS.wrapped_secret), {HER_SCOPE}),
    (lambda tx: identities.remove(tx, MIRA), {ALL, HER_SCOPE}),
    (lambda tx: access_keys.remove(tx, HERS), {HER_SCOPE}),
    (lambda tx: managed_policies.remove(tx, POLICY), {ALL}),
]


@pytest.fixture
def furnished(database: Database) -> Database:
    """A database with a key, its alias and an account."""
    stored_key(database, key_id=KEY)
    with database.write() as tx:
        aliases.add(tx, alias(KEY))
        identities.add_account(tx, ACCOUNT)
        for one in (MIRA, STAFF):
            identities.add(tx, one)
        access_keys.add(tx, HERS)
        managed_policies.add(tx, POLICY, "{}")
    return database


def take_back(database: Database, verb: Callable[[Transaction], Any], scopes: set[str]) -> None:
    """Do it, look from inside and outside, and fail."""
    before = newest(database)
    with database.write() as tx:
        verb(tx)
        assert set(changed_since(tx.connection, before)) == scopes
        assert changed(database, before) == set()
        raise LookupError


def test_every_verb_stamps_what_it_changes_with_its_own_transaction(furnished: Database) -> None:
    for verb, scopes in CHANGES:
        before = newest(furnished)
        with pytest.raises(LookupError):
            take_back(furnished, verb, scopes)
        assert newest(furnished) == before
        assert changed(furnished, before) == set()
    secret = access_key()
    for verb, scopes in [
        *((verb, scopes) for verb, scopes in CHANGES if NAME not in scopes),
        (lambda tx: access_keys.add(tx, secret), {identities.access_scope(secret.access_key_id)}),
        (lambda tx: keys.remove(tx, MADE, 3.0), {OWN, NAME, aliases.scope(ACCOUNT, REGION, "alias/b")}),
    ]:
        before = newest(furnished)
        with furnished.write() as tx:
            verb(tx)
        assert tx.stamp == newest(furnished) == before + 1
        assert changed(furnished, before) == scopes


def test_a_fresh_schema_is_furnished_once(database: Database) -> None:
    with database.write() as tx:
        initialise(tx.connection)
    assert newest(database) == 1


def test_a_view_is_of_one_moment(database: Database) -> None:
    made = stored_key(database)
    with database.read() as connection:
        before = latest_change(connection)
        with database.write() as tx:
            keys.remove(tx, made, 1.0)
        assert latest_change(connection) == before
        assert len(keys.get_backing_keys(connection, made)) == 1
    assert newest(database) == before + 1


def test_writers_take_turns_and_no_change_is_missed(database: Database, place: Place) -> None:
    writers = [process("mark", place, TRANSACTIONS) for _ in range(3)]
    told: list[list[str]] = []
    listeners = [threading.Thread(target=lambda one=one: told.append(list(one.stdout))) for one in writers]
    for listener in listeners:
        listener.start()
    seen: dict[str, int] = {}
    latest = 0
    while any(listener.is_alive() for listener in listeners):
        with database.read() as connection:
            now = latest_change(connection)
            found = changed_since(connection, latest)
            stamps = list(
                connection.execute(select(tables.changes.c.value).where(tables.changes.c.value > latest))
            )
        assert now >= latest
        assert all(value <= now for (value,) in stamps)
        assert seen.keys().isdisjoint(found)
        seen |= dict.fromkeys(found, now)
        latest = now
    for writer in writers:
        with writer:
            assert writer.wait(60) == 0
    seen |= dict.fromkeys(changed(database, latest), newest(database))
    of_each = [[(int(entry.split()[0]), entry.split()[1]) for entry in lines] for lines in told]
    assert all(of_one == sorted(of_one) for of_one in of_each)
    everything = dict(entry for of_one in of_each for entry in of_one)
    assert sorted(everything) == list(range(1, 2 * TRANSACTIONS + 1))
    assert set(seen) == set(everything.values())
    assert newest(database) == 2 * TRANSACTIONS


def test_a_killed_holder_of_the_lock_keeps_nobody_waiting(tmp_path: Path) -> None:
    place, path = Place(tmp_path, None), tmp_path / "writer.lock"
    holder = process("hold", place, 600)
    assert line(holder) == "held"
    descriptor = os.open(path, os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)
    taken = threading.Event()

    def wait() -> None:
        with WriterLock(path).held():
            taken.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not taken.wait(0.2)
    kill(holder)
    assert taken.wait(10)
    waiting.join()


def test_a_killed_writer_leaves_nothing_and_keeps_nobody_waiting(database: Database, place: Place) -> None:
    before = newest(database)
    writer = process("half", place, 600)
    stamp = int(line(writer))
    assert stamp == before + 1
    assert changed(database, before) == set()
    kill(writer)
    with database.write() as tx:
        assert tx.stamp == stamp
    assert changed(database, before) == set()


def test_a_paused_writer_keeps_nobody_waiting_for_good_and_is_refused(
    database: Database, place: Place
) -> None:
    """A host sleeps in its transaction, and goes on when others have had their turn."""
    if place.url is None:
        pytest.skip("all processes of the embedded store are of one host")
    hasty = replace(place, url=f"{place.url}&options=-c%20idle_in_transaction_session_timeout%3D300ms")
    before = newest(database)
    with process("half", hasty, 1) as writer:
        stamp = int(line(writer))
        os.kill(writer.pid, signal.SIGSTOP)
        with database.write() as tx:
            assert tx.stamp == stamp
            tx.mark("others")
        os.kill(writer.pid, signal.SIGCONT)
        assert writer.wait(60) == 1
    assert changed(database, before) == {"others"}
