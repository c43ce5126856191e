"""A short soak from whose log a record is removed: that is found, and nothing else."""

import os
from pathlib import Path

import psycopg
import pytest

from tests.soak.cluster import Cluster
from tests.soak.soak import Size, soak


def remove_a_record(cluster: Cluster) -> None:
    with psycopg.connect(cluster.database_url) as connection:
        removed = connection.execute(
            "DELETE FROM audit_events WHERE event_id = (SELECT min(event_id) FROM audit_events "
            "WHERE event_name = 'Encrypt' AND record LIKE '%soak/0-%')"
        )
        assert removed.rowcount == 1


@pytest.mark.skipif(
    "KMS_TEST_SOAK" not in os.environ, reason="takes half a minute; `make soak` has the long one"
)
def test_a_lost_record_is_found_and_nothing_else(tmp_path: Path) -> None:
    report, cluster = soak(tmp_path, Size(10.0, 3, outages=False), 1, lambda _: None, remove_a_record)
    assert {violation.kind for violation in report.violations} == {"lost record", "audit verify"}
    assert cluster.survived
    assert report.calls["ok"] > 20
