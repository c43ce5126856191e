"""What of the log is pruned, what stays, and that all that is left is as it was."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pysqlite3 import dbapi2
from sqlalchemy import insert, select, update

from kms_server.audit.ledger import MAIN
from kms_server.audit.record import Row
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.segments import segment_files
from kms_server.audit.table_log import TableLog
from kms_server.clock import DAY
from kms_server.config import Limits
from kms_server.errors import OperatorError
from kms_server.storage import audit_positions, audit_writers, leases, settings, trails
from kms_server.storage.audit_tables import audit_writers as writers_table
from kms_server.storage.audit_writers import START
from kms_server.storage.database import Database
from kms_server.storage.trail_tables import trail_files
from kms_server.storage.trails import Trail
from tests.databases import Place
from tests.functional.processes import Module
from tests.unit.audit.audit_rows import CHAIN_KEY, put
from tests.unit.audit.pruning_scene import Scene, dated, days_ago, planned
from tests.unit.audit.test_record import event

TRAIL = Trail("t1", "111122223333", "us-east-1", "trail", "bucket", 1.0, logging=True)


@pytest.fixture
def scene(database: Database, place: Place) -> Scene:
    return Scene(database, place.directory)


def ids(rows: list[Row]) -> list[str]:
    return [one.event_id for one in rows]


def is_embedded(scene: Scene) -> bool:
    return scene.segments is not None


def only_sqlite(scene: Scene) -> None:
    if not is_embedded(scene):
        pytest.skip("segments are embedded")


def only_postgresql(scene: Scene) -> None:
    if is_embedded(scene):
        pytest.skip("PostgreSQL has many writers in its tables")


def follow(scene: Scene, positions: dict[str, int], **changes: Any) -> None:
    with scene.database.write() as tx:
        if not trails.every(tx.connection):
            trails.add(tx, TRAIL)
        trails.change(tx, TRAIL.trail_id, **{"logging": True} | changes)
        audit_positions.put(tx.connection, TRAIL.trail_id, positions)


def test_by_age(scene: Scene) -> None:
    scene.write(20, days=100)
    scene.write(20, days=100, data=True)
    old = scene.mutate(5, days=100)
    young, data = scene.write(20, days=1), scene.write(10, days=1, data=True)
    new = scene.mutate(3, days=1)
    assert scene.prune(days=90) == 45
    assert scene.ids() == sorted(ids(young) + new)
    assert scene.ids(data=True) == ids(data)
    assert not set(old) & set(scene.ids())
    assert scene.prune(days=90) == 0


def test_nothing_goes_without_need(scene: Scene) -> None:
    scene.write(20, days=10)
    scene.mutate(5, days=10)
    assert scene.prune(days=90, most=scene.log.size()) == 0
    assert scene.prune() == 0
    assert scene.stubs == []


def test_by_size_the_oldest_goes_first(scene: Scene) -> None:
    everything = [one for days in (4, 3, 2, 1) for one in scene.write(20, days=days)]
    size = scene.log.size()
    freed = scene.prune(days=90, most=size // 2)
    assert 0 < freed < 80
    assert scene.log.size() <= size // 2
    assert scene.ids() == ids(everything[freed:])


def test_size_counts_data_events_and_the_shared_database(scene: Scene) -> None:
    empty = scene.log.size()
    scene.mutate(10, days=1)
    mutated = scene.log.size()
    scene.write(20, days=1, data=True)
    assert empty < mutated < scene.log.size()


def test_an_open_segment_stays(scene: Scene) -> None:
    only_sqlite(scene)
    rows = scene.write(15, days=100)
    assert scene.prune(days=90) == 10
    assert scene.ids() == ids(rows[10:])


def test_a_record_that_was_changed_keeps_its_own_part_alone(scene: Scene) -> None:
    only_sqlite(scene)
    changed = scene.write(10, days=101, record="{")
    scene.write(10, days=100)
    with pytest.raises(OperatorError, match="1 parts"):
        scene.prune(days=90)
    assert scene.ids() == ids(changed)


def test_a_segment_of_before_there_were_chains_may_be_empty(scene: Scene) -> None:
    """Its owner was killed between making it and the first record."""
    only_sqlite(scene)
    assert scene.segments is not None
    with closing(dbapi2.connect(str(scene.segments / "0123456789abcdef.db"))) as old:
        old.execute("CREATE TABLE audit_events (event_id TEXT PRIMARY KEY, account, region, event_name, event_source, "
                    "read_only, username, access_key_id, resource_1, resource_2, error_code, record)")  # fmt: skip
    rows = scene.write(10, days=1)
    assert scene.prune(days=90) == 0
    assert scene.ids() == ids(rows)
    assert [path.stem for path in segment_files(scene.segments)] == list(scene.journal().heads())


def test_what_a_trail_has_not_taken_stays(scene: Scene) -> None:
    scene.write(40, days=100)
    mutations = scene.mutate(6, days=100)
    heads = scene.journal().heads()
    first, *others = sorted(set(heads) - {MAIN})
    follow(scene, {first: heads[first].seq, MAIN: 2})
    held = scene.log.held(scene.pruner().holds())
    assert 0 < held < scene.log.size()
    went = scene.prune(days=90)
    assert went == heads[first].seq + 2
    left = scene.journal().heads()
    assert {writer: left[writer] for writer in others} == {writer: heads[writer] for writer in others}
    assert [one.row.event_id for one in scene.journal().after(MAIN, 2, 6)] == mutations[2:]
    follow(scene, {writer: head.seq for writer, head in heads.items()})
    assert scene.prune(days=90) == 40 + 6 - 1 - went


def test_a_trail_that_stopped_holds_while_it_has_positions(scene: Scene) -> None:
    scene.write(20, days=100)
    follow(scene, {"other": 1}, logging=False, stopped_at=1.0)
    assert scene.prune(days=90) == 0
    with scene.database.write() as tx:
        audit_positions.remove(tx.connection, TRAIL.trail_id)
    assert scene.prune(days=90) == 20


def test_the_stream_holds_unless_it_is_long_gone(scene: Scene) -> None:
    scene.write(20, days=100)
    with scene.database.write() as tx:
        audit_positions.put(tx.connection, "stream", {"other": 1})
        leases.take(tx.connection, settings.STREAM_LEASE, "a host", -DAY / 2)
    assert planned(scene.pruner(), days_ago(90), None).units == []
    with scene.database.write() as tx:
        leases.take(tx.connection, settings.STREAM_LEASE, "a host", -2 * DAY)
    assert scene.prune(days=90) == 20


def test_the_rows_of_a_file_that_is_not_delivered_stay(scene: Scene) -> None:
    scene.write(20, days=100)
    scene.mutate(6, days=100)
    heads = scene.journal().heads()
    follow(scene, {writer: head.seq for writer, head in heads.items()})
    first = min(set(heads) - {MAIN})
    file = {
        "trail_id": TRAIL.trail_id,
        "region": "us-east-1",
        "bucket": "b",
        "object_key": "k",
        "planned_at": 1.0,
    }
    with scene.database.write() as tx:
        tx.connection.execute(
            insert(trail_files).values(ranges=json.dumps({MAIN: [3, 5], first: [1, 2]}), **file)
        )
    expected = 20 - heads[first].seq + 2
    assert scene.prune(days=90) == expected
    assert scene.journal().heads()[first] == heads[first]
    with scene.database.write() as tx:
        tx.connection.execute(update(trail_files).values(delivered_at=2.0, hash="0" * 64))
    assert scene.prune(days=90) == 25 - expected


def test_undelivered_records_go_when_that_is_asked(scene: Scene) -> None:
    scene.write(20, days=100)
    follow(scene, {})
    assert scene.prune(days=90, most=0) == 0
    assert scene.prune(days=90, undelivered=True) == 20


def test_the_stub_comes_first_and_names_what_goes(scene: Scene) -> None:
    scene.write(20, days=100)
    scene.mutate(6, days=100)
    heads, entries = scene.journal().heads(), list(scene.journal().after(MAIN, 0, 6))
    rows = scene.ids()
    next(iter(scene.steps(90)))
    ((pruned, gone),) = scene.stubs
    assert scene.ids() == rows
    of_segments = heads.keys() - {MAIN} if is_embedded(scene) else set()
    ends = {writer: head for writer, head in heads.items() if writer not in of_segments}
    assert pruned == ends | {MAIN: (5, entries[4].link)}
    assert sorted(gone) == sorted(set(heads) - {MAIN})


def test_a_chain_continues_behind_what_was_pruned(scene: Scene) -> None:
    scene.mutate(8, days=100)
    entries = list(scene.journal().after(MAIN, 0, 8))
    scene.prune(days=90)
    with scene.database.read() as connection:
        (chain,) = audit_writers.chains(connection, is_data=False)
    assert chain.pruned == (7, entries[6].link)
    scene.mutate(3, days=1)
    following = list(scene.journal().after(MAIN, chain.pruned.seq, 11))
    assert [one.seq for one in following] == [8, 9, 10, 11]
    link = chain.pruned.link
    for one in following:
        link = CHAIN_KEY.link(MAIN, one.seq, one.seq, link, [one.row.record])
        assert one.link == link


def test_chains_end_at_batches(scene: Scene) -> None:
    only_postgresql(scene)
    log = scene.appending()
    log.append([dated(100, number) for number in range(7)])
    kept = [dated(100), dated(1)]
    log.append(kept)
    assert scene.prune(days=90) == 7
    assert sorted(scene.ids()) == sorted(ids(kept))


def test_a_writer_whose_chain_is_gone_begins_another(scene: Scene) -> None:
    only_postgresql(scene)
    log = scene.appending()
    scene.write(6, days=100, log=log)
    ends = scene.journal().heads()
    (former,) = ends
    assert scene.prune(days=90) == 6
    assert scene.journal().heads() == {}
    assert scene.stubs[-1] == (ends, [former])
    rows = scene.write(4, days=1, log=log)
    ((writer, head),) = scene.journal().heads().items()
    assert writer != former
    assert head.seq == 4
    assert scene.ids() == ids(rows)


def test_threads_that_change_objects_begin_others_too(scene: Scene) -> None:
    only_postgresql(scene)

    def store(days: float) -> None:
        with scene.database.index() as connection:
            scene.ledger.add(connection, event(event_id=dated(days).event_id, is_data=True))

    store(100)
    (former,) = scene.journal(data=True).heads()
    assert scene.prune(days=90) == 1
    store(1)
    ((writer, head),) = scene.journal(data=True).heads().items()
    assert writer != former
    assert head.seq == 1


def test_positions_in_chains_that_are_gone_are_forgotten(scene: Scene) -> None:
    scene.write(20, days=100)
    scene.mutate(2, days=1)
    follow(scene, {writer: head.seq for writer, head in scene.journal().heads().items()})
    scene.prune(days=90)
    with scene.database.read() as connection:
        assert audit_positions.get(connection, TRAIL.trail_id) == {MAIN: 2}


def test_rows_of_before_there_were_chains(scene: Scene) -> None:
    old, young = [dated(100, number) for number in range(10)], [dated(1, number) for number in range(3)]
    with scene.database.write() as tx:
        for one in (*old, *young):
            put(tx.connection, one)
            put(tx.connection, one, data=True)
    follow(scene, {})
    assert scene.prune(days=90) == 8 * 2
    assert scene.prune(most=0, days=0.5) == 5 * 2
    assert scene.ids() == []


@pytest.mark.parametrize("done", range(12))
def test_pruning_that_is_broken_off_between_any_two_steps_goes_on(scene: Scene, done: int) -> None:
    scene.write(20, days=100)
    scene.mutate(10, days=100)
    young = scene.write(10, days=1)
    steps = scene.steps(90)
    for _ in range(done):
        next(steps, None)
    for writer, head in scene.journal().heads().items():
        with scene.database.read() as connection:
            chains = {one.writer: one.pruned for one in audit_writers.chains(connection, is_data=False)}
        at = chains.get(writer, START).seq
        assert [one.seq for one in scene.journal().after(writer, 0, head.seq)] == list(
            range(at + 1, head.seq + 1)
        )
    scene.prune(days=90)
    assert len(scene.ids()) == 11
    assert set(ids(young)) < set(scene.ids())


@pytest.mark.parametrize("left", [".full", ".sealed", ".db-wal", ".lock"])
def test_remains_of_a_segment_are_cleared(scene: Scene, left: str) -> None:
    """A crash while the files are removed leaves a tail of their order."""
    only_sqlite(scene)
    assert scene.segments is not None
    scene.write(20, days=100)
    path = segment_files(scene.segments)[0]
    order = [".db", ".full", ".sealed", ".db-shm", ".db-wal", ".lock"]
    path.with_suffix(".db-wal").touch()
    for suffix in order[: order.index(left)]:
        path.with_suffix(suffix).unlink(missing_ok=True)
    assert len(scene.ids()) == 10
    SegmentLog(scene.segments, Limits(segment_rows=10), CHAIN_KEY).append([dated(1)])
    scene.prune(days=90)
    assert not [name for name in scene.files() if name.startswith(path.stem)]
    assert len(scene.ids()) == 1


def test_a_damaged_segment_stays_and_the_others_go(scene: Scene) -> None:
    only_sqlite(scene)
    assert scene.segments is not None
    scene.write(30, days=100)
    damaged = segment_files(scene.segments)[1]
    steps = scene.steps(90)
    damaged.write_bytes(b"no database" * 1_000)
    with pytest.raises(OperatorError, match="1 part"):
        list(steps)
    assert segment_files(scene.segments) == [damaged]
    assert list(scene.steps(90)) == []
    follow(scene, {damaged.stem: 10, "0" * 16: 10})
    scene.pruner().forget_positions()
    with scene.database.read() as connection:
        assert audit_positions.get(connection, TRAIL.trail_id) == {damaged.stem: 10}


def test_processes_that_prune_at_once(scene: Scene, place: Place) -> None:
    scene.write(200, days=100)
    scene.mutate(60, days=100)
    young = scene.write(10, days=1)
    command = ["tests.unit.audit.pruning_scene", days_ago(90), *place.arguments()]
    running = [Module(*command) for _ in range(3)]
    went = [int(one.finish()) for one in running]
    assert sum(went) <= 259
    scene.prune(days=90)
    assert len(scene.ids()) == 11
    assert set(ids(young)) < set(scene.ids())
    with scene.database.read() as connection:
        main = next(one for one in audit_writers.chains(connection, is_data=False) if one.writer == MAIN)
    assert (main.pruned.seq, main.head.seq) == (59, 60)


def test_room_of_pruned_rows_is_used_again(scene: Scene, place: Place) -> None:
    only_sqlite(scene)
    path = place.directory / "keys.db"
    sizes = []
    for _ in range(4):
        with scene.database.write() as tx:
            for number in range(300):
                put(tx.connection, dated(100, number))
        assert scene.database.erase_freed_pages()
        sizes.append(path.stat().st_size)
        assert scene.prune(days=90) == 300
    assert sizes[1] <= sizes[0] * 1.1
    assert sizes[-1] == sizes[1]


def test_rows_go_in_batches(scene: Scene) -> None:
    scene.mutate(20, days=100)
    numbers = []
    for _ in scene.steps(90):
        with scene.database.read() as connection:
            numbers.append(connection.execute(select(writers_table.c.pruned_seq)).scalar_one())
        assert scene.in_table() == 20 - numbers[-1]
    assert sorted(set(numbers)) == [0, 4, 8, 12, 16, 19]


def test_only_a_log_that_was_not_pruned_is_moved(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("a segment has one owner")
    table = writers_table
    log = TableLog(database.engine, Scene(database, Path()).log.parts[0].table, CHAIN_KEY)
    log.append([dated(1)])
    with database.index() as connection:
        connection.execute(update(table).values(seq=7))
    log.append([dated(1)])
    with database.read() as connection:
        assert sorted(connection.execute(select(table.c.seq)).scalars()) == [1, 7]
