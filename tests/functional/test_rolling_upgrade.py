"""A newer version takes over server by server, and no call is refused meanwhile."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from kms_server.storage import schema_version
from tests.databases import new_url
from tests.functional.limit_load import roots
from tests.functional.server_process import Access, StartServer
from tests.postgres_server import Postgres

_NEXT = "9999"
_MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{next}", "{last}", None, None
serves = "{last}"


def upgrade() -> None:
    op.add_column("keys", sa.Column("remark", sa.String(16)))
"""


def next_version(directory: Path) -> dict[str, str]:
    """A copy of this program with one more migration; the environment that runs it."""
    package = schema_version.scripts().parent
    for name in ("kms_server", "migrations"):
        shutil.copytree(package / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    migration = _MIGRATION.format(next=_NEXT, last=schema_version.known()[-1])
    (directory / "migrations" / "versions" / f"{_NEXT}_remarks.py").write_text(migration)
    return {"PYTHONPATH": str(directory), "PYTHONSAFEPATH": "1"}


@contextmanager
def load(accesses: list[Access], key: str) -> Iterator[list[int]]:
    """Clients that change and use keys until the block ends; how many calls were answered."""
    answered, failed, stop = [0] * len(accesses), list[Exception](), threading.Event()

    def ask(number: int, kms: Any) -> None:
        while not stop.is_set():
            try:
                kms.encrypt(KeyId=key, Plaintext=b"x")
                kms.tag_resource(KeyId=key, Tags=[{"TagKey": str(number), "TagValue": str(answered[number])}])
            except Exception as error:  # noqa: BLE001 - whatever it is, the test tells
                failed.append(error)
            answered[number] += 1

    clients = [
        threading.Thread(target=ask, args=(number, access.client("kms")))
        for number, access in enumerate(accesses)
    ]
    for client in clients:
        client.start()
    yield answered
    stop.set()
    for client in clients:
        client.join()
    assert failed == []


def _more(answered: list[int]) -> None:
    """Wait until each client has had more answers."""
    before = list(answered)
    deadline = time.monotonic() + 60
    while any(now < then + 5 for now, then in zip(answered, before, strict=True)):
        assert time.monotonic() < deadline, "the clients do not go on"
        time.sleep(0.02)


def test_versions_side_by_side(start_server: StartServer, postgres: Postgres, tmp_path: Path) -> None:
    url = new_url(postgres)
    one = start_server("--database-url", url, workers=1)
    shared = ["--database-url", url, "--root-key", f"file:{one.data_dir / 'root.key'}"]
    two = start_server(*shared, workers=1)
    key = one.client("kms").create_key()["KeyMetadata"]["KeyId"]
    newer = next_version(tmp_path / "next")
    with load(roots([one, two]), key) as answered:
        _more(answered)
        three = start_server(*shared, workers=1, env=newer, own_interpreter=True)
        _more(answered)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(_NEXT,)]
    # A server of the older version may have to start again before its turn comes.
    with load(roots([one, two, three])[1:], key) as answered:
        assert one.stop() == 0
        one.restart()
        _more(answered)
    assert one.client("kms").describe_key(KeyId=key)["KeyMetadata"]["Enabled"]
