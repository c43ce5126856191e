"""Requests for quota increases: one open one per quota, decided once, forgotten when they are old."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from kms_server.quotas import increases, profiles, subjects
from kms_server.storage import limits, quota_requests
from kms_server.storage.database import Database
from kms_server.storage.limits import SetLimit
from kms_server.storage.quota_requests import APPROVED, DENIED, PENDING, QuotaRequest

ACCOUNT, REGION = "111122223333", "us-east-1"
LIMITED = subjects.of_quota(ACCOUNT, REGION, "CreateKey")
ONE = QuotaRequest(
    "r-1",
    ACCOUNT,
    REGION,
    "kms",
    "CreateKey",
    10.0,
    PENDING,
    1_000.0,
    1_000.0,
    '{"accountId":"111122223333"}',
)


def add(database: Database, **changes: Any) -> QuotaRequest:
    made = replace(ONE, **changes)
    with database.write() as tx:
        quota_requests.add(tx, made)
    return made


def pages(
    database: Database, since: float = 0.0, after: str = "", count: int = 9, **wanted: str
) -> list[str]:
    with database.read() as connection:
        found = quota_requests.page(connection, ACCOUNT, REGION, since, after, count, **wanted)
    return [one.request_id for one in found]


def test_one_request_of_an_account_for_a_quota_and_region_is_open(database: Database) -> None:
    add(database)
    with pytest.raises(IntegrityError):
        add(database, request_id="r-2")
    for number, changes in enumerate(
        ({"account": "0" * 12}, {"region": "eu-west-1"}, {"quota_id": "x"}, {"status": DENIED})
    ):
        add(database, request_id=f"o-{number}", **changes)  # fmt: skip
    with database.read() as connection:
        assert quota_requests.is_open(connection, ACCOUNT, REGION, "CreateKey")
        assert not quota_requests.is_open(connection, ACCOUNT, REGION, "CreateAlias")
        assert len(quota_requests.every(connection)) == 5


def test_a_request_is_decided_once(database: Database) -> None:
    add(database)
    with database.write() as tx:
        assert quota_requests.settle(tx, "r-1", DENIED, 2_000.0)
        assert not quota_requests.settle(tx, "r-1", APPROVED, 3_000.0)
        assert not quota_requests.settle(tx, "r-2", APPROVED, 3_000.0)
        assert quota_requests.get(tx.connection, "r-1") == replace(ONE, status=DENIED, updated_at=2_000.0)
        assert quota_requests.get(tx.connection, "r-2") is None
        assert not quota_requests.is_open(tx.connection, ACCOUNT, REGION, "CreateKey")


def test_pages_are_in_the_order_of_ids(database: Database) -> None:
    for number, status in ((3, APPROVED), (1, DENIED), (2, APPROVED)):
        add(database, request_id=f"r-{number}", status=status, created_at=1_000.0 + number)
    add(database, request_id="r-4", account="0" * 12)
    assert pages(database) == ["r-1", "r-2", "r-3"]
    assert pages(database, after="r-1", count=1) == ["r-2"]
    assert pages(database, since=1_002.0) == pages(database, status=APPROVED) == ["r-2", "r-3"]
    assert pages(database, service="kms", quota_id="CreateAlias") == []


def test_what_is_old_and_decided_is_forgotten(database: Database) -> None:
    add(database, request_id="r-old", status=APPROVED)
    add(database, request_id="r-open")
    add(database, request_id="r-young", status=APPROVED, created_at=2_000.0)
    add(database, request_id="r-other", status=APPROVED, region="eu-west-1")
    with database.write() as tx:
        quota_requests.forget(tx, ACCOUNT, REGION, 2_000.0)
        left = {one.request_id for one in quota_requests.every(tx.connection)}
    assert left == {"r-open", "r-young", "r-other"}


@pytest.mark.parametrize(("before", "after"), [(None, 10.0), (9.0, 10.0), (10.5, 10.5)])
def test_a_grant_raises_and_never_lowers(database: Database, before: float | None, after: float) -> None:
    assert granted(database, "aws", before, None) == SetLimit(LIMITED, after, None)


@pytest.mark.parametrize(("before", "after"), [(5.5, 5.5), (5.0, None), (1.0, None), (None, None)])
def test_a_grant_keeps_a_higher_burst(
    database: Database, tmp_path: Path, before: float | None, after: float | None
) -> None:
    assert granted(database, "aws", 9.0, before) == SetLimit(LIMITED, 10.0, after)
    profile = tmp_path / "own.toml"
    profile.write_text(f"[quotas]\nCreateKey = {{ rate = 9{f', burst = {before}' if before else ''} }}")
    assert granted(database, str(profile), None, None) == SetLimit(LIMITED, 10.0, after)


def granted(database: Database, profile: str, rate: float | None, burst: float | None) -> SetLimit | None:
    """The limit after a grant of 10 a second, where another was set before or none."""
    with database.write() as tx:
        limits.remove(tx, LIMITED)
        if rate is not None:
            limits.put(tx, SetLimit(LIMITED, rate, burst))
        increases.grant(tx, ONE, profiles.find(profile))
        return limits.get(tx.connection, LIMITED)
