"""Every place that holds records answers every question as a plain filter over the rows would."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from kms_server.audit import event_id, marks
from kms_server.audit.lookup import lookup, stream
from kms_server.audit.matching import Filter
from kms_server.audit.places import Source, sources
from kms_server.audit.record import Row
from kms_server.audit.sealing import seal
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.segments import segment_files
from kms_server.audit.table_log import TableLog
from kms_server.config import Limits
from kms_server.errors import OperatorError
from kms_server.storage.audit_tables import audit_events
from tests.databases import new_url
from tests.postgres_server import Postgres
from tests.unit.audit.audit_rows import ACCOUNT, CHAIN_KEY, REGION, places, query, row

START = 1_790_000_000
COUNT = 300


def _rows() -> list[Row]:
    chosen = random.Random(7)
    arns = [f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{number}" for number in range(3)]
    others = [
        f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/a", f"arn:aws:iam::{ACCOUNT}:role/r", "arn:aws:s3:::bucket",
        f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/t",
    ]  # fmt: skip
    return [
        row(
            event_id=event_id.new(START + number / 10),
            account=chosen.choice([ACCOUNT, ACCOUNT, "444455556666"]),
            region=chosen.choice([REGION, REGION, "eu-west-1"]),
            event_name=chosen.choice(["Encrypt", "Decrypt", "ReEncrypt"]),
            username=chosen.choice(["mira", "root", None]),
            access_key_id=chosen.choice(["AKIA1", "AKIA2"]),
            read_only=chosen.random() < 0.7,
            event_source=chosen.choice(["kms.amazonaws.com", "sts.amazonaws.com"]),
            resource_1=chosen.choice([*arns, *others, None]),
            resource_2=chosen.choice([arns[0], others[0], None, None]),
            error_code=chosen.choice(["AccessDenied", None, None]),
            record=f'{{"number":{number}}}',
        )
        for number in range(COUNT)
    ]


ROWS = _rows()
HERE = [one for one in reversed(ROWS) if (one.account, one.region) == (ACCOUNT, REGION)]


@dataclass(frozen=True)
class Kept:
    """The rows, in one place or several."""

    sources: list[Source]


def _segments(directory: Path, batches: list[list[Row]], **limits: int) -> None:
    log = SegmentLog(directory, Limits(**limits), CHAIN_KEY)
    for batch in batches:
        log.append(batch)
    log.close()


def _open(directory: Path) -> list[Source]:
    _segments(directory, [ROWS])
    return places(directory)


def _mixed(directory: Path) -> list[Source]:
    """Sealed, full and open segments, with overlapping ranges and a row kept twice."""
    batches = [ROWS[start : start + 20] for start in range(0, COUNT, 20)]
    _segments(directory, batches[:8:2] + batches[1:8:2], segment_rows=40)
    seal(directory)
    assert sum(marks.read(path) is not None for path in segment_files(directory)) == 4
    _segments(directory, [ROWS[:5], *batches[8:]], segment_rows=50)
    return places(directory)


EMBEDDED: dict[str, Callable[[Path], list[Source]]] = {"open": _open, "mixed": _mixed}


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    postgres: Postgres = request.getfixturevalue("postgres")
    url = make_url(new_url(postgres)).set(drivername="postgresql+psycopg")
    engine = create_engine(url, poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module", params=[*EMBEDDED, "postgresql"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    if request.param in EMBEDDED:
        return Kept(EMBEDDED[request.param](tmp_path_factory.mktemp("audit")))
    engine = request.getfixturevalue("engine")
    TableLog(engine, audit_events, CHAIN_KEY).append(ROWS)
    return Kept(sources(engine, None))


def _resource(name: str) -> Callable[[Row], bool]:
    return lambda one: name in (one.resource_1, one.resource_2)


def _type(part: str) -> Callable[[Row], bool]:
    return lambda one: any(part in name for name in (one.resource_1, one.resource_2) if name)


KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0"
QUESTIONS: list[tuple[dict[str, Any], Callable[[Row], bool]]] = [
    ({}, lambda one: True),
    ({"attribute": ("event_id", HERE[30].event_id)}, lambda one: one == HERE[30]),
    ({"attribute": ("event_id", "~")}, lambda one: False),
    ({"attribute": ("event_name", "Encrypt")}, lambda one: one.event_name == "Encrypt"),
    ({"attribute": ("username", "mira")}, lambda one: one.username == "mira"),
    ({"attribute": ("access_key_id", "AKIA2")}, lambda one: one.access_key_id == "AKIA2"),
    ({"attribute": ("event_source", "s3.amazonaws.com")}, lambda one: False),
    ({"attribute": ("read_only", "true")}, lambda one: one.read_only),
    ({"attribute": ("read_only", "false")}, lambda one: not one.read_only),
    ({"attribute": ("read_only", "False")}, lambda one: False),
    ({"attribute": ("resource", KEY)}, _resource(KEY)),
    ({"attribute": ("resource", "'; --")}, lambda one: False),
    ({"attribute": ("resource_type", "AWS::KMS::Key")}, _type(":key/")),
    ({"attribute": ("resource_type", "AWS::KMS::Alias")}, _type(":alias/")),
    ({"attribute": ("resource_type", "AWS::IAM::Role")}, _type(":role/")),
    ({"attribute": ("resource_type", "AWS::CloudTrail::Trail")}, _type(":trail/")),
    ({"attribute": ("resource_type", "AWS::S3::Bucket")}, _type(":::bucket")),
    (
        {"attribute": ("event_source", "sts.amazonaws.com")},
        lambda one: one.event_source == "sts.amazonaws.com",
    ),
    ({"attribute": ("resource_type", "AWS::S3::Object")}, lambda one: False),
    ({"start": START + 5.7}, lambda one: one.event_id >= event_id.floor(START + 5)),
    ({"end": START + 5.2}, lambda one: one.event_id < event_id.floor(START + 6)),
    ({"after": HERE[40].event_id}, lambda one: one.event_id < HERE[40].event_id),
    (
        {"attribute": ("resource", KEY), "event_names": ("Encrypt", "Decrypt"), "succeeded": True},
        lambda one: _resource(KEY)(one) and one.event_name in ("Encrypt", "Decrypt") and not one.error_code,
    ),
    (
        {"start": START + 8.0, "end": START + 9.0, "attribute": ("username", "root")},
        lambda one: (
            one.username == "root" and event_id.floor(START + 8) <= one.event_id < event_id.floor(START + 10)
        ),
    ),
    (
        {"attribute": ("resource", KEY), "event_names": ("ReEncrypt", "Decrypt")},
        lambda one: _resource(KEY)(one) and one.event_name in ("ReEncrypt", "Decrypt"),
    ),
]


# Event ids are random, and parallel runs must agree on the names of the tests: they are numbered.
@pytest.mark.parametrize(("asked", "meets"), QUESTIONS, ids=range(len(QUESTIONS)))
def test_lookup(kept: Kept, asked: dict[str, Any], meets: Callable[[Row], bool]) -> None:
    expected = list(filter(meets, HERE))
    assert lookup(kept.sources, query(**asked)) == expected
    assert lookup(kept.sources, query(**asked, limit=3)) == expected[:3]


def test_pages_follow_each_other_without_gap_or_repeat(kept: Kept) -> None:
    found: list[Row] = []
    while page := lookup(kept.sources, query(limit=7, after=found[-1].event_id if found else None)):
        found += page
    assert found == HERE


@pytest.mark.parametrize(
    ("wanted", "meets"),
    [
        (Filter(), lambda one: True),
        (Filter(resources=(KEY,)), _resource(KEY)),
        (
            Filter(username="mira", event_names=("Decrypt",)),
            lambda one: one[3] == "Decrypt" and one[6] == "mira",
        ),
        (Filter(error_code="AccessDenied"), lambda one: one.error_code == "AccessDenied"),
        (Filter(account=ACCOUNT, region="eu-west-1"), lambda one: one[1:3] == (ACCOUNT, "eu-west-1")),
        (Filter(access_key_id="AKIA1"), lambda one: one.access_key_id == "AKIA1"),
        (
            Filter(since=START + 3.0, until=START + 7.0),
            lambda one: event_id.floor(START + 3) <= one.event_id < event_id.floor(START + 8),
        ),
    ],
)
def test_stream(kept: Kept, wanted: Filter, meets: Callable[[Row], bool]) -> None:
    assert list(stream(kept.sources, wanted)) == list(filter(meets, ROWS))


def test_stream_stops_at_its_limit(kept: Kept) -> None:
    assert list(stream(kept.sources, Filter(limit=4))) == ROWS[:4]


def test_a_segment_made_this_moment_is_empty(tmp_path: Path) -> None:
    (tmp_path / "new.db").touch()
    assert lookup(places(tmp_path), query()) == []


def test_odd_directory_names(tmp_path: Path) -> None:
    directory = tmp_path / "a%20b?mode=ro#c d"
    directory.mkdir()
    _segments(directory, [[row()]])
    assert len(lookup(places(directory), query())) == 1


def test_a_damaged_segment_is_not_passed_over(tmp_path: Path) -> None:
    _segments(tmp_path, [[row()]])
    (segment,) = segment_files(tmp_path)
    segment.write_bytes(b"no database" * 1_000)
    with pytest.raises(OperatorError, match=segment.name):
        lookup(places(tmp_path), query())


def test_the_ends_of_a_sealed_segment_are_found(tmp_path: Path) -> None:
    _segments(tmp_path, [ROWS[:10]], segment_rows=10)
    seal(tmp_path)
    for one in (ROWS[0], ROWS[9]):
        asked = query(account=one.account, region=one.region, attribute=("event_id", one.event_id))
        assert lookup(places(tmp_path), asked) == [one]


def test_a_sealed_segment_out_of_range_is_not_opened(tmp_path: Path) -> None:
    _segments(tmp_path, [ROWS[:10]], segment_rows=10)
    seal(tmp_path)
    segment_files(tmp_path)[0].write_bytes(b"no database" * 1_000)
    assert lookup(places(tmp_path), query(start=START + 60.0)) == []
    assert lookup(places(tmp_path), query(after=event_id.floor(START - 60))) == []
    assert lookup(places(tmp_path), query(attribute=("event_id", event_id.new(START + 60)))) == []
    assert list(stream(places(tmp_path), Filter(until=START - 60.0))) == []
    with pytest.raises(OperatorError):
        lookup(places(tmp_path), query(start=START - 60.0))
