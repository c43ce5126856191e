"""Questions to a log that grows, is sealed and is pruned meanwhile."""

import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysqlite3 import dbapi2

from kms_server.audit import event_id, marks
from kms_server.audit.lookup import lookup
from kms_server.audit.record import Row
from kms_server.audit.sealing import seal
from kms_server.audit.segment_list import segment_list
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.segments import segment_files
from kms_server.config import Limits
from tests.unit.audit.audit_rows import CHAIN_KEY, places, query, row

LIMITS = Limits(segment_rows=10)
START = 1_790_000_000
NAMES = ("Encrypt", "Decrypt", "CreateKey")


class GrowingLog:
    """Two writers of one directory; their rows have rising times, except for some that come late."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writers = [SegmentLog(directory, LIMITS, CHAIN_KEY) for _ in range(2)]
        self.sources = places(directory)
        self.rows: list[Row] = []

    def append(self, writer: int, names: list[str], late: int) -> None:
        """A batch of one writer; its times are up to `late` seconds before what they would be."""
        begin = START + len(self.rows) - late
        batch = [
            row(event_id=event_id.new(begin + number), event_name=name, read_only=name != "CreateKey")
            for number, name in enumerate(names)
        ]
        self._writers[writer].append(batch)
        self.rows += batch

    def seal(self) -> None:
        """Seal what is full."""
        seal(self._directory)

    def close(self) -> None:
        """Give all segments up."""
        for writer in self._writers:
            writer.close()


BATCH = st.tuples(
    st.integers(0, 1), st.lists(st.sampled_from(NAMES), min_size=1, max_size=8), st.integers(0, 5)
)
STEP = st.one_of(BATCH, st.none())  # a batch, or sealing


@settings(max_examples=60)
@given(
    before=st.lists(STEP, max_size=12),
    meanwhile=st.lists(st.lists(STEP, max_size=3), max_size=30),
    asked=st.sampled_from([None, ("event_name", "Decrypt"), ("read_only", "false"), ("username", "mira")]),
    size=st.integers(1, 7),
)
def test_pages_give_what_was_there_once_and_newest_first(
    before: list[tuple[int, list[str], int] | None],
    meanwhile: list[list[tuple[int, list[str], int] | None]],
    asked: tuple[str, str] | None,
    size: int,
) -> None:
    with TemporaryDirectory() as directory:
        log = GrowingLog(Path(directory))
        _grow(log, before)
        there = {one.event_id for one in log.rows if _meets(one, asked)}
        found: list[Row] = []
        steps = iter(meanwhile)
        while page := lookup(
            log.sources, query(attribute=asked, limit=size, after=found[-1].event_id if found else None)
        ):
            found += page
            _grow(log, next(steps, []))
        log.close()
    identifiers = [one.event_id for one in found]
    assert identifiers == sorted(set(identifiers), reverse=True)
    assert there <= set(identifiers)
    assert all(_meets(one, asked) for one in found)
    assert set(identifiers) <= {one.event_id for one in log.rows}


def _grow(log: GrowingLog, steps: list[tuple[int, list[str], int] | None]) -> None:
    for step in steps:
        if step is None:
            log.seal()
        else:
            log.append(*step)


def _meets(one: Row, asked: tuple[str, str] | None) -> bool:
    if asked is None:
        return True
    value = getattr(one, asked[0])
    return (str(value).lower() if isinstance(value, bool) else value) == asked[1]


def filled(directory: Path, count: int) -> list[Row]:
    """`count` rows of one writer, whose full segments are sealed."""
    log = SegmentLog(directory, LIMITS, CHAIN_KEY)
    rows = [row(number) for number in range(count)]
    for one in rows:
        log.append([one])
    log.close()
    seal(directory)
    return rows


def test_a_row_is_found_as_soon_as_it_is_stored(tmp_path: Path) -> None:
    log, found = SegmentLog(tmp_path, LIMITS, CHAIN_KEY), places(tmp_path)
    for number in range(25):
        one = row(number, username=f"user-{number}")
        log.append([one])
        assert lookup(found, query(attribute=("username", f"user-{number}"))) == [one]
        assert len(lookup(found, query())) == number + 1
    log.close()


def test_what_is_pruned_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = filled(tmp_path, 25)
    found = places(tmp_path)
    listing = segment_list(tmp_path).now()
    assert len(listing.newest_first) == 2
    monkeypatch.setattr("kms_server.audit.segment_list.SegmentList.now", lambda _: listing)
    for path in (listing.oldest_first[0].path, listing.unsealed[0]):
        path.unlink()
    assert lookup(found, query()) == rows[19:9:-1]


def test_no_connection_to_a_pruned_segment_is_kept(tmp_path: Path) -> None:
    filled(tmp_path, 20)
    found = places(tmp_path)
    assert len(lookup(found, query())) == 20
    assert _open_files(tmp_path) == 2
    for path in tmp_path.iterdir():
        path.unlink()
    assert lookup(found, query()) == []
    assert _open_files(tmp_path) == 0


@pytest.fixture
def descriptors(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the process may open, for the time of a test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (request.param, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("descriptors", "kept"), [(512, 64), (2_048, 128)], indirect=["descriptors"])
@pytest.mark.usefixtures("descriptors")
def test_few_connections_are_kept(tmp_path: Path, kept: int) -> None:
    log = SegmentLog(tmp_path, Limits(segment_rows=1), CHAIN_KEY)
    rows = [row(number) for number in range(130)]
    for one in rows:
        log.append([one])
    seal(tmp_path)
    assert lookup(places(tmp_path), query()) == rows[::-1]
    assert _open_files(tmp_path) == kept
    log.close()


def _open_files(directory: Path) -> int:
    targets = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return sum(str(target).startswith(f"{directory}/") and ".db" in target.name for target in targets)


def _cut(mark: bytes) -> bytes:
    return mark[: len(mark) // 2]


def _zeroed(mark: bytes) -> bytes:
    head, _, values = mark.partition(b"\n")
    return head + b"\n" + bytes(len(values))


def _former(mark: bytes) -> bytes:
    return b" ".join(mark.split(b" ")[:2])


@pytest.mark.parametrize("damage", [_cut, _zeroed, _former])
def test_a_mark_that_cannot_be_trusted_hides_nothing_and_is_made_anew(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    rows = filled(tmp_path, 10)
    (path,) = segment_files(tmp_path)
    mark = path.with_suffix(marks.SUFFIX)
    whole = mark.read_bytes()
    mark.write_bytes(damage(whole))
    assert marks.read(path) is None
    assert lookup(places(tmp_path), query(attribute=("username", "mira"))) == rows[::-1]
    seal(tmp_path)
    assert mark.read_bytes() == whole
    assert segment_list(tmp_path).now().unsealed == ()


def test_a_segment_is_not_sealed_over_a_reader_of_its_log(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    log.append([row(number) for number in range(9)])
    (path,) = segment_files(tmp_path)
    with dbapi2.connect(str(path), isolation_level=None) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM audit_events").fetchone() == (9,)
        log.append([row(9)])
        seal(tmp_path)
        assert marks.read(path) is None
        assert len(lookup(places(tmp_path), query())) == 10
        reader.execute("COMMIT")
    reader.close()
    seal(tmp_path)
    assert marks.read(path) is not None
    assert len(lookup(places(tmp_path), query())) == 10
