"""No question walks the log: each is a range of the index that is made for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pysqlite3 import dbapi2
from sqlalchemy import Engine, text

from kms_server.audit import marks
from kms_server.audit.lookup import lookup
from kms_server.audit.merge import Part
from kms_server.audit.places import Plan
from kms_server.audit.sealing import seal
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.segments import segment_files
from kms_server.config import Limits
from kms_server.storage.audit_tables import audit_events
from tests.databases import with_schema
from tests.postgres_server import Postgres
from tests.unit.audit.audit_rows import CHAIN_KEY, places, query, row

INDEXES = {
    None: ["account"],
    ("event_name", "Decrypt"): ["event_name"],
    ("read_only", "true"): ["read_only"],
    ("read_only", "false"): ["read_only"],
    ("username", "mira"): ["username"],
    ("access_key_id", "AKIA"): ["access_key_id"],
    ("event_source", "kms.amazonaws.com"): ["event_source"],
    ("resource", "arn:0"): ["resource_1", "resource_2"],
    ("resource_type", "AWS::KMS::Key"): ["resource_1_type", "resource_2_type"],
    ("resource_type", "AWS::IAM::Role"): ["resource_1_type", "resource_2_type"],
}


OTHER = "444455556666"
FILL = """
INSERT INTO audit_events
SELECT lpad(to_hex(number), 8, '0') || '-0000-7000-8000-000000000000', :account, :region, 'Decrypt', :event_source,
       number % 2 = 0, :username, :access_key_id, 'arn:aws:kms:us-east-1:444455556666:key/' || number % 3,
       'arn:aws:iam::444455556666:role/' || number % 3, :error_code, :record
FROM generate_series(1, 20000) AS number
"""


_OTHERS = {
    "event_name": "AssumeRole", "event_source": "sts.amazonaws.com", "read_only": False, "username": "root",
    "access_key_id": None, "resource_2": "arn:aws:iam::444455556666:role/a",
}  # fmt: skip


class Asked:
    """A place that keeps the plan of the question that it is asked."""

    plan: Plan

    def parts(self, plan: Plan) -> Iterator[Part]:
        """Nothing."""
        self.plan = plan
        return iter(())


def planned(attribute: tuple[str, str] | None, after: str | None) -> Plan:
    """The plan of a page."""
    asked = Asked()
    assert lookup([asked], query(attribute=attribute, after=after, limit=51)) == []
    return asked.plan


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("audit")
    log = SegmentLog(directory, Limits(segment_rows=100), CHAIN_KEY)
    log.append([row(number, **(_OTHERS if number % 2 else {})) for number in range(100)])
    seal(directory)
    return segment_files(directory)[0]


@pytest.mark.parametrize("after", [None, "01a"])
@pytest.mark.parametrize("attribute", INDEXES)
def test_a_sealed_segment_is_searched_by_index(
    sealed: Path, attribute: tuple[str, str] | None, after: str | None
) -> None:
    connection = dbapi2.connect(str(sealed))
    used = [
        connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
        for sql, parameters in planned(attribute, after).of_sealed
    ]
    connection.close()
    for (step,), name in zip(used, INDEXES[attribute], strict=True):
        of_value = "account=? AND region=?" if attribute is None else "account=? AND region=? AND "
        assert f"USING INDEX ix_audit_events_{name} ({of_value}" in step[3]
        assert "event_id>? AND event_id<?" in step[3]


def test_what_all_rows_have_alike_needs_no_index(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, Limits(segment_rows=100), CHAIN_KEY)
    log.append([row(number, event_name="Decrypt") for number in range(100)])
    seal(tmp_path)
    connection = dbapi2.connect(str(segment_files(tmp_path)[0]))
    ((sql, parameters),) = planned(("event_name", "Decrypt"), None).of_sealed
    (step,) = connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
    mark = marks.read(segment_files(tmp_path)[0])
    assert mark == marks.describe(connection)
    connection.close()
    assert (
        "USING INDEX ix_audit_events_account (account=? AND region=? AND event_id>? AND event_id<?)"
        in step[3]
    )
    events = lookup(places(tmp_path), query(attribute=("event_name", "Decrypt"), limit=51))
    assert len(events) == 51
    assert lookup(places(tmp_path), query(attribute=("event_name", "Encrypt"))) == []


@pytest.mark.parametrize(
    ("attribute", "other"),
    [
        (None, None),
        (("event_name", "Decrypt"), ("event_name", "Encrypt")),
        (("read_only", "true"), ("read_only", "false")),
        (("resource", "arn:0"), ("resource", "arn:1")),
        (("resource_type", "AWS::KMS::Key"), ("resource_type", "AWS::IAM::Role")),
    ],
)
def test_questions_that_differ_in_values_share_statements(
    attribute: tuple[str, str] | None, other: tuple[str, str] | None
) -> None:
    one = planned(attribute, None).of_sealed
    assert [text for text, _ in one] == [text for text, _ in planned(other, "01a").of_sealed]
    # As a parameter it would have SQLite plan the statement anew at each execution.
    assert all("LIMIT 51" in text for text, _ in one)


@pytest.fixture(scope="module")
def engine(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A log of another account, whose rows have all the values that are asked for, with statistics."""
    database = with_schema(tmp_path_factory.mktemp("log"), postgres).open()
    with database.engine.begin() as connection:
        connection.execute(text(FILL), row(0, account=OTHER)._asdict())
        connection.execute(text("ANALYZE audit_events"))
    yield database.engine
    database.close()


@pytest.mark.parametrize("after", [None, "00003"])
@pytest.mark.parametrize("attribute", INDEXES)
def test_postgresql_expects_no_value_where_another_account_has_it(
    engine: Engine, attribute: tuple[str, str] | None, after: str | None
) -> None:
    plan = planned(attribute, after)
    for statement, name in zip(plan.seek(audit_events), INDEXES[attribute], strict=True):
        sql = str(statement.params(plan.values).compile(engine, compile_kwargs={"literal_binds": True}))
        with engine.connect() as connection:
            steps = "\n".join(connection.exec_driver_sql(f"EXPLAIN {sql}").scalars())
        assert f"Index Scan Backward using ix_audit_events_{name} " in steps, steps
        assert "Sort" not in steps


def test_postgresql_finds_an_event_by_its_id(engine: Engine) -> None:
    attribute = ("event_id", "000003e8-0000-7000-8000-000000000000")
    plan = planned(attribute, None)
    (statement,) = plan.seek(audit_events)
    sql = str(statement.params(plan.values).compile(engine, compile_kwargs={"literal_binds": True}))
    with engine.connect() as connection:
        steps = connection.exec_driver_sql(f"EXPLAIN {sql}").scalars().all()
    (found_by,) = [step for step in steps if "Index Cond" in step]
    assert "event_id)::text = '000003e8-" in found_by, steps
    assert "ROW(" not in found_by, steps
